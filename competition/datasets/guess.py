"""What the columns of unknown tables probably are: ids, files, texts, metadata or tags."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from competition.datasets.base import InputKind
from competition.datasets.labels import FLAGS, SEPARATORS, list_of
from competition.datasets.metadata import NULL_AMONG_NUMBERS, NUMERIC_SHARE, is_null
from competition.datasets.numerals import plain_numbers, read_numerals
from competition.datasets.paths import DatasetFolder, is_url

ENDINGS: dict[InputKind, tuple[str, ...]] = {
    "image": (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic"),
    "video": (".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v", ".mpg", ".mpeg", ".flv", ".wmv"),
    "audio": (".mp3", ".wav", ".flac", ".ogg", ".m4a", ".aac", ".opus"),
    "array": (".npy",),
}
IDS = ("id", "ad_id", "image_id", "video_id", "item_id", "uid", "index")
GROUPS = ("group", "source", "artist", "campaign", "advertiser", "brand", "author", "user", "owner")
TAGS = re.compile(
    r"tags?|labels?|genres?|categor(y|ies)|class(es)?|topics?|themes?|moods?|targets?|sentiments?",
    re.IGNORECASE,
)
IDEOGRAPHS = "[\\u3040-\\u30ff\\u3400-\\u9fff]"  # two make about a word
SAMPLE = 200  # cells of a column whose files are looked for
FEW_WORDS = 3.0  # a text has more on average, or is written without spaces and is longer than
SHORT = 12
DISTINCT = 0.5  # names have more distinct cells than this share; a category has fewer
REPEATED = 2.0  # ads that a tag has on average

Kind = InputKind | Literal["flag", "url", "constant"]


@dataclass(frozen=True)
class Guess:
    """What a column probably is.

    Attributes
    ----------
    name : str
    kind : InputKind, "flag", "url" or "constant"
        A flag has 0 and 1; a constant has one value, or none.
    separator : str or None
        Between several paths of a cell.
    doubt : str
        A sentence for the user where the guess is not sure; "" where it is.
    """

    name: str
    kind: Kind
    separator: str | None = None
    doubt: str = ""


def guess_id(train: pd.DataFrame, test: pd.DataFrame | None) -> str | None:
    """Return the column whose cells are filled and differ, in either table; the likeliest name."""

    def is_id(name: str) -> bool:
        tables = [train] if test is None or name not in test else [train, test]
        distinct = [(set(table[name]), len(table)) for table in tables]
        return all("" not in words and len(words) == n for words, n in distinct)

    candidates = [str(name) for name in train.columns if is_id(str(name))]
    if test is not None:
        candidates = [name for name in candidates if name in test] or candidates
    named = [name for name in candidates if name.lower() in IDS or name.lower().endswith("id")]
    order = sorted(named, key=lambda name: (name.lower() not in IDS, candidates.index(name)))
    return next(iter([*order, *candidates]), None)


def guess_column(name: str, cells: pd.Series, folder: DatasetFolder) -> Guess:
    """Say what a column that is neither the id nor tags probably is.

    Parameters
    ----------
    name : str
    cells : Series of str
    folder : DatasetFolder
        Where files would lie.
    """
    distinct = {cell.lower() for cell in cells}
    if distinct - {""} <= FLAGS and len(distinct - {""}) > 1:  # at once: there may be thousands
        return Guess(name, "flag")
    filled = cells[~is_null(cells, NULL_AMONG_NUMBERS)]
    words = filled.drop_duplicates()
    if len(words) < 2:
        return Guess(name, "constant")
    files = _guess_files(name, words.iloc[:SAMPLE].tolist(), folder)
    if files is not None:
        return files
    if distinct - NULL_AMONG_NUMBERS - {""} <= FLAGS:
        return Guess(name, "flag")
    if plain_numbers(words).notna().mean() >= NUMERIC_SHARE:
        return Guess(name, "metadata")
    if read_numerals(words, np.ones(len(words))).values.notna().mean() >= NUMERIC_SHARE:
        return Guess(name, "metadata")
    n_words = 1 + filled.str.count(r"\s+").mean() + filled.str.count(IDEOGRAPHS).mean() / 2
    n_letters = filled.str.len().mean()
    if n_words > FEW_WORDS or (n_words < 1.5 and n_letters > SHORT and not _is_code(words)):
        return Guess(name, "text")
    if len(words) > DISTINCT * len(filled):
        if _is_code(words):
            doubt = f"{name}: nearly every cell differs and none is a word: it is left out."
            return Guess(name, "constant", doubt=doubt)
        return Guess(name, "text", doubt=f"{name}: short texts, or a category of very many values.")
    return Guess(name, "metadata")


def _is_code(words: pd.Series) -> bool:
    """Whether cells are codes such as ``a81f-03``: no spaces, and digits in most."""
    return bool((words.str.contains(r"\d") & ~words.str.contains(r"\s")).mean() > 0.5)


def _guess_files(name: str, cells: list[str], folder: DatasetFolder) -> Guess | None:
    if sum(is_url(cell) for cell in cells) > len(cells) / 2:
        text = f"{name}: URLs are not downloaded. Download the files, and give their paths."
        return Guess(name, "url", doubt=text)
    best: tuple[int, str | None, list[str]] = (0, None, [])
    for separator in (None, *SEPARATORS[:4], " "):
        found = [path for cell in cells for path in folder.files(cell, separator)]
        there = [path for path in found if folder.path_inside(path, media=True) is None]
        if len(there) > best[0]:
            best = len(there), separator, there
    n_there, separator, there = best
    named = [cell for cell in cells if kind_of(cell) is not None]
    if 2 * n_there < len(cells) and 2 * len(named) < len(cells):
        return None
    kinds = pd.Series([kind_of(path) for path in there or named]).value_counts()
    kind = next((one for one in ENDINGS if len(kinds) and one == kinds.index[0]), None)
    if kind is None:
        return None
    doubt = "" if there else f"{name}: paths of files, and none of those tried is there."
    return Guess(name, kind, separator, doubt)


def kind_of(path: str) -> InputKind | None:
    """Return the kind of file that a path's ending says."""
    ending = Path(path).suffix.lower()
    return next((kind for kind, endings in ENDINGS.items() if ending in endings), None)


