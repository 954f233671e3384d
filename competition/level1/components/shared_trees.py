"""Boosting in which one tree a round serves all tags.

A tree of its own for each tag and round costs most of its time before the first split, and does so
once for each tag. Here a round grows one tree, whichever library grows it, and gives each leaf one
value per tag. What the tree is grown on is one number per ad: the gradients of all tags, mixed with
weights drawn anew each round. A split that parts ads with other tags parts most such mixtures, and
that the tags share their leaves draws on what they have in common.

The mixture is the random projection of L. Iosipoi and A. Vakhrushev, SketchBoost: fast gradient
boosted decision tree for multioutput problems, NeurIPS 2022, to a single dimension.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

Grow = Callable[[np.ndarray], np.ndarray | None]
"""From a target for each training ad, float32 with a deviation of 1, to the leaf that each of them
falls into, counted in each tree anew; None where no split was found and no tree is kept."""


@dataclass(frozen=True, eq=False)
class LeafValues:
    """What each leaf of the trees adds to the logits of the tags.

    Attributes
    ----------
    prior : ndarray of shape (n_tags,), dtype float32
        Logits before the first tree.
    places : ndarray of shape (n_trees, n_leaves), dtype int32
        The row of `values` that belongs to a leaf.
    values : ndarray of shape (n_values, n_tags), dtype float32
        The first row is zero: that of a leaf without training ads.
    """

    prior: np.ndarray
    places: np.ndarray
    values: np.ndarray

    def predict_proba(self, leaves: np.ndarray) -> np.ndarray:
        """Probabilities of ads by the leaf that each tree has for them.

        Parameters
        ----------
        leaves : ndarray of int, of shape (n_ads, n_trees)

        Returns
        -------
        ndarray of shape (n_ads, n_tags), dtype float32
        """
        n_ads, n_trees = leaves.shape
        if not len(self.places):  # no tree found a split
            return np.tile(_sigmoid(self.prior), (n_ads, 1))
        rows = self.places[np.arange(n_trees), leaves]
        ends = np.arange(0, rows.size + 1, n_trees)
        ones = np.ones(rows.size, dtype=np.float32)
        chosen = csr_matrix((ones, rows.ravel(), ends), shape=(n_ads, len(self.values)))
        return _sigmoid(self.prior + chosen @ self.values)


def boost(
    labels: np.ndarray,
    grow: Grow,
    *,
    n_rounds: int,
    learning_rate: float,
    reg_lambda: float,
    random_state: int,
) -> LeafValues:
    """Grow trees on mixtures of the tags' gradients, and find what their leaves are worth to each.

    A leaf's value is a Newton step of the log loss of each tag, over all training ads in the leaf.

    Parameters
    ----------
    labels : ndarray of shape (n_ads, n_tags), 0 or 1
        Each tag has both.
    grow : callable
    n_rounds : int
        Of many tags; of few, the `needed` part.
    learning_rate : float
    reg_lambda : float
        L2 penalty on the values.
    random_state : int
        Seeds the mixtures.
    """
    labels = labels.astype(np.float32)
    rng = np.random.default_rng(random_state)
    share = labels.mean(axis=0)
    prior = np.log(share / (1 - share))
    logits = np.tile(prior, (len(labels), 1))
    leaves, values = [], [np.zeros((1, labels.shape[1]), dtype=np.float32)]
    ends, ones = np.arange(len(labels) + 1), np.ones(len(labels), dtype=np.float32)
    for _ in range(needed(n_rounds, labels.shape[1])):
        probabilities = _sigmoid(logits)
        gradients = probabilities - labels
        target = gradients @ rng.standard_normal(labels.shape[1], dtype=np.float32)
        leaf = grow(target / max(target.std(), np.finfo(np.float32).tiny))
        if leaf is None:
            continue
        used = np.flatnonzero(np.bincount(leaf))
        place = np.searchsorted(used, leaf)
        # Sums over the ads of each leaf: a product with who is in which.
        inside = csr_matrix((ones, place, ends), shape=(len(labels), len(used))).T
        curvature = inside @ (probabilities * (1 - probabilities))
        value = -learning_rate * (inside @ gradients) / (curvature + np.float32(reg_lambda))
        logits += value[place]
        leaves.append(used)
        values.append(value)
    return LeafValues(prior, _places(leaves), np.concatenate(values))


def needed(most: int, n_tags: int) -> int:
    """Rounds, or leaves of a tree, out of `most`: half of them for one tag, nearly all for many.

    With few tags every tree serves each of them well, and as many as for all would fit noise.
    """
    return max(2, math.ceil(most * n_tags / (n_tags + 1)))


def _places(leaves: list[np.ndarray]) -> np.ndarray:
    """Rows of the values by tree and leaf; 0 where a leaf has none."""
    places = np.zeros(
        (len(leaves), 1 + max((used[-1] for used in leaves), default=0)), dtype=np.int32
    )
    first = 1
    for row, used in zip(places, leaves, strict=True):
        row[used] = np.arange(first, first + len(used))
        first += len(used)
    return places


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logits))
