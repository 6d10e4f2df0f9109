"""Views: parse, ask a service, answer. One module per chapter; each offers ``blueprint``."""

from __future__ import annotations

import importlib
import importlib.util

from flask import Flask

# In the order of the API document.
CHAPTERS = (
    "meta",
    "docs",
    "people",
    "enrol",
    "reference",
    "sync",
    "rosters",
    "inbox",
    "exports",
    "cells",
    "records",
    "ogc",
)


def register_blueprints(app: Flask) -> None:
    """Hang every chapter that is there on the app."""
    for name in CHAPTERS:
        module = f"server.api.{name}"
        if importlib.util.find_spec(module) is not None:
            app.register_blueprint(importlib.import_module(module).blueprint)
