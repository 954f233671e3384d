"""How large a picture may be, and how large it is made."""

from competition.utils.errors import MediaError

MAX_PIXELS = 2**26  # 67 million: an 8K film has 33 million, a 48-megapixel photograph fits


def check_size(width: int, height: int) -> None:
    """Refuse a placeholder of one pixel, and what would fill the memory.

    Raises
    ------
    MediaError
    """
    if width * height == 1:
        raise MediaError("it is a placeholder of 1 x 1 pixels")
    if width * height > MAX_PIXELS:
        raise MediaError(
            f"{width} x {height} pixels are more than the {MAX_PIXELS:,} that a picture may have"
        )


def scaled(width: int, height: int, side: int | None) -> tuple[int, int]:
    """Return the width and height at which the shorter side has `side` pixels, if it has more."""
    shorter = min(width, height)
    if side is None or shorter <= side:
        return width, height
    return round(width * side / shorter), round(height * side / shorter)
