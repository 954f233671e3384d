"""Tags of tables that may be meant otherwise than they are read: each kind is a warning."""

import json
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection

import numpy as np

from competition.datasets.labels import DOUBTFUL, SEPARATORS, CellTags, list_of
from competition.datasets.problems import Problems, shortened
from competition.text.visible import visible
from competition.utils.errors import some

# Stand in names as well: only pieces that are tags by themselves make them separators.
RARE_SEPARATORS = ("\n", " + ", " - ", " & ", "+", "&", "#", " ")
_SHOWN = 3


def warn_of_column(
    name: str, read: CellTags, separator: str, where: str, problems: Problems
) -> None:
    """Warn of a column that may be meant otherwise than it is read."""
    what = f"column {name}"
    if read.n_lists:
        example = next(cell for cell in read.cells if list_of(cell) is not None)
        problems.warning(
            "lists of tags",
            where,
            f"{what}: the cells are lists such as {shortened(example)}: their items are the tags, "
            "and the separator is not used.",
        )
    if any(tag.startswith("[") and tag.endswith("]") for tag in read.found):
        tag = min(tag for tag in read.found if tag.startswith("["))
        problems.warning("lists of tags", where, f"{what}: the tag {tag!r} looks like a list.")
    if read.nulls:
        problems.warning(
            "null words",
            where,
            f"{what}: {_counted(read.nulls)} stand for no tag. If they are tags, declare "
            "null_words = [].",
        )
    doubtful = sorted(tag for tag in read.found if tag.lower() in DOUBTFUL)
    if doubtful:
        problems.warning(
            "null words",
            where,
            f"{what}: {some(map(repr, doubtful))} are read as tags. If they mean that there is "
            f"none, declare null_words = {json.dumps(doubtful, ensure_ascii=False)}.",
        )
    if not read.n_lists:
        _warn_of_separator(what, read, separator, where, problems)


def _warn_of_separator(
    what: str, read: CellTags, separator: str, where: str, problems: Problems
) -> None:
    """Warn of tags that another character joins: their pieces are tags elsewhere."""
    used = any(separator in cell for cell in read.cells)
    for other in (*SEPARATORS, *RARE_SEPARATORS):
        if other == separator:
            continue
        joined = {tag: pieces_of(tag, other) for tag in read.found if other in tag}
        fused = fused_tags(read.found, other)
        pieces = {piece for parts in joined.values() for piece in parts}
        shared = not used and len(joined) > 1 and len(pieces) < len(joined) + 1
        if not (fused or (shared and other in SEPARATORS)):
            continue
        codes = [code for code, cell in enumerate(read.cells) if other in cell]
        count = int(np.isin(read.codes, codes).sum())
        none = "" if used else f"no cell holds the separator {separator!r}, but "
        problems.warning(
            "fused tags",
            where,
            f"{what}: {none}{count:,} cells hold {other!r}, such as "
            f"{shortened(min(fused or joined))!r}: tags may be fused. Declare separator = "
            f"{json.dumps(other, ensure_ascii=False)}.",
        )
        if other in RARE_SEPARATORS:
            return  # " + " holds "+" and " " too


def fused_tags(
    tags: Collection[str], separator: str, known: Collection[str] | None = None
) -> dict[str, list[str]]:
    """Return the tags that a separator divides into several that stand alone elsewhere.

    Parameters
    ----------
    tags : collection of str
    separator : str
    known : collection of str, optional
        Tags that there are; by default those of `tags` that the separator does not divide.
    """
    divided = {tag: pieces_of(tag, separator) for tag in tags}
    alone = {parts[0] for parts in divided.values() if len(parts) == 1}
    there = alone if known is None else set(known)
    return {tag: parts for tag, parts in divided.items() if len(parts) > 1 and there >= {*parts}}


def pieces_of(tag: str, separator: str) -> list[str]:
    return [piece.strip() for piece in tag.split(separator) if piece.strip()]


def warn_of_look_alikes(counts: dict[str, int], where: str, problems: Problems) -> None:
    """Warn of tags that differ by case, width, white space or invisible characters alone."""
    alike: dict[str, list[str]] = defaultdict(list)
    for tag in counts:
        alike[_looks(tag)].append(tag)
    for tags in alike.values():
        if len(tags) > 1:
            listed = ", ".join(f"{ascii_if_hidden(tag)} ({counts[tag]:,})" for tag in sorted(tags))
            problems.warning(
                "tags that look alike",
                where,
                f"{listed} count as {len(tags)} tags, and differ by capitals, width, white space "
                "or invisible characters alone. Write them alike if they are one tag.",
            )


def ascii_if_hidden(tag: str) -> str:
    """Return a tag in quotes, escaped where it holds what cannot be seen."""
    hidden = any(unicodedata.category(character) in ("Cf", "Cc", "Zs") for character in tag)
    return ascii(tag) if hidden and not tag.isprintable() else repr(tag)


def _looks(tag: str) -> str:
    text = unicodedata.normalize("NFKC", tag).casefold()
    shown = "".join(c for c in visible(text) if unicodedata.category(c) != "Cc" or c.isspace())
    return " ".join(shown.split())


def _counted(words: Counter[str]) -> str:
    return ", ".join(f"{count:,} {word!r}" for word, count in words.most_common(_SHOWN))
