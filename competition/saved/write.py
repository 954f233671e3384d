"""Files of what a saved stack predicts."""

from pathlib import Path
from typing import cast

import pandas as pd

from competition.datasets.base import SubmissionFormat, SubmissionSpec
from competition.saved.manifest import Manifest
from competition.submission.write import FORMATS, write_submission
from competition.utils.errors import SubmissionError, nearest
from competition.utils.files import written_whole
from competition.utils.spreadsheets import write_frame

ENDINGS = (".csv", ".parquet", ".jsonl")


def check_target(path: Path, manifest: Manifest, form: str | None = None, *, tags: bool) -> None:
    """Say before anything is predicted what could not be written.

    Parameters
    ----------
    path : Path
    manifest : Manifest
    form : str or None
        Of a leaderboard file; None for probabilities or tags.
    tags : bool
        Whether tags are to be written.

    Raises
    ------
    SubmissionError
        If there is no such format, the name has another ending or is that of a folder, or the
        names of tags cannot stand in the file.
    """
    if path.is_dir():
        raise SubmissionError(f"{path} is a folder. Name a file.")
    if form is not None:
        if form not in FORMATS:
            raise SubmissionError(
                f"--format {form}: there is no such format.{nearest(form, FORMATS)}"
            )
        return
    if path.suffix not in ENDINGS:
        raise SubmissionError(
            f"{path}: probabilities are written as {', '.join(ENDINGS)}; give a name that ends so."
        )
    names = [tag.name for tag in manifest.tags]
    odd = [name for name in names if "|" in name]
    if tags and path.suffix == ".csv" and odd:
        raise SubmissionError(
            f'{path}: the tag {odd[0]!r} holds "|", which stands between tags. Write .jsonl.'
        )
    if not tags and manifest.id_column in names:
        raise SubmissionError(
            f"{path}: a tag has the name of the column of ids, {manifest.id_column!r}. Write a "
            "leaderboard file (--format), or --tags."
        )


def write_probabilities(path: Path, probabilities: pd.DataFrame, manifest: Manifest) -> None:
    """Write one row per ad: its id, and the probability of each tag.

    Parameters
    ----------
    path : Path
        ``.csv``, ``.parquet`` or ``.jsonl``, whole or not at all.
    probabilities : DataFrame of shape (n_ads, n_tags)
    manifest : Manifest
        Names the column of ids.
    """
    check_target(path, manifest, tags=False)
    frame = probabilities.rename_axis(index=manifest.id_column).reset_index()
    with written_whole(path) as temporary:
        if path.suffix == ".csv":
            _write_csv(temporary, frame)
        elif path.suffix == ".parquet":
            frame.to_parquet(temporary, index=False)
        else:
            frame.to_json(temporary, orient="records", lines=True, force_ascii=False)


def write_tags(path: Path, decided: pd.DataFrame, manifest: Manifest) -> None:
    """Write one row per ad: its id, the tags that are set, whether it is unsure, and why.

    Tags of a ``.csv`` stand in one cell with "|" between them; elsewhere they are a list.

    Raises
    ------
    SubmissionError
        If a tag holds "|", which a .csv could not tell apart.
    """
    check_target(path, manifest, tags=True)
    frame = decided.rename_axis(index=manifest.id_column).reset_index()
    with written_whole(path) as temporary:
        if path.suffix == ".csv":
            _write_csv(temporary, frame.assign(tags=frame["tags"].map("|".join)))
        elif path.suffix == ".parquet":
            frame.assign(tags=frame["tags"].map(list)).to_parquet(temporary, index=False)
        else:
            frame.to_json(temporary, orient="records", lines=True, force_ascii=False)


def _write_csv(path: Path, frame: pd.DataFrame) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        write_frame(file, frame)


def write_leaderboard(
    path: Path, probabilities: pd.DataFrame, manifest: Manifest, form: str
) -> None:
    """Write a leaderboard file of one of the known formats.

    Raises
    ------
    SubmissionError
        If there is no such format.
    """
    check_target(path, manifest, form, tags=False)
    spec = SubmissionSpec(cast(SubmissionFormat, form), manifest.top_k, manifest.id_column)
    tags, ids = list(probabilities.columns), list(probabilities.index)
    write_submission(path, spec, tags, ids, probabilities.to_numpy())