def tag_columns_of(
    train: pd.DataFrame, others: Collection[str], guesses: Sequence[Guess]
) -> tuple[list[str], list[str]]:
    """Return the columns that hold tags, and those that are one tag each.

    Parameters
    ----------
    train : DataFrame of str
    others : collection of str
        Columns of the test table: tags are not among them. Empty where there is none.
    guesses : sequence of Guess
        Of the columns that may hold tags.
    """
    lone = [guess for guess in guesses if guess.name not in others]
    flags = [guess.name for guess in lone if guess.kind == "flag"]
    named = [guess.name for guess in lone if TAGS.search(guess.name)]
    listed = [
        guess.name
        for guess in lone
        if guess.kind in ("text", "metadata")
        and (others or guess.name in named)
        and (guess.name in named or not are_numbers(train[guess.name]))
        and _repeats(train[guess.name])
    ]
    if len(flags) == 1 and flags[0] not in named and listed:
        flags = []
    return listed, flags if others or len(flags) > 1 or set(flags) & set(named) else []


def are_numbers(cells: pd.Series) -> bool:
    """Return whether all filled cells are numbers; of tags they are those of classes."""
    return bool(plain_numbers(cells[cells != ""]).notna().all())


def _repeats(cells: pd.Series) -> bool:
    """Whether the pieces of the cells occur again and again, as tags do and names do not."""
    pieces = pieces_of(cells, guess_separator(cells))
    return bool(len(pieces) >= REPEATED * max(1, len(set(pieces))))


def guess_separator(cells: pd.Series) -> str | None:
    """Return what stands between the tags of a cell; None for lists, or where nothing does."""
    words = cells[cells != ""].drop_duplicates().tolist()
    if 2 * sum(list_of(word) is not None for word in words) > len(words):
        return None
    n_plain = len(set(words))

    def vocabulary(separator: str) -> int:
        return len({piece.strip() for word in words for piece in word.split(separator)} - {""})

    used = [one for one in SEPARATORS if sum(one in word for word in words) > len(words) / 10]
    best = min(used, key=vocabulary, default=None)
    return best if best is not None and vocabulary(best) < n_plain else None


def pieces_of(cells: pd.Series, separator: str | None) -> list[str]:
    """Return the tags of all cells, one after the other."""

    def split(cell: str) -> list[str]:
        return cell.split(separator) if separator else list_of(cell) or [cell]

    return [piece.strip() for cell in cells for piece in split(cell) if piece.strip()]


def guess_group(train: pd.DataFrame, names: Sequence[str]) -> str | None:
    """Return a column that says which ads belong together, by its name and its repeated cells."""
    for name in names:
        cells = train[name][train[name] != ""]
        if name.lower() in GROUPS and 1 < cells.nunique() < len(cells):
            return name
    return None
