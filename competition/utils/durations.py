"""Lengths of time, as a user writes them and as they are shown."""

import re

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_FORM = re.compile(r"(\d+(?:\.\d+)?)([smh])")


def seconds_of(text: str) -> float:
    """Read a length of time.

    Raises
    ------
    ValueError
        If it is not a number above 0 with s, m or h behind it.

    Examples
    --------
    >>> seconds_of("90s"), seconds_of("20m"), seconds_of("1.5h")
    (90.0, 1200.0, 5400.0)
    """
    found = _FORM.fullmatch(text.strip())
    seconds = float(found[1]) * _UNITS[found[2]] if found else 0.0
    if not 0 < seconds < float("inf"):
        raise ValueError("give a number above 0 with s, m or h behind it, like 90s, 20m or 1.5h")
    return seconds


def about(seconds: float) -> str:
    """Say about how long something takes, no finer than an estimate is worth.

    Examples
    --------
    >>> about(0.2), about(7.3), about(48), about(130), about(5000), about(86400)
    ('1 s', '7 s', '50 s', '2 min', '1.4 h', '24 h')
    """
    if seconds < 10:
        return f"{max(1, round(seconds))} s"
    if seconds < 95:
        return f"{max(10, round(seconds, -1)):.0f} s"
    if seconds < 3600:
        minutes = seconds / 60
        return f"{round(minutes) if minutes < 10 else 5 * round(minutes / 5)} min"
    hours = seconds / 3600
    return f"{hours:.1f} h" if hours < 10 else f"{hours:.0f} h"
