"""Problems for `benchmarks.regret`: pools of predictions with labels, drawn by seed.

A problem is drawn from submissions to MediaEval 2019 (groups: artists), from networks and doctors
on ECGs, or is made up. Its rows fall in two halves: a stack learns from one and is scored on the
other, of which it sees the predictions alone.
"""

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from competition.folds import grouped_folds
from competition.level2.components.expected import fill_expected
from competition.level2.data import Ads, StackData

FEWEST = 200  # training rows of a problem
DATA = Path(os.environ.get("ADS_DATA", "../shared/data")) / "level2"
FOLDS = 5
TOP_K = 20
SKEWS = ("powers", "temperatures", "shrunken")  # each model gets a scale of its own
FAULTS = (
    "duplicates",
    "upside-down",
    "overconfident",
    "fold offsets",
    "leaked fold",
    "constant",
    "missing",
    "label noise",
)


@dataclass(frozen=True, eq=False)
class Pool:
    """Predictions of many models with labels.

    Attributes
    ----------
    name : str
    probabilities : ndarray of shape (n_ads, n_models, n_tags), dtype float32
    labels : ndarray of shape (n_ads, n_tags), dtype uint8
    group : ndarray of shape (n_ads,) or None
    """

    name: str
    probabilities: np.ndarray
    labels: np.ndarray
    group: np.ndarray | None


@dataclass(frozen=True, eq=False)
class Problem:
    """What a stack learns from, and what it is scored on.

    Attributes
    ----------
    seed : int
    pool : str
    injected : tuple of str
        What was done to the pool's predictions or labels.
    data : StackData
    test : Ads
    truth : ndarray of shape (n_test, n_tags), dtype uint8
    group : ndarray of shape (n_test,) or None
    """

    seed: int
    pool: str
    injected: tuple[str, ...]
    data: StackData
    test: Ads
    truth: np.ndarray
    group: np.ndarray | None


def reserved(seed: int) -> bool:
    """Whether a problem is of the third that nobody looks at while tuning."""
    return seed % 3 == 2


def make_problem(seed: int, largest: int = 800) -> Problem:
    """Draw the problem of a seed, of 200 to `largest` training rows and as many to be scored on."""
    rng = np.random.default_rng([seed, 20])
    kind = rng.choice(["mediaeval2019", "ecg", "made"], p=[0.4, 0.2, 0.4])
    n = int(np.exp(rng.uniform(np.log(FEWEST), np.log(largest))))
    real = kind != "made" and DATA.is_dir()
    pool = real_pool(str(kind)) if real else made_pool(rng, n)
    training, scored = _halves(pool, n, rng)
    tags = _tags(pool.labels[training], rng)
    n_models = int(np.exp(rng.uniform(np.log(2), np.log(24 if real else 40))))
    skew = str(rng.choice(SKEWS)) if rng.random() < 0.6 else None
    faults = [fault for fault in FAULTS if rng.random() < 0.12]
    return _problem(seed, pool, (training, scored), tags, n_models, skew, faults, rng)


def failing_problem(seed: int) -> Problem:
    """Sixteen music models, each on a scale of its own, over 56 tags in artists' groups.

    The choice among meta-learners once lost pooled GAP here: the learners of the folds had scales
    of their own as well.
    """
    rng = np.random.default_rng([seed, 21])
    pool = real_pool("mediaeval2019")
    halves = _halves(pool, int(rng.integers(500, 801)), rng)
    tags = np.flatnonzero(pool.labels[halves[0]].any(axis=0))
    return _problem(seed, pool, halves, tags, 16, str(rng.choice(SKEWS)), [], rng)


