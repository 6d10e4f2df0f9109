"""For any WSGI server: ``app``, with its database migrated and checked. `dishu serve` needs no such file."""

from server.app import create_app, house_of
from server.start import prepare

app = create_app()
prepare(house_of(app))
