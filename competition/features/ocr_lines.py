"""Lines of text read off the frames of a film, each kept once."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

SAME = 0.8  # similarity from which two readings are taken for one line


class Line(NamedTuple):
    """A line as it was read.

    Attributes
    ----------
    text : str
    score : float
        How sure the reader is, 0 to 1.
    """

    text: str
    score: float


def merge_lines(frames: Iterable[Sequence[Line]]) -> list[str]:
    """Return the lines of all frames, in the order in which they first appear.

    A line like one met before, in letters and signs but not in case or spaces, is that line again.
    The reading of it that the reader was surest of is kept.

    Parameters
    ----------
    frames : iterable of sequences of Line
        The lines of each frame in reading order.

    Returns
    -------
    list of str
        No text is empty or holds a ``"|"``, which separates them elsewhere.
    """
    kept: list[Line] = []
    keys: list[str] = []
    places: dict[str, int] = {}  # of every reading met, the line that it is of
    for lines in frames:
        for line in lines:
            text = " ".join(line.text.replace("|", " ").split())
            key = text.casefold().replace(" ", "")
            if not key:
                continue
            place = places.get(key)
            if place is None:
                same = (i for i, known in enumerate(keys) if similarity(known, key) >= SAME)
                place = places[key] = next(same, len(kept))
            if place == len(kept):
                kept.append(Line(text, line.score))
                keys.append(key)
            elif line.score > kept[place].score:
                kept[place], keys[place] = Line(text, line.score), key
    return [line.text for line in kept]


def similarity(a: str, b: str) -> float:
    """One minus the Levenshtein distance of two texts as a share of the longer; 1 for equal ones.

    Texts that cannot reach `SAME` may get any value below it.
    """
    longer = max(len(a), len(b))
    if a == b:
        return 1.0
    # No fewer edits are needed than characters that the one has more of than the other.
    counts_a, counts_b = Counter(a), Counter(b)
    least = max((counts_a - counts_b).total(), (counts_b - counts_a).total())
    if 1 - least / longer < SAME:
        return 1 - least / longer
    before = list(range(len(b) + 1))
    for i, char in enumerate(a, start=1):
        row = [i]
        for j, other in enumerate(b, start=1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (char != other)))
        before = row
    return 1 - before[-1] / longer
