"""What a photo may be, and what it must not tell: metadata with the place where it was taken is left out."""

from __future__ import annotations

import io
from typing import Any

from server.errors import InvalidInput

FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP"}
"""Media types that are taken, by the name that Pillow gives them."""

_MOST_PIXELS = 64_000_000
_ORIENTATION = 0x0112
_QUALITY: dict[str, dict[str, Any]] = {"image/jpeg": {"quality": "keep"}, "image/webp": {"quality": 90}}
_TELLING = ("exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif", "comment", "photoshop")


def without_places(content: bytes, media_type: str) -> bytes:
    """The same picture without EXIF, XMP and comments, except for which side is up.

    Parameters
    ----------
    content : bytes of a whole file
    media_type : one of `FORMATS`

    Returns
    -------
    bytes
        The content itself where there is nothing to leave out.

    Raises
    ------
    InvalidInput
        Not a picture of this type, or larger than 64 million pixels.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(content), formats=[FORMATS[media_type]]) as image:
            if image.width * image.height > _MOST_PIXELS:
                raise InvalidInput(f"a photo has at most {_MOST_PIXELS} pixels")
            image.load()
            if not any(image.info.get(name) for name in _TELLING) and not getattr(image, "text", None):
                return content
            exif = Image.Exif()
            if (side := image.getexif().get(_ORIENTATION)) is not None:
                exif[_ORIENTATION] = side
            kept = io.BytesIO()
            quality = _QUALITY.get(media_type, {})
            for name in _TELLING:
                image.info.pop(name, None)
            image.save(kept, FORMATS[media_type], exif=exif.tobytes() if side is not None else b"", **quality)
            return kept.getvalue()
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InvalidInput(f"this is no whole picture of type {media_type}") from error
