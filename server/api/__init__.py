"""Views: parse, ask a service, answer. A module that offers a ``blueprint`` is a chapter of the API."""

from __future__ import annotations

import importlib
import pkgutil

from flask import Flask

# In the order of the API document; chapters that are not named come last.
_FIRST = ("docs", "meta", "people", "enrol", "reference", "sync")


def register_blueprints(app: Flask) -> None:
    """Hang every chapter on the app."""
    names = [module.name for module in pkgutil.iter_modules(__path__)]
    rank = {name: place for place, name in enumerate(_FIRST)}
    for name in sorted(names, key=lambda name: (rank.get(name, len(rank)), name)):
        module = importlib.import_module(f"{__name__}.{name}")
        if hasattr(module, "blueprint"):
            app.register_blueprint(module.blueprint)
