"""Predictions made elsewhere on any scale, as probabilities.

``probability``
    As they are; what rounding moved out of [0, 1] by at most `ROUNDING` is clipped.
``logit``
    Through the sigmoid.
``score``
    Through a curve that rises with the score, one for all tags of a model, learned from the
    training ads: isotonic regression (Zadrozny and Elkan, KDD 2002), straight between the middles
    of its steps. A fold's ads get the curve of the other folds, test ads that of all training ads.
    Isotonic regression needs no scale to begin with, unlike Platt's sigmoid; straight lines keep
    the order that its steps would level.
"""

from typing import Literal, NamedTuple

import numpy as np

from competition.oof.external_forms import PredictionFile
from competition.utils.errors import PredictionsError

Scale = Literal["probability", "logit", "score"]
SCALES: tuple[Scale, ...] = ("probability", "logit", "score")

# How far beyond 0 or 1 a probability may lie: rounding of float32 sums and of six printed digits.
ROUNDING = 1e-5
LARGEST = 1e300  # score, so that the difference of two is a number
# A curve of a finite number of ads is never sure.
LEAST = 1e-5


class Curve(NamedTuple):
    """A rising curve from scores to probabilities, constant beyond its ends.

    Attributes
    ----------
    scores : tuple of float
        Ascending.
    probabilities : tuple of float
    """

    scores: tuple[float, ...]
    probabilities: tuple[float, ...]

    def of(self, scores: np.ndarray) -> np.ndarray:
        """Probabilities of scores of any shape; NaN stays NaN."""
        return np.interp(scores, self.scores, self.probabilities)


def probabilities_of(file: PredictionFile, scale: Scale) -> np.ndarray:
    """Return what a file says as probabilities; on the scale ``score`` the scores themselves.

    Returns
    -------
    ndarray of shape (n_ads, n_tags), dtype float64
        NaN for the ads that the file lacks.

    Raises
    ------
    PredictionsError
        If a value is none that the scale knows.
    """
    values = file.values
    if scale == "probability":
        good = (values >= -ROUNDING) & (values <= 1 + ROUNDING)
        advice = (
            "Give numbers from 0 to 1, or say what they are: --scale logit, or --scale score for "
            "any other scale."
        )
        _check(file, good, "no probability", advice)
        return np.clip(values, 0, 1)
    if scale == "logit":
        from scipy.special import expit

        _check(file, ~np.isnan(values), "no number", "Give a logit.")
        return np.asarray(expit(values))
    good = np.abs(values) <= LARGEST
    _check(file, good, f"no number between {-LARGEST:g} and {LARGEST:g}", "Give a score.")
    return values


def _check(file: PredictionFile, good: np.ndarray, what: str, advice: str) -> None:
    wrong = np.argwhere(~good & ~file.lacking[:, None])
    if len(wrong):
        row, tag = wrong[0]
        raise PredictionsError(
            f"{file.where(row)}: the tag {file.tags[tag]!r} has {file.values[row, tag]}, which is "
            f"{what} ({len(wrong):,} such cells in all). {advice}"
        )


def calibrated(
    scores: np.ndarray, tests: np.ndarray, labels: np.ndarray, fold: np.ndarray
) -> tuple[np.ndarray, np.ndarray, list[Curve]]:
    """Turn scores of any scale into probabilities, each fold by what the others teach.

    Parameters
    ----------
    scores : ndarray of shape (n_train, n_tags), dtype float64
        NaN for an ad without any.
    tests : ndarray of shape (n_test, n_tags), dtype float64
    labels : ndarray of shape (n_train, n_tags), dtype uint8
    fold : ndarray of shape (n_train,), dtype int64

    Returns
    -------
    oof, test : ndarray
    curves : list of Curve
        Of each fold, then of all training ads.
    """
    found, curves = np.empty_like(scores), []
    for k in range(int(fold.max()) + 1):
        held_out = fold == k
        curves.append(fitted_curve(scores[~held_out], labels[~held_out]))
        found[held_out] = curves[-1].of(scores[held_out])
    curves.append(fitted_curve(scores, labels))
    return found, curves[-1].of(tests), curves


def fitted_curve(scores: np.ndarray, labels: np.ndarray) -> Curve:
    """Learn the curve of scores of any shape, NaN where there is none."""
    from sklearn.isotonic import isotonic_regression

    given = ~np.isnan(scores)
    values, truth = scores[given], labels[given].astype(np.float64)
    if not len(values):
        return Curve((0.0,), (LEAST,))
    points, place = np.unique(values, return_inverse=True)
    weight = np.bincount(place).astype(np.float64)
    mean = np.bincount(place, truth) / weight
    heights = isotonic_regression(mean, sample_weight=weight, y_min=LEAST, y_max=1 - LEAST)
    starts = np.flatnonzero(np.concatenate([[True], np.diff(heights) > 0]))
    ends = np.concatenate([starts[1:], [len(points)]]) - 1
    middles = (points[starts] + points[ends]) / 2
    return Curve(_numbers(middles), _numbers(heights[starts]))


def _numbers(values: np.ndarray) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
