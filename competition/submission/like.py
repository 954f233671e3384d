"""Leaderboard files in the very form of a competition's own sample submission.

The sample gives header, rows, order and form; every prediction in it is replaced. Its forms:

``wide``
    A table of the ids and a column for every tag of the dataset. A column that is no tag of the
    dataset is a tag that nothing was learned about: it gets 0, with a remark.
``long``
    A table of the ids and one column with the tags of an ad, best first. What stands between two
    tags, and how many an ad lists at most, is as in the sample.
``youtube8m``, ``taac2021``
    As in `competition.submission.read`.
"""

import csv
import io
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from competition.datasets.base import AdDataset
from competition.submission.read import (
    PAIRS_HEADER,
    csv_rows,
    delimiter_of,
    id_place,
    read_text,
    without_mp4,
)
from competition.utils.errors import SubmissionError, nearest, some
from competition.utils.files import written_whole

SEPARATORS = (", ", "; ", " | ", "|", ",", ";", "/", "\t", " ")
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Sample:
    """A sample submission, without its predictions.

    Attributes
    ----------
    path : Path
    form : {"wide", "long", "youtube8m", "taac2021"}
    ids : tuple of str
        As they are written, in the order of the file.
    header : tuple of str
        Of a table.
    id_place : int
        Column of the ids.
    delimiter, newline : str
    has_bom : bool
    separator : str
        Between two tags of a cell, in the form ``long``; "" where each has one.
    n_listed : int
        Most tags that an ad lists; 0 in the form ``wide``.
    has_texts : bool
        Whether scores are texts, in the form ``taac2021``.
    unknown : tuple of str
        Columns that are no tags of the dataset, in the form ``wide``.
    """

    path: Path
    form: Literal["wide", "long", "youtube8m", "taac2021"]
    ids: tuple[str, ...]
    header: tuple[str, ...] = ()
    id_place: int = 0
    delimiter: str = ","
    newline: str = "\n"
    has_bom: bool = False
    separator: str = ""
    n_listed: int = 0
    has_texts: bool = True
    unknown: tuple[str, ...] = ()

    @property
    def remark(self) -> str:
        """What a user should know of it; "" for nothing."""
        if not self.unknown:
            return ""
        return (
            f"{self.path}: {len(self.unknown)} of its columns are no tags of the dataset "
            f"({some(self.unknown)}): every ad gets 0 there. If they are tags that no training ad "
            "carries, that is right."
        )


def read_sample(path: Path, dataset: AdDataset, ids: Sequence[str]) -> Sample:
    """Read a sample submission and compare it with the dataset.

    Parameters
    ----------
    path : Path
    dataset : AdDataset
        Its tags have to be in the sample.
    ids : sequence of str
        The ads that a submission lists.

    Raises
    ------
    SubmissionError
        If it cannot be read, lacks a tag, or lists other ads.
    """
    text = read_text(path)
    is_json = text.lstrip().startswith("{")
    sample = _json_sample(text, path, dataset) if is_json else _table_sample(text, path, dataset)
    listed = [_key(ad, sample.form) for ad in sample.ids]
    wanted = {_key(ad, sample.form) for ad in ids}
    known = set(listed)
    twice = [ad for ad in known if listed.count(ad) > 1] if len(known) < len(listed) else []
    missing = [ad for ad in ids if _key(ad, sample.form) not in known]
    extra = [ad for ad in listed if ad not in wanted]
    faults = [
        f"{fault} {len(ads):,} ad(s) ({some(sorted(ads))})"
        for fault, ads in (
            ("names twice", twice),
            ("lacks", missing),
            ("lists, beside the test ads of the dataset,", extra),
        )
        if ads
    ]
    if faults:
        raise SubmissionError(
            f"{path} {' and '.join(faults)}. Give the sample submission of these test ads, and the "
            "test table that goes with it."
        )
    return sample


def write_like(
    path: Path, sample: Sample, tags: list[str], ids: Sequence[str], scores: np.ndarray
) -> None:
    """Write a leaderboard file in the form of a sample, whole or not at all.

    Parameters
    ----------
    path : Path
    sample : Sample
    tags : list of n_tags str
    ids : sequence of n_ads str
        The ads of the sample, in any order.
    scores : ndarray of shape (n_ads, n_tags)
        Finite, at least 0. Of equal ones the first of `tags` is listed first.
    """
    place_of = {_key(ad, sample.form): place for place, ad in enumerate(ids)}
    scores = np.asarray(scores, dtype=np.float64)
    scores = scores[[place_of[_key(ad, sample.form)] for ad in sample.ids]]
    best = np.argsort(-scores, axis=1, kind="stable")[:, : sample.n_listed]
    form = _json_text if sample.form == "taac2021" else _table_text
    text = form(sample, tags, best, scores)
    with written_whole(path) as temporary:
        temporary.write_bytes((BOM if sample.has_bom else b"") + text.encode())


def _key(ad: str, form: str) -> str:
    return without_mp4(ad) if form == "taac2021" else ad.strip()


