"""What holds for every request: an id, safe headers, no caching of answers that may be personal."""

from __future__ import annotations

import logging
from time import monotonic

from flask import Flask, Response, g, request
from prometheus_client import CollectorRegistry, Counter, Histogram

from server.errors import InputError, InvalidParameter, NotFound
from server.house import House

CONTENT_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; worker-src 'self' blob:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(self), camera=(self), microphone=()",
}

METRICS = CollectorRegistry()
_REQUESTS = Counter(
    "dishu_requests", "Requests answered, by route and status", ["method", "route", "status"], registry=METRICS
)
_SECONDS = Histogram(
    "dishu_request_seconds",
    "Time to answer, by route",
    ["method", "route"],
    buckets=(0.005, 0.02, 0.1, 0.5, 2, 10),
    registry=METRICS,
)
_log = logging.getLogger("dishu")


def register_request_rules(app: Flask) -> None:
    """Number, time and harden every request and answer of the app."""
    house: House = app.extensions["dishu"]

    def begin() -> None:
        g.request_id = house.new_id()
        g.started = monotonic()
        # Not every database can be asked for U+0000, and nothing here is called so.
        if "\0" in request.path:
            raise NotFound("no address holds U+0000")
        wrong = [name for name, value in request.args.items(multi=True) if "\0" in name + value]
        if wrong:
            raise InvalidParameter(errors=[
                InputError("/" + name.replace("\0", ""), "control_character", "U+0000 is no text") for name in wrong
            ])  # fmt: skip

    given = _HEADERS | {"Content-Security-Policy": CONTENT_POLICY, "Cache-Control": "no-store"}
    if house.settings.secure:
        given["Strict-Transport-Security"] = "max-age=31536000"
    by_name = [(name.lower(), name, value) for name, value in given.items()]

    def finish(response: Response) -> Response:
        own = {name.lower() for name, _ in response.headers}  # asked once: of each name apart it was a twentieth of a small request
        for lowered, name, value in by_name:
            if lowered not in own:
                response.headers.add(name, value)
        response.headers["X-Request-Id"] = str(g.get("request_id", ""))
        # The rule, never the path: paths of some routes hold tokens or record ids.
        route = request.url_rule.rule if request.url_rule else "(none)"
        _REQUESTS.labels(request.method, route, str(response.status_code)).inc()
        if "started" in g:
            _SECONDS.labels(request.method, route).observe(monotonic() - g.started)
        return response

    app.before_request(begin)
    app.after_request(finish)
