"""What may be told of an unexpected error."""

from __future__ import annotations

import traceback


def place_of(error: BaseException) -> str:
    """What failed and where in our code; never the message, which may hold what a person typed."""
    frames = [f"{frame.name}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
    return f"{type(error).__name__} in {' > '.join(frames[-4:])}"
