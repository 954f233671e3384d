"""Write leaderboard files: to the last digit, and read back before they appear.

`competition.submission.read` shows what the formats look like.
"""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from competition.datasets.base import SubmissionFormat, SubmissionSpec
from competition.submission.read import (
    PAIRS_HEADER,
    Submission,
    parse_submission,
    read_text,
    without_mp4,
)
from competition.utils.errors import SubmissionError
from competition.utils.files import written_whole


def write_submission(
    path: Path, spec: SubmissionSpec, tags: list[str], ids: list[str], scores: np.ndarray
) -> None:
    """Write a leaderboard file, read it back, and keep it only if it holds the same scores.

    Parameters
    ----------
    path : Path
    spec : SubmissionSpec
        The format, and how many tags of an ad are listed (all of them in the format ``wide``).
        Tags of equal score are listed in the order of `tags`.
    tags : list of n_tags str
    ids : list of n_ads str
    scores : ndarray of shape (n_ads, n_tags)

    Raises
    ------
    SubmissionError
        If the shapes do not fit, an ad or tag is named twice, a score is not finite, or the format
        cannot hold the scores. `path` is then left as it was.
    """
    scores = np.asarray(scores)
    _check_writable(path, tags, ids, scores)
    chosen, scores = FORMATS[spec.format], scores.astype(np.float64)
    if chosen.names_videos:
        ids = [without_mp4(ad) for ad in ids]
    if chosen.lists_best:
        best = np.argsort(-scores, axis=1, kind="stable")[:, : spec.top_k]
        listed = np.take_along_axis(scores, best, axis=1)
        if listed.shape != scores.shape and (listed < 0).any():
            row = int(np.argmax((listed < 0).any(axis=1)))
            raise SubmissionError(
                f"{path}: ad {ids[row]!r} would list a negative score, which ranks below the 0 of "
                f"the tags that {spec.format} does not list. Give scores of at least 0."
            )
        names = [[tags[column] for column in row] for row in best.tolist()]
        scores = np.zeros_like(scores)
        np.put_along_axis(scores, best, listed, axis=1)
    else:
        names, listed = [tags] * len(ids), scores
    text = chosen.text(ids, names, [[*map(repr, row)] for row in listed.tolist()], spec.id_column)
    with written_whole(path) as temporary:
        temporary.write_bytes(text.encode())
        _check_written(temporary, path, Submission(tuple(ids), tuple(tags), scores), spec.top_k)


def _check_writable(path: Path, tags: list[str], ids: list[str], scores: np.ndarray) -> None:
    if scores.shape != (len(ids), len(tags)) or scores.dtype.kind not in "biuf":
        raise SubmissionError(
            f"{path}: scores must be numbers of shape (n_ads, n_tags) = ({len(ids)}, {len(tags)}), "
            f"got {scores.dtype} of shape {scores.shape}."
        )
    if not scores.size:
        raise SubmissionError(f"{path}: there are no ads or no tags to write.")
    for what, names in {"ad": [without_mp4(ad) for ad in ids], "tag": tags}.items():
        seen: set[str] = set()
        for row, name in enumerate(names):
            if not name or "\r" in name:
                raise SubmissionError(
                    f"{path}: {what} number {row} is named {name!r}. Give it a name that is not "
                    "empty and has no carriage return."
                )
            if name in seen:
                raise SubmissionError(f"{path}: the {what} {name!r} occurs twice. Give it once.")
            seen.add(name)
    if not np.isfinite(scores).all():
        row, column = np.argwhere(~np.isfinite(scores))[0]
        raise SubmissionError(
            f"{path}: the score of ad {ids[row]!r} for the tag {tags[column]!r} is "
            f"{scores[row, column]}. Give every ad a finite score for every tag."
        )


def _check_written(temporary: Path, path: Path, meant: Submission, top_k: int) -> None:
    try:
        written = parse_submission(read_text(temporary), path, meant.tags, top_k)
        wrong = (written.scores != meant.scores).any(axis=1) if written.ids == meant.ids else [True]
        fault = (
            f"Ad {meant.ids[int(np.argmax(wrong))]!r} comes out different." if any(wrong) else ""
        )
    except SubmissionError as error:
        fault = str(error)
    if fault:
        raise SubmissionError(
            f"{path} was not written, because it could not be read back. {fault} Rename the tags "
            "that contain spaces or that can be mistaken for another, or use another format."
        )


def _taac_text(
    ids: list[str], labels: list[list[str]], scores: list[list[str]], id_column: str
) -> str:
    content = {
        f"{ad}.mp4": {"result": [{"labels": names, "scores": numbers}]}
        for ad, names, numbers in zip(ids, labels, scores, strict=True)
    }
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def _pairs_text(
    ids: list[str], labels: list[list[str]], scores: list[list[str]], id_column: str
) -> str:
    rows = [PAIRS_HEADER]
    for ad, names, numbers in zip(ids, labels, scores, strict=True):
        pairs = zip(names, numbers, strict=True)
        rows.append([ad, " ".join(f"{name} {number}" for name, number in pairs)])
    return _csv_text(rows)


def _wide_text(
    ids: list[str], labels: list[list[str]], scores: list[list[str]], id_column: str
) -> str:
    rows = [[ad, *numbers] for ad, numbers in zip(ids, scores, strict=True)]
    return _csv_text([[id_column, *labels[0]], *rows])


def _csv_text(rows: list[list[str]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


@dataclass(frozen=True)
class Format:
    """A format of leaderboard files.

    Attributes
    ----------
    ending : str
        Of a file's name.
    text : callable
        From ids, the names of the tags of each ad, their scores (as text) and the header of the ids
        to the file's text.
    lists_best : bool
        Whether an ad lists its best tags, best first, or every ad all tags in one order.
    names_videos : bool
        Whether ads are named by their videos: ``<id>.mp4``.
    """

    ending: str
    text: Callable[[list[str], list[list[str]], list[list[str]], str], str]
    lists_best: bool
    names_videos: bool = False


FORMATS: dict[SubmissionFormat, Format] = {
    "taac2021": Format(".json", _taac_text, lists_best=True, names_videos=True),
    "wide": Format(".csv", _wide_text, lists_best=False),
    "youtube8m": Format(".csv", _pairs_text, lists_best=True),
}
