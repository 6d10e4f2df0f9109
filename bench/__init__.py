"""Measurements and the story of the demo; nothing here is shipped with the server."""
