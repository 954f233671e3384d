"""Small made ads whose tags can be read off every kind of input, for the contract tests."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from competition.datasets.base import InputKind
from competition.text.terms import TermsSpec, extract_terms
from competition.utils.errors import ModelError
from competition.utils.files import digest

N_TAGS = 4
TAG_NAMES = ("word0", "word1", "word2", "word3")
IMAGE_SIDE = 32  # pixels
RATES = (0.5, 0.3, 0.3, 0.2)  # share of the made ads that carry each tag

Maker = Callable[[np.ndarray, np.random.Generator, Path | None], dict[str, Any]]


def _made_texts(Y: np.ndarray, rng: np.random.Generator, _: Path | None) -> dict[str, Any]:
    """Two texts: the first has a word for each tag of the ad, the second says nothing."""
    fillers = [f"filler{i}" for i in range(20)]
    texts = [
        " ".join(
            rng.permutation([*rng.choice(fillers, 6), *(f"word{t}" for t in np.flatnonzero(y))])
        )
        for y in Y
    ]
    return {"title": texts, "story": [" ".join(rng.choice(fillers, 4)) for _ in Y]}


def _made_metadata(Y: np.ndarray, rng: np.random.Generator, _: Path | None) -> dict[str, Any]:
    """Two numbers and two categories, one for each tag; every tenth number is missing."""
    numbers = 10.0 * Y[:, :2] + rng.normal(size=(len(Y), 2))
    numbers[rng.random(numbers.shape) < 0.1] = np.nan
    places = np.where(Y[:, 2] == 1, "here", rng.choice(["there", "elsewhere"], len(Y)))
    moods = np.where(Y[:, 3] == 1, "glad", rng.choice(["sad", "cross"], len(Y)))
    return {
        "budget": numbers[:, 0],
        "release year": numbers[:, 1],
        "place": pd.Categorical(places),
        "mood [1-3], {of viewers}": pd.Categorical(moods),  # names are a user's: no model may mind
    }


def _made_arrays(Y: np.ndarray, rng: np.random.Generator, _: Path | None) -> dict[str, Any]:
    """Two arrays of 3 to 8 frames: dimension t of the first is higher where the ad has tag t."""
    arrays: dict[str, list[Any]] = {"visual": [], "sound": []}
    for y in Y:
        n_frames, n_patches = rng.integers(3, 9, 2)
        visual = rng.normal(size=(n_frames, 12))
        visual[:, : len(y)] += 3.0 * y
        arrays["visual"].append(visual.astype(np.float16))
        arrays["sound"].append(rng.normal(size=(n_patches, 6)).astype(np.float16))
    return arrays


def _made_images(
    Y: np.ndarray, rng: np.random.Generator, folder: Path | None
) -> dict[str, list[str]]:
    """Files of noise in which quarter t is bright where the ad has tag t."""
    from PIL import Image

    if folder is None:
        raise ModelError("Made images need a folder to lie in: made_ads(..., folder=tmp_path).")
    half = IMAGE_SIDE // 2
    paths = []
    for y in Y:
        pixels = rng.integers(0, 60, (IMAGE_SIDE, IMAGE_SIDE, 3), dtype=np.uint8)
        for tag in np.flatnonzero(y):
            down, right = half * (tag // 2), half * (tag % 2)
            pixels[down : down + half, right : right + half] += 180
        name = digest(pixels.tobytes())[:16]  # other ads of the same folder stay as they are
        Image.fromarray(pixels).save(folder / f"{name}.png")
        paths.append(str(folder / f"{name}.png"))
    return {"poster": paths}


# A kind is tested once it has an entry in both: how its columns are made, and what stands for a
# missing cell. Films and sound reach a model as arrays or texts extracted from them.
MAKERS: dict[InputKind, Maker] = {
    "text": _made_texts,
    "metadata": _made_metadata,
    "array": _made_arrays,
    "image": _made_images,
}
MISSING: dict[InputKind, Any] = {"text": "", "metadata": np.nan, "array": None, "image": None}


def made_ads(
    kinds: Sequence[InputKind],
    n_ads: int = 120,
    seed: int = 0,
    missing: Sequence[InputKind] = (),
    terms: TermsSpec | None = None,
    folder: Path | None = None,
) -> tuple[pd.DataFrame, np.ndarray]:
    """Make ads as cross-fitting hands them to a model.

    Parameters
    ----------
    kinds : sequence of str
    n_ads : int
    seed : int
    missing : sequence of str
        Kinds of which no ad has anything.
    terms : TermsSpec or None
        Give texts as terms counted in this way; None leaves texts as they are.
    folder : Path or None
        Where files of images are written; needed for these alone.

    Returns
    -------
    X : DataFrame of shape (n_ads, n_columns)
        Indexed by ad id.
    Y : ndarray of shape (n_ads, 4), dtype uint8
    """
    rng = np.random.default_rng(seed)
    Y = (rng.random((n_ads, N_TAGS)) < RATES).astype(np.uint8)
    ids = pd.Index([f"ad{i}" for i in range(n_ads)], name="id")
    inputs = []
    for kind in kinds:
        if kind not in MAKERS:
            raise ModelError(
                f"There are no made ads with inputs of the kind {kind!r} yet: add it to MAKERS and "
                "MISSING in competition/testing/synthetic.py."
            )
        made = pd.DataFrame(MAKERS[kind](Y, rng, folder), index=ids)
        if kind in missing:
            made = _without_cells(made, MISSING[kind])
        if kind == "text" and terms is not None:
            made = _with_counted_terms(made, terms)
        inputs.append(made)
    return pd.concat(inputs, axis=1), Y


def auc(y: np.ndarray, scores: np.ndarray) -> float:
    """Chance that an ad with the tag scores higher than one without; ties count half."""
    difference = scores[y == 1][:, None] - scores[y == 0][None, :]
    return float((difference > 0).mean() + (difference == 0).mean() / 2)


def snapshot(X: pd.DataFrame) -> list[Any]:
    """All that a frame holds, as a value that can be compared."""
    cells = [
        [cell.tobytes() if isinstance(cell, np.ndarray) else repr(cell) for cell in X[column]]
        for column in X.columns
    ]
    return [list(X.columns), list(X.index), [str(dtype) for dtype in X.dtypes], cells]


def _without_cells(frame: pd.DataFrame, missing: Any) -> pd.DataFrame:
    """Return a frame of the same columns and dtypes in which every cell is `missing`."""
    empty = {
        name: pd.Series([missing] * len(frame), index=frame.index, dtype=column.dtype)
        for name, column in frame.items()
    }
    return pd.DataFrame(empty)


def _with_counted_terms(frame: pd.DataFrame, spec: TermsSpec) -> pd.DataFrame:
    counted = {}
    for name, column in frame.items():
        cells = np.empty(len(column), dtype=object)
        cells[:] = extract_terms(column, spec)
        counted[name] = pd.Series(cells, index=frame.index)
    return pd.DataFrame(counted)
