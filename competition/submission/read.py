"""Read leaderboard files as the official scorer reads them, with better messages.

A file has one of three formats, which its content shows:

``taac2021``
    ``{"<id>.mp4": {"result": [{"labels": [tag, ...], "scores": ["0.98", ...]}]}}``, best tag first.
``wide``
    CSV: the id, and the score of every tag in a column of its own, headed by the tag. Semicolons or
    tabs may stand for commas, and the id in any column that is headed like it. A column that is no
    tag, and is 0 throughout, is left out.
``youtube8m``
    CSV with the header ``VideoId,LabelConfidencePairs``: the id, then ``tag score tag score ...``,
    best tag first.

In the first and the last, a tag that is not listed has a score of 0.
"""

import contextlib
import csv
import io
import json
import math
import zipfile
import zlib
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from competition.datasets.encodings import packing, unpacked
from competition.datasets.reading import DELIMITERS
from competition.utils.errors import SubmissionError, nearest

PAIRS_HEADER = ["VideoId", "LabelConfidencePairs"]
_ENTRY = '{"result": [{"labels": [...], "scores": [...]}]}'


@dataclass(frozen=True, eq=False)
class Submission:
    """The content of a leaderboard file.

    Attributes
    ----------
    ids : tuple of str
        In the order of the file; without ".mp4" in the format ``taac2021``.
    tags : tuple of str
    scores : ndarray of shape (n_ads, n_tags), dtype float64
    """

    ids: tuple[str, ...]
    tags: tuple[str, ...]
    scores: np.ndarray


@dataclass(frozen=True)
class _Entry:
    """One ad of a file, its scores still as written."""

    ad: str
    where: str
    labels: Sequence[Any]
    scores: Sequence[Any]


def read_submission(
    path: Path, tags: Sequence[str] | None = None, top_k: int = 20, id_column: str = "id"
) -> Submission:
    """Read a leaderboard file of any format.

    If an ad lists a tag twice, the last score counts.

    Parameters
    ----------
    path : Path
    tags : sequence of str, optional
        The tags that may occur, in the order of the result's columns; by default those of the file
        in the order of their first appearance. Tags with spaces are read from ``youtube8m`` only
        where they are given.
    top_k : int
        Tags that an ad must list in the format ``taac2021``; all where there are fewer.
    id_column : str
        Header of the ids in the format ``wide``; else they are in ``id``, else in the first column.

    Raises
    ------
    SubmissionError
        If the official scorer would reject the file, or it names an ad twice. The message names
        the ad, and the row of a CSV.
    """
    return parse_submission(read_text(path), path, tags, top_k, id_column)


def without_mp4(name: str) -> str:
    """Return the id of an ad from the name of its video; an id stays as it is."""
    return name.removesuffix(".mp4")


def read_text(path: Path) -> str:
    """Return the UTF-8 text of a file, packed or not; SubmissionError where there is none."""
    if path.exists() and not path.is_file():
        raise SubmissionError(f"{path} is a folder, a device or a pipe. Give a file.")
    try:
        with unpacked(path, packing(path)) as file:
            return file.read().decode("utf-8-sig")
    except OSError as error:
        raise SubmissionError(f"{path} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise SubmissionError(
            f"{path} is not UTF-8 text: {error.reason} at byte {error.start}. Save it as UTF-8."
        ) from error
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:  # of an archive
        raise SubmissionError(f"{path} cannot be unpacked: {error}. Unpack it yourself.") from error


def csv_rows(text: str, path: Path, delimiter: str = ",") -> list[tuple[int, list[str]]]:
    """Return the numbered rows of a CSV, header first; SubmissionError if one has gaps."""
    rows = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for number, cells in enumerate(reader, start=1):
            if cells:
                rows.append((number, cells))
    except csv.Error as error:
        fault = f"{path}, line {reader.line_num} is not valid CSV: {error}. Correct its quotes."
        raise SubmissionError(fault) from error
    if len(rows) < 2:
        raise SubmissionError(f"{path} holds no ads. Give a header and one row per ad.")
    width = len(rows[0][1])
    for number, cells in rows:
        if len(cells) != width:
            raise SubmissionError(
                f"{path}, row {number} has {len(cells)} fields and the header {width}. Quote the "
                "fields that contain commas, and complete rows that were cut off."
            )
    return rows


