"""Limits on the size of a picture, and its size after scaling."""

from competition.utils.errors import MediaError

MAX_PIXELS = 2**26  # 67 million: an 8K film has 33 million, a 48-megapixel photograph fits


def check_size(width: int, height: int) -> None:
    """Refuse a size of one pixel, which is a placeholder, and one that would fill the memory.

    Raises
    ------
    MediaError
        If the size is refused.
    """
    if width * height == 1:
        raise MediaError("it is a placeholder of 1 x 1 pixels")
    if width * height > MAX_PIXELS:
        raise MediaError(
            f"its {width} x {height} pixels exceed the limit of {MAX_PIXELS:,} for a picture"
        )


def scaled(width: int, height: int, side: int | None) -> tuple[int, int]:
    """Return width and height, scaled down so that the shorter side has at most `side` pixels."""
    shorter = min(width, height)
    if side is None or shorter <= side:
        return width, height
    return round(width * side / shorter), round(height * side / shorter)
