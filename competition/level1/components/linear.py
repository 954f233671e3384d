"""L2-regularised linear classifiers, all tags solved together by dual coordinate descent.

For labels ``y`` in {0, 1}, ``s = 2y - 1`` and an offset ``o``, each tag minimises over ``w``

    1/2 sum_j w_j^2 / v_j  +  C sum_i loss(s_i, m_i),        m_i = o + sum_j w_j x_ij

where a constant feature 1 with ``v = 1`` is appended to ``x`` for the intercept. ``v`` is 1, or the
prior variance that a tag gives each feature. At the minimum ``w_j = v_j sum_i b_i x_ij`` with
``b_i = -C loss'(s_i, m_i)``: one equation per ad. A step takes one ad and solves its equation, the
other ads held fixed; with ``q = sum_j v_j x_ij^2`` and ``r = m_i - q b_i``, the margin without the
ad, that is

    logistic        b = C (y - sigmoid(r + q b))            Yu, Huang and Lin 2011, section 3
    squared_hinge   s b = max(0, (1 - s r) / (q + 1/2C))    Hsieh et al. 2008, eq. 9, L2 loss

The tags of one ad share its features: ``w`` is stored features x tags, so that one pass over an
ad's features reads and writes whole rows of it. Memory is linear in ads, terms and tags.

References
----------
Hsieh, Chang, Lin, Keerthi, Sundararajan: A dual coordinate descent method for large-scale linear
SVM, ICML 2008. Yu, Huang, Lin: Dual coordinate descent methods for logistic regression and maximum
entropy models, Machine Learning 85, 2011.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from competition.utils.errors import ModelError

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Loss = Literal["logistic", "squared_hinge"]

_NEWTON_STEPS = 5  # to float32 precision for C up to 100
_LANES = 16  # float32 numbers in the widest vector register; rows of weights are multiples of it


def fit_linear(
    X: csr_matrix,
    Y: np.ndarray,
    *,
    loss: Loss,
    C: float,
    offset: np.ndarray | None = None,
    variance: np.ndarray | None = None,
    tol: float = 0.01,
    max_sweeps: int = 200,
    random_state: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Fit one linear classifier per tag.

    Parameters
    ----------
    X : csr_matrix of shape (n_ads, n_features), dtype float32
    Y : ndarray of shape (n_ads, n_tags), dtype uint8
    loss : {"logistic", "squared_hinge"}
    C : float
        Weight of the loss against the regularisation.
    offset : ndarray of shape (n_tags,), optional
        Added to every margin of a tag and not regularised. The logit of its prior spares the
        (regularised) intercept from having to grow.
    variance : ndarray of shape (n_features, n_tags), optional
        Prior variance of each weight, not negative; 1 where not given.
    tol : float
        Fitting ends when, for every tag, the steps of a sweep over the ads are this much smaller
        than those of its largest sweep, in root mean square.
    max_sweeps : int
        Fitting ends after this many sweeps in any case.
    random_state : int
        Seeds the order of the ads in each sweep.

    Returns
    -------
    coef : ndarray of shape (n_features, n_tags), dtype float32
    intercept : ndarray of shape (n_tags,), dtype float32
        The offset included.

    Raises
    ------
    ModelError
        If C is not positive.
    """
    if not C > 0:
        raise ModelError(f"C is {C!r}; the weight of the loss must be greater than 0.")
    n_ads, n_features = X.shape
    n_tags = Y.shape[1]
    labels = _padded(Y, np.uint8)
    start = _padded(np.zeros((1, n_tags)) if offset is None else np.atleast_2d(offset))[0]
    variances = None if variance is None else _padded(variance)
    values = X.data.astype(np.float32, copy=False)
    curvature = 1 + _squared_norms(X, variances, labels.shape[1])
    weights = _padded(np.zeros((n_features + 1, n_tags)))  # the last row: the constant feature
    dual = _padded(np.zeros((n_ads, n_tags)))
    sweep = _compiled_sweep()
    rng = np.random.default_rng(random_state)
    largest = np.zeros(labels.shape[1])
    for _ in range(max_sweeps):
        order = rng.permutation(n_ads)
        squares = sweep(
            order, X.indptr, X.indices, values, labels, start, variances, curvature,
            loss == "logistic", np.float32(C), weights, dual,
        )  # fmt: skip
        largest = np.maximum(largest, squares)
        if (squares <= tol**2 * largest)[:n_tags].all():
            break
    return weights[:n_features, :n_tags].copy(), weights[n_features, :n_tags] + start[:n_tags]