def _problem(
    seed: int,
    pool: Pool,
    halves: tuple[np.ndarray, np.ndarray],
    tags: np.ndarray,
    n_models: int,
    skew: str | None,
    faults: list[str],
    rng: np.random.Generator,
) -> Problem:
    most = pool.probabilities.shape[1]
    models = np.sort(rng.choice(most, min(n_models, most), replace=False))
    rows = np.concatenate(halves)
    probabilities = pool.probabilities[np.ix_(rows, models, tags)]
    labels = pool.labels[np.ix_(rows, tags)]
    group = None if pool.group is None else pool.group[rows]
    n = len(halves[0])
    units = np.arange(n) if group is None else group[:n]
    fold = grouped_folds(labels[:n], units, FOLDS, seed)
    injected = [] if skew is None else [skew]
    if skew is not None:
        probabilities = skewed(probabilities, skew, rng)
    learned = labels[:n].copy()
    lacking: dict[int, np.ndarray] = {}
    for fault in faults:
        model = int(rng.integers(probabilities.shape[1]))
        if fault == "label noise":
            flipped = rng.random(learned.shape) < 0.1 * learned + 0.005 * (1 - learned)
            learned = np.where(flipped, 1 - learned, learned).astype(np.uint8)
        elif fault == "missing":
            if probabilities.shape[1] > 1:
                lacking[model] = rng.random(len(rows)) < 0.3
        else:
            probabilities = faulty(probabilities, fault, model, learned, fold, rng)
        injected.append(fault)
    missing = np.zeros((len(rows), len(lacking)), dtype=bool)
    train, test = probabilities[:n].copy(), probabilities[n:].copy()
    for place, (_, of) in enumerate(lacking.items()):
        missing[:, place] = of
    if lacking:
        fill_expected(train, test, {m: (of[:n], of[n:]) for m, of in lacking.items()})
    nothing = pd.DataFrame(index=range(len(rows)))
    data = StackData(
        models=tuple(f"m{model:02d}" for model in range(train.shape[1])),
        reads=np.eye(train.shape[1], dtype=bool)[:, list(lacking)],
        ads=Ads(train, nothing[:n], missing[:n]),
        labels=learned,
        fold=fold,
        top_k=TOP_K,
        group=None if group is None else group[:n],
    )
    return Problem(
        seed,
        pool.name,
        tuple(injected),
        data,
        Ads(test, nothing[n:], missing[n:]),
        labels[n:],
        None if group is None else group[n:],
    )


@cache
def real_pool(name: str) -> Pool:
    """Read a pool from its files; values outside 0 to 1 are squeezed there, one curve a model."""
    folder = DATA / name
    table = pd.read_csv(folder / "labels.csv", dtype=str, keep_default_na=False)
    column = "moods" if "moods" in table else "findings"
    arrays = []
    for path in sorted(folder.glob("*.npz")):
        with np.load(path, allow_pickle=False) as stored:
            values, tags = stored["probabilities"].astype(np.float32), stored["tags"].astype(str)
        if path.stem == "baseline_popular" or path.stem.startswith("mclab"):
            continue  # constant or at chance: `faulty` makes such
        arrays.append(np.clip(values, 0, 1))
    labels = np.array(
        [[tag in cell.split("|") for tag in tags] for cell in table[column]], dtype=np.uint8
    )
    group = table["artist"].to_numpy() if "artist" in table else None
    return Pool(name, np.stack(arrays, axis=1), labels, group)


