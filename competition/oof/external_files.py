"""Predictions made elsewhere: read from CSV, Parquet or NPZ, and compared with ads and tags.

::

    .csv, .parquet    columns id, one per tag, and fold (optional)
    .npz              arrays ids (n_ads,), tags (n_tags,), probabilities (n_ads, n_tags), and
                      fold (n_ads,) (optional); texts as numpy strings, nothing pickled

Columns and rows may come in any order. What the values are is for `competition.oof.scales`.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from competition.oof.external_forms import READERS, PredictionFile, Wanted
from competition.utils.errors import PredictionsError, nearest, some


def read_predictions(
    path: Path,
    ids: Sequence[str],
    tags: Sequence[str],
    what: str,
    *,
    ignore_extra: bool = False,
    partial: bool = False,
) -> PredictionFile:
    """Read what a file says of all of `ids` and all of `tags`.

    Parameters
    ----------
    path : Path
        Its ending says what it is.
    ids : sequence of n_ads str
    tags : sequence of n_tags str
    what : str
        The ads' name in messages: "training" or "test".
    ignore_extra : bool
        Whether other tags and other ads are left out, not refused.
    partial : bool
        Whether ads may be missing.

    Returns
    -------
    PredictionFile
        With ads and tags in the order of `ids` and `tags`.

    Raises
    ------
    PredictionsError
        If the file cannot be read, a tag is missing or given twice, an ad is given twice, or one is
        missing or unknown that may not be.
    """
    ending = _ending(path)
    if ending not in READERS:
        raise PredictionsError(
            f"{path}: predictions are read from {', '.join(READERS)}, not from "
            f"{path.suffix or 'a file without an ending'!r}. Save them as one of these."
        )
    if not path.is_file():
        raise PredictionsError(f"There is no file {path}.")
    found = READERS[ending](path, Wanted(tuple(tags), only=ignore_extra))
    if not len(found.ids):
        raise PredictionsError(f"{path} has no row. Give one for every {what} ad.")
    columns = np.array(_places_of_tags(found, tags), dtype=np.int64)
    places = _places_of_ads(found, ids, what, ignore_extra=ignore_extra, partial=partial)
    values = found.values[np.ix_(places, columns)]
    empty = np.isnan(found.values).all(axis=1)[places] & (places >= 0)
    if empty.any() and not partial:
        row = places[empty][0]
        raise PredictionsError(
            f"{found.where(row)}: no tag has a number ({empty.sum():,} such {what} ad(s) in all). "
            "Give numbers; or pass --partial, and those ads count as missing."
        )
    places = np.where(empty, -1, places)
    if len(places) and (places < 0).all():
        raise PredictionsError(f"{path} holds no number for any {what} ad. Give numbers.")
    values[places < 0] = np.nan
    return PredictionFile(
        path,
        tuple(found.rows[place] if place >= 0 else "" for place in places),
        tuple(ids),
        tuple(tags),
        values,
        None if found.fold is None else np.where(places < 0, -1, found.fold[places]),
    )


def _ending(path: Path) -> str:
    name = path.name.lower()
    plain = name.removesuffix(".gz").removesuffix(".zst").removesuffix(".zip")
    return ".csv" if plain.endswith(".csv") else Path(name).suffix


def _places_of_tags(found: PredictionFile, tags: Sequence[str]) -> list[int]:
    place_of = {tag: place for place, tag in enumerate(found.tags)}
    if len(place_of) < len(found.tags):
        twice = next(tag for tag, count in Counter(found.tags).items() if count > 1)
        raise PredictionsError(f"{found.path}: the tag {twice!r} is given twice. Give it once.")
    missing = [tag for tag in tags if tag not in place_of]
    known = set(tags)
    for tag in found.tags:
        if tag not in known:
            hint = nearest(tag, missing or tags)
            raise PredictionsError(
                f"{found.path}: the dataset has no tag {tag!r}.{hint} Rename the column, or pass "
                "--ignore-extra. If it is a tag that no training ad carries, declare the list of "
                "tags in the competition.toml: names = [...] below [[tags]]."
            )
    if missing:
        raise PredictionsError(
            f"{found.path} lacks {len(missing)} tag(s): {some(missing)}. Give a probability for "
            "every tag."
        )
    return [place_of[tag] for tag in tags]


def _places_of_ads(
    found: PredictionFile, ids: Sequence[str], what: str, *, ignore_extra: bool, partial: bool
) -> np.ndarray:
    """Place of each ad in the file; -1 for one that it lacks."""
    place_of: dict[str, int] = {}
    for place, ad in enumerate(found.ids):
        if ad in place_of:
            raise PredictionsError(
                f"{found.where(place)}: the ad is given twice, first in "
                f"{found.rows[place_of[ad]]}. Give it once."
            )
        place_of[ad] = place
    wanted = set(ids)
    missing = [ad for ad in ids if ad not in place_of]
    extra = [ad for ad in found.ids if ad not in wanted]
    if extra and not ignore_extra:
        raise PredictionsError(
            f"{found.where(place_of[extra[0]])}: the dataset has no such {what} ad "
            f"({len(extra):,} such ads in all). Remove what is no {what} ad, or pass "
            "--ignore-extra."
        )
    if missing and (not partial or len(missing) == len(wanted)):
        raise PredictionsError(
            f"{found.path} lacks {len(missing)} {what} ad(s): {some(missing)}. Give every {what} "
            "ad one row"
            + ("." if partial else "; or pass --partial, and those ads count as missing.")
        )
    return np.array([place_of.get(ad, -1) for ad in ids], dtype=np.int64)
