"""Builds the application: one house, the extensions, the blueprints. Decides nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from flask import Flask
from flask_compress import Compress
from werkzeug.middleware.proxy_fix import ProxyFix

from forms.registry import load_registry
from server.api import register_blueprints
from server.auth import RateLimits
from server.errors import StartError
from server.extensions import db, migrate
from server.house import House, utc_now, uuid7
from server.migrations import FOLDER
from server.problems import register_problems
from server.requests import register_request_rules
from server.sealing import KeyRing
from server.settings import HouseSecrets, Settings
from server.store import reach
from server.store.database import engine_options, prepare_engine


def create_app(
    settings: Settings | None = None,
    *,
    clock: Callable[[], datetime] = utc_now,
    new_id: Callable[[], str] = uuid7,
) -> Flask:
    """The Flask application; ``app.extensions["dishu"]`` is its `House`.

    Reads the house key, or makes one for a database that has no life yet; opens no other connection: `server.start.prepare` looks at the database.

    Parameters
    ----------
    settings : None reads the environment
    clock, new_id : where the time and identifiers come from

    Raises
    ------
    server.errors.StartError
        A setting or the key file cannot be used.
    """
    settings = settings or Settings.from_environment()
    try:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StartError(f"the data folder {settings.data_dir} cannot be made: {error.strerror}") from error
    app = Flask("server", static_folder=None)
    app.config.update(
        SQLALCHEMY_DATABASE_URI=settings.database_url,
        SQLALCHEMY_ENGINE_OPTIONS=engine_options(settings.database_url),
        MAX_CONTENT_LENGTH=settings.max_body_bytes,
        MAX_FORM_MEMORY_SIZE=settings.max_body_bytes,
        PROPAGATE_EXCEPTIONS=False,
    )
    # Pictures and archives are packed already; small answers gain nothing.
    app.config.update(
        COMPRESS_ALGORITHM=["zstd", "gzip"],
        COMPRESS_STREAMS=False,  # finished exports are fetched in ranges of their own bytes
        COMPRESS_MIN_SIZE=1_000,
        COMPRESS_ZSTD_LEVEL=3,
        COMPRESS_LEVEL=5,
        COMPRESS_EVALUATE_CONDITIONAL_REQUEST=True,
        COMPRESS_MIMETYPES=[
            "application/geo+json", "application/json", "application/manifest+json", "application/openapi+json",
            "application/problem+json", "image/svg+xml", "text/css", "text/csv", "text/html", "text/javascript",
        ],
    )  # fmt: skip
    if settings.proxies:
        count = settings.proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=count)  # type: ignore[method-assign]
    db.init_app(app)
    migrate.init_app(app, db, directory=str(FOLDER))
    with app.app_context():
        engine = prepare_engine(db.engine)
    if settings.lacks_key() and reach.has_life(engine):
        place = reach.place_of(engine)
        raise StartError(f"the key file {settings.key_file} is missing, and the database at {place} is sealed with it; put the copy back")
    app.extensions["dishu"] = House(
        settings=settings,
        engine=engine,
        keys=ring_of(settings),
        registry=load_registry(),
        clock=clock,
        new_id=new_id,
    )
    app.extensions["dishu_rates"] = RateLimits(settings)
    register_request_rules(app)
    Compress(app)
    register_problems(app)
    register_blueprints(app)
    return app


def ring_of(settings: Settings) -> KeyRing:
    """The keys of these settings; they follow the key file when it is rotated."""
    changed = settings.changed_secrets()

    def made(found: HouseSecrets) -> KeyRing:
        return KeyRing.from_secret(found.present, found.former, found.hashing)

    ring = made(settings.secrets())
    ring.source = lambda: made(found) if (found := changed()) is not None else None
    return ring


def house_of(app: Flask) -> House:
    """The house of an application."""
    house = app.extensions["dishu"]
    assert isinstance(house, House)
    return house