def delimiter_of(text: str, tags: Collection[str]) -> str:
    """Return what separates the columns of a CSV: most tags are columns, or there are several."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    known = set(tags)

    def fit(delimiter: str) -> tuple[int, bool]:
        cells = next(csv.reader([first], delimiter=delimiter), [])
        return len(known & {*cells}), len(cells) > 1

    return max(DELIMITERS, key=fit)


def id_place(header: Sequence[str], id_column: str) -> int:
    """Return the column of the ids."""
    names = [name.strip() for name in header]
    return next((names.index(name) for name in (id_column, "id") if name in names), 0)


def parse_submission(
    text: str, path: Path, tags: Sequence[str] | None, top_k: int, id_column: str = "id"
) -> Submission:
    is_json = text.lstrip().startswith(("{", "["))
    entries = _taac_entries(text, path) if is_json else _csv_entries(text, path, tags, id_column)
    columns = {tag: column for column, tag in enumerate(tags or ())}
    rows: dict[str, dict[int, float]] = {}
    shortest: tuple[int, str] | None = None
    for entry in entries:
        if entry.ad in rows:
            raise SubmissionError(f"{entry.where} is in the file twice. Remove one of the two.")
        row = rows[entry.ad] = {}
        for tag, score in zip(entry.labels, entry.scores, strict=True):
            if tags is None and isinstance(tag, str):
                columns.setdefault(tag, len(columns))
            if not isinstance(tag, str) or tag not in columns:
                raise SubmissionError(
                    f"{entry.where} lists the tag {tag!r}, which is not one of the {len(columns)} "
                    f"known tags.{nearest(str(tag), list(columns))}"
                )
            row[columns[tag]] = _number(score, tag, entry.where)
        if shortest is None or len(entry.labels) < shortest[0]:
            shortest = len(entry.labels), entry.where
    if shortest is None:
        raise SubmissionError(f"{path} holds no ads. Write one entry per ad.")
    needed = min(top_k, len(columns))
    if is_json and shortest[0] < needed:
        raise SubmissionError(
            f"{shortest[1]} lists {shortest[0]} tags. List at least {needed}, best first."
        )
    scores = np.zeros((len(rows), len(columns)))
    for place, row in enumerate(rows.values()):
        scores[place, list(row)] = list(row.values())
    return Submission(tuple(rows), tuple(columns), scores)


def _number(value: Any, tag: str, where: str) -> float:
    number = math.nan
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        with contextlib.suppress(ValueError, OverflowError):
            number = float(value)
    if math.isnan(number):
        raise SubmissionError(
            f"{where} has the score {value!r} for the tag {tag!r}. Write a number, such as 0.25."
        )
    return number


def _taac_entries(text: str, path: Path) -> Iterator[_Entry]:
    try:
        content = json.loads(text, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as error:
        raise SubmissionError(
            f"{path} is not valid JSON: {error}. Write it again, whole and with every key once."
        ) from error
    if not isinstance(content, dict):
        raise SubmissionError(
            f'{path} holds a JSON list. It must be {{"<id>.mp4": {_ENTRY}, ...}}.'
        )
    for name, entry in content.items():
        where = f"{path}: ad {without_mp4(name)!r}"
        result = entry.get("result") if isinstance(entry, dict) else None
        if not isinstance(result, list) or len(result) != 1 or not isinstance(result[0], dict):
            raise SubmissionError(f'{where} has no "result" with one entry. Write {_ENTRY}.')
        labels, scores = result[0].get("labels"), result[0].get("scores")
        if not isinstance(labels, list) or not isinstance(scores, list):
            raise SubmissionError(f'{where} lacks a list "labels" or "scores". Write {_ENTRY}.')
        if len(labels) != len(scores):
            raise SubmissionError(
                f"{where} lists {len(labels)} labels and {len(scores)} scores. Give each label one."
            )
        yield _Entry(without_mp4(name), where, labels, scores)


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        counts = Counter(key for key, _ in pairs)
        twice = next(key for key, count in counts.items() if count > 1)
        raise ValueError(f"the key {twice!r} is in it twice")
    return content


def _csv_entries(
    text: str, path: Path, tags: Sequence[str] | None, id_column: str
) -> Iterator[_Entry]:
    (_, header), *rows = csv_rows(text, path, delimiter_of(text, tags or ()))
    place = id_place(header, id_column)
    others = [column for column in range(len(header)) if column != place]
    names = [header[column] for column in others]
    is_pairs = [name.strip().lower() for name in header] == [name.lower() for name in PAIRS_HEADER]
    counts = Counter(names)
    repeated = [name for name, count in counts.items() if count > 1]
    missing = [tag for tag in tags or () if tag not in counts]
    if len(names) == 1 and missing and len(missing) == len(tags or ()) and not is_pairs:
        raise SubmissionError(
            f"{path} has the columns {', '.join(header)}, and none of them is a tag. If it lists "
            "the tags of each ad, it has no scores, which a GAP needs: score the file that `stack` "
            "writes without --like."
        )
    if not names or repeated or (missing and not is_pairs):
        fault = f"has two columns {repeated[0]!r}" if repeated else "has no column for a tag"
        fault = f"{fault}, such as {missing[0]!r}" if missing and not repeated else fault
        raise SubmissionError(f"{path} {fault}. Give the id, then one column for each tag.")
    most_words = 1 + max((tag.count(" ") for tag in tags or ()), default=0)
    known = set(tags or names)
    kept = [
        column
        for column, name in zip(others, names, strict=True)
        if is_pairs or name in known or any(_is_not_0(row[column]) for _, row in rows)
    ]
    listed = [header[column] for column in kept]
    for number, row in rows:
        ad = row[place]
        where = f"{path}, row {number}: ad {ad!r}"
        if is_pairs:
            yield _Entry(ad, where, *_pairs(row[others[0]], where, tags or (), most_words))
        else:
            yield _Entry(ad, where, listed, [row[column] for column in kept])


def _is_not_0(cell: str) -> bool:
    try:
        return float(cell) != 0
    except ValueError:
        return True


def _pairs(
    text: str, where: str, tags: Collection[str], most_words: int
) -> tuple[list[str], list[str]]:
    """Split ``tag score tag score``; where several known tags fit, the longest is meant."""
    words = text.rstrip(" ").split(" ") if text else []
    labels, scores = [], []
    while words:
        lengths = range(most_words, 0, -1)
        length = next((n for n in lengths if " ".join(words[:n]) in tags), 1)
        if length >= len(words):
            raise SubmissionError(
                f"{where} lists {words[0]!r} without a score. Write pairs of a tag and its score; "
                "where tags contain spaces, the dataset must be given for them to be known."
            )
        labels.append(" ".join(words[:length]))
        scores.append(words[length])
        words = words[length + 1 :]
    return labels, scores
