"""Phones, a server and everything that goes wrong between them, played from one seed: the same seed is the same story.

The phones are those of `sync.device`, the server is the real application in this process, on SQLite. `world` is where it happens, `acts`
what people and faults do, `laws` what must hold when all has settled, `play` tells a story and shortens one that fails.
"""
