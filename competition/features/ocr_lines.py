"""Lines of text that OCR reads in the frames of a film, without repetitions."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

SAME = 0.8  # least similarity of two readings of one line


class Line(NamedTuple):
    """One reading of a line.

    Attributes
    ----------
    text : str
    score : float
        Confidence of the OCR, 0 to 1.
    """

    text: str
    score: float


def merge_lines(frames: Iterable[Sequence[Line]]) -> list[str]:
    """Return the lines of all frames, in the order of their first appearance.

    Two readings whose texts, without case and spaces, have a similarity of at least `SAME` are of
    one line. The reading with the highest score is kept.

    Parameters
    ----------
    frames : iterable of sequences of Line
        The lines of each frame in reading order.

    Returns
    -------
    list of str
        No text is empty or holds a ``"|"``, which separates lines elsewhere.
    """
    kept: list[Line] = []
    keys: list[str] = []
    places: dict[str, int] = {}  # row in `kept` of every reading
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
    """Return 1 minus the Levenshtein distance as a share of the longer text's length.

    Below `SAME` the value may be larger than that, but stays below `SAME`.
    """
    longer = max(len(a), len(b))
    if a == b:
        return 1.0
    # The distance is at least the number of characters that one text has and the other lacks.
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
