"""Flask extensions, bound to our own tables."""

from __future__ import annotations

from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy

from server.models import metadata

db = SQLAlchemy(metadata=metadata)
"""Its engine is the one engine of the house: `server.app` gives it the store's options and transaction rules."""

migrate = Migrate()