def _padded(array: np.ndarray, dtype: Any = np.float32) -> np.ndarray:
    """Copy with zero columns added; each row begins on a 64-byte boundary where it is float32."""
    rows, columns = array.shape
    width = -(-columns // _LANES) * _LANES
    itemsize = np.dtype(dtype).itemsize
    buffer = np.zeros(rows * width + 64 // itemsize, dtype=dtype)
    skip = (-buffer.ctypes.data % 64) // itemsize
    padded = buffer[skip : skip + rows * width].reshape(rows, width)
    padded[:, :columns] = array
    return padded


def _squared_norms(X: csr_matrix, variances: np.ndarray | None, width: int) -> np.ndarray:
    squares = X.multiply(X).tocsr()
    if variances is not None:
        return (squares @ variances).astype(np.float32)
    norms = np.asarray(squares.sum(axis=1), dtype=np.float32).reshape(-1, 1)
    return np.repeat(norms, width, axis=1)


@lru_cache(maxsize=1)
def _compiled_sweep() -> Any:
    """Compile one sweep over the ads; kept on disk, so that only the first process ever waits."""
    from numba import njit

    return njit(cache=True, nogil=True, error_model="numpy")(_sweep)


def _sweep(  # type: ignore[no-untyped-def]
    order, indptr, indices, values, labels, offset, variances, curvature, logistic, C, weights, dual
):
    """Visit every ad once; return each tag's sum of squared steps, (width,), float64.

    Loops over tags have no branch between them, so that each compiles to vector instructions.
    """
    width = weights.shape[1]
    constant = weights.shape[0] - 1
    half = np.float32(0.5) / C
    zero, one, two = np.float32(0), np.float32(1), np.float32(2)
    margin = np.empty(width, dtype=np.float32)
    step = np.empty(width, dtype=np.float32)
    squares = np.zeros(width, dtype=np.float64)
    for i in order:
        for t in range(width):
            margin[t] = offset[t] + weights[constant, t]
        for k in range(indptr[i], indptr[i + 1]):
            value, row = values[k], weights[indices[k]]
            for t in range(width):
                margin[t] += value * row[t]
        for t in range(width):
            q, b = curvature[i, t], dual[i, t]
            if logistic:
                # Newton's method for m = r + q C (y - sigmoid(m)), mirrored so that the solution
                # is positive. There the equation is concave: a step from the left of the solution
                # never passes it, one from the right is cut off at 0.
                rest, y = margin[t] - q * b, np.float32(labels[i, t])
                side = one if rest + q * C * (y - np.float32(0.5)) > zero else -one
                rest, y = side * rest, y if side > zero else one - y
                m = max(side * margin[t], zero)
                for _ in range(_NEWTON_STEPS):
                    p = one / (one + np.exp(-m))
                    m -= (m - rest - q * C * (y - p)) / (one + q * C * p * (one - p))
                    m = max(m, zero)
                new = side * C * (y - one / (one + np.exp(-m)))
            else:
                sign = two * np.float32(labels[i, t]) - one
                new = sign * max(zero, one - sign * (margin[t] - q * b)) / (q + half)
            step[t] = new - b
            dual[i, t] = new
            squares[t] += step[t] * step[t]
            weights[constant, t] += step[t]
        for k in range(indptr[i], indptr[i + 1]):
            value, row = values[k], weights[indices[k]]
            if variances is None:
                for t in range(width):
                    row[t] += value * step[t]
            else:
                variance = variances[indices[k]]
                for t in range(width):
                    row[t] += value * step[t] * variance[t]
    return squares