def made_pool(rng: np.random.Generator, n: int) -> Pool:
    """Make up 2 n rows: models share part of their noise, and each is good at other tags."""
    n_models, n_tags = 40, int(rng.integers(4, 21))
    groups = rng.random() < 0.5
    group = rng.integers(max(10, n // 8), size=2 * n) if groups else None
    factors = rng.normal(size=(2 * n, 4)) @ rng.normal(size=(4, n_tags)) / 2
    own = rng.normal(size=(2 * n, n_tags))
    if group is not None:
        own = (own + rng.normal(size=(group.max() + 1, n_tags))[group]) / np.sqrt(2)
    truth = 1.5 * (factors + own) / np.sqrt(2) - rng.uniform(0.5, 4, n_tags)
    labels = (rng.random(truth.shape) < _expit(truth)).astype(np.uint8)
    together = rng.normal(size=(2 * n, n_tags))
    shared = rng.uniform(0, 1)
    spread = np.exp(rng.normal(np.log(2.0), rng.uniform(0.1, 0.8), n_models))
    spread = spread[:, None] * np.exp(rng.normal(0, 0.4, (n_models, n_tags)))
    noise = rng.normal(size=(2 * n, n_models, n_tags))
    if group is not None:  # what a model gets wrong of an artist, it gets wrong of all his works
        noise = (noise + rng.normal(size=(group.max() + 1, n_models, n_tags))[group]) / np.sqrt(2)
    noise = np.sqrt(shared) * together[:, None] + np.sqrt(1 - shared) * noise
    seen = truth[:, None] + spread * noise
    # A model that knows how uncertain it is says less than it sees.
    prior = truth.mean(axis=0)
    variance = truth.var(axis=0)
    trust = variance / (variance + spread**2)
    logits = prior + trust * (seen - prior)
    return Pool("made", _expit(logits).astype(np.float32), labels, group)


def skewed(probabilities: np.ndarray, how: str, rng: np.random.Generator) -> np.ndarray:
    """Give every model a scale of its own; the order of its scores stays.

    Parameters
    ----------
    probabilities : ndarray of shape (n_ads, n_models, n_tags), dtype float32
    how : {"powers", "temperatures", "shrunken"}
    rng : Generator
    """
    n_models = probabilities.shape[1]
    held = np.clip(probabilities.astype(np.float64), 1e-7, 1 - 1e-7)
    scale = np.exp(rng.uniform(np.log(0.25), np.log(4), n_models))[:, None]
    if how == "powers":
        found = held**scale
    elif how == "temperatures":
        found = _expit(np.log(held / (1 - held)) * scale)
    else:  # as focal and balanced losses leave them: drawn to the middle
        share = rng.uniform(0, 0.8, n_models)[:, None]
        found = (1 - share) * held + share * rng.uniform(0.05, 0.5, n_models)[:, None]
    return found.astype(np.float32)


def faulty(
    probabilities: np.ndarray,
    fault: str,
    model: int,
    labels: np.ndarray,
    fold: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return predictions with a fault in one model; training rows come first."""
    found = probabilities.copy()
    own, n = found[:, model].astype(np.float64), len(labels)
    logits = np.log(np.clip(own, 1e-7, 1) / np.clip(1 - own, 1e-7, 1))
    if fault == "duplicates":
        near = _expit(logits + rng.normal(0, 0.05, logits.shape)).astype(np.float32)
        return np.concatenate([found, near[:, None], found[:, model : model + 1]], axis=1)
    if fault == "upside-down":
        own = 1 - own
    elif fault == "overconfident":
        own = _expit(5 * logits)
    elif fault == "fold offsets":
        own[:n] = _expit(logits[:n] + rng.normal(0, 0.7, FOLDS)[fold][:, None])
    elif fault == "leaked fold":
        leaked = np.flatnonzero(fold == rng.integers(FOLDS))
        own[leaked] = _expit(logits[leaked] + 5 * labels[leaked])
    elif fault == "constant":
        own[:] = rng.uniform(0.01, 0.5)
    found[:, model] = own
    return found


def _halves(pool: Pool, wanted: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the training rows and of those to be scored on, groups whole."""
    n = len(pool.labels)
    wanted = min(n // 2, wanted)
    units = np.arange(n) if pool.group is None else np.unique(pool.group, return_inverse=True)[1]
    order = rng.permutation(units.max() + 1)
    ranked = np.argsort(order)[units]
    rows = np.argsort(ranked, kind="stable")
    ends = np.searchsorted(ranked[rows], ranked[rows][[wanted, min(2 * wanted, n - 1)]])
    training, scored = rows[: ends[0]], rows[ends[0] : max(ends[1], ends[0] + 1)]
    return np.sort(training), np.sort(scored)


def _tags(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw at most 20 tags, rare ones among them, but none that no training row carries."""
    carried = np.flatnonzero(labels.any(axis=0))
    most = int(rng.integers(min(4, len(carried)), min(20, len(carried)) + 1))
    return np.sort(rng.choice(carried, most, replace=False))


def _expit(logits: np.ndarray) -> np.ndarray:
    from scipy.special import expit

    return expit(logits)