def _json_sample(text: str, path: Path, dataset: AdDataset) -> Sample:
    try:
        content = json.loads(text)
        entries: list[Any] = [entry["result"][0] for entry in content.values()]
        longest = max(len(entry["labels"]) for entry in entries)
        texts = [isinstance(score, str) for entry in entries for score in entry["scores"]]
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as bad:
        raise SubmissionError(
            f"{path} is no sample in JSON that is known ({bad!r}): it must be "
            '{"<id>.mp4": {"result": [{"labels": [...], "scores": [...]}]}, ...}.'
        ) from bad
    n_listed = longest or dataset.submission.top_k
    return Sample(path, "taac2021", tuple(content), n_listed=n_listed, has_texts=all(texts))


def _table_sample(text: str, path: Path, dataset: AdDataset) -> Sample:
    delimiter = delimiter_of(text, dataset.tag_names)
    (_, header), *rows = csv_rows(text, path, delimiter)
    names = [name.strip() for name in header]
    ids_in = id_place(header, dataset.submission.id_column)
    cells = [row for _, row in rows]
    others = [name for place, name in enumerate(names) if place != ids_in]
    common = Sample(
        path=path,
        form="wide",
        ids=tuple(row[ids_in] for row in cells),
        header=tuple(header),
        id_place=ids_in,
        delimiter=delimiter,
        newline="\r\n" if "\r\n" in text else "\n",
        has_bom=path.read_bytes().startswith(BOM),
    )
    tags = dataset.tag_names
    missing = [tag for tag in tags if tag not in others]
    if len(missing) < len(tags):
        unknown = tuple(name for name in others if name not in tags)
        if missing:
            raise SubmissionError(
                f"{path} has no column for {len(missing)} tag(s) of the dataset ({some(missing)})."
                f"{nearest(missing[0], unknown)} Rename the tags as in the sample, or leave those "
                "that are not asked for out of the dataset."
            )
        return replace(common, unknown=unknown)
    if len(others) != 1:
        raise SubmissionError(
            f"{path} has the columns {some(names)}, and none is a tag of the dataset, such as "
            f"{tags[0]!r}. Give a column for each tag, or the ids and one column of tags."
        )
    column = [row[1 - ids_in] for row in cells]
    if [name.lower() for name in names] == [name.lower() for name in PAIRS_HEADER]:
        n_listed = max(len(cell.split()) // 2 for cell in column) or dataset.submission.top_k
        return replace(common, form="youtube8m", n_listed=n_listed)
    separator = _separator(path, column, tags)
    n_listed = max(len(_split(cell, separator)) for cell in column)
    return replace(common, form="long", separator=separator, n_listed=n_listed)


def _separator(path: Path, cells: list[str], tags: Collection[str]) -> str:
    """Return what stands between the tags of a cell, so that most pieces are tags."""
    known = set(tags)
    if all(not cell.strip() or cell.strip() in known for cell in cells) and any(cells):
        return ""  # one tag each: nothing stands between
    shares = {}
    for separator in SEPARATORS:
        pieces = [piece for cell in cells for piece in _split(cell, separator)]
        n_known = sum(piece in known for piece in pieces)
        shares[separator] = n_known if pieces and 2 * n_known > len(pieces) else 0
    best = max(SEPARATORS, key=lambda one: shares[one])
    if not shares[best]:
        example = next((cell for cell in cells if cell.strip()), "")
        raise SubmissionError(
            f"{path}: its cells hold {example[:60]!r}, not tags of the dataset, such as "
            f"{min(known)!r}: how tags are listed, and how many, cannot be seen. Fill in tags."
        )
    return best


def _split(cell: str, separator: str) -> list[str]:
    return [piece for piece in (cell.split(separator) if separator else [cell]) if piece.strip()]


def _json_text(sample: Sample, tags: list[str], best: np.ndarray, scores: np.ndarray) -> str:
    content = {}
    for ad, columns, row in zip(sample.ids, best.tolist(), scores.tolist(), strict=True):
        numbers = [repr(row[column]) if sample.has_texts else row[column] for column in columns]
        labels = [tags[column] for column in columns]
        content[ad] = {"result": [{"labels": labels, "scores": numbers}]}
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def _table_text(sample: Sample, tags: list[str], best: np.ndarray, scores: np.ndarray) -> str:
    column_of = {tag: column for column, tag in enumerate(tags)}
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=sample.delimiter, lineterminator=sample.newline)
    writer.writerow(sample.header)
    names = [column_of.get(name.strip()) for name in sample.header]
    for ad, columns, row in zip(sample.ids, best.tolist(), scores.tolist(), strict=True):
        if sample.form == "wide":
            cells = ["0.0" if column is None else repr(row[column]) for column in names]
        elif sample.form == "long":
            cells = [sample.separator.join(tags[column] for column in columns)] * 2
        else:
            cells = [" ".join(f"{tags[column]} {row[column]!r}" for column in columns)] * 2
        cells[sample.id_place] = ad
        writer.writerow(cells)
    return text.getvalue()
