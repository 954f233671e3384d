"""Likely label errors: (ad, tag) pairs whose given label out-of-fold predictions contradict.

Who predicts an ad has not seen its labels, so that a label it is sure against is worth a look.
Which of two contradictions is the more suspicious, in tags of different frequency, is the point of
`label_error_scores`: a rare tag's true ads get low probabilities too.

References
----------
C. G. Northcutt, L. Jiang, I. L. Chuang: Confident learning: estimating uncertainty in dataset
labels, Journal of Artificial Intelligence Research 70, 2021.
"""

from dataclasses import dataclass

import numpy as np

LEAST = 1e-6  # smaller probabilities, and their complements, count as this
# How the rate of false tags among the ads that lack a tag goes with the tag's odds: as their power.
# At 1 a tag has as many false labels as missing ones, at 0 false ones fall on all tags alike. Which
# holds nobody knows. Where 5 % of the labels were moved either way, 1 lost up to six tenths of what
# plain probability finds in the second case, and 0 a third of what 1 finds in the first.
POWER = 0.5


@dataclass(frozen=True, eq=False)
class LabelErrors:
    """Pairs of an ad and a tag whose label is to be checked, the most suspicious first.

    Attributes
    ----------
    ad, tag : ndarray of shape (n_pairs,), dtype int64
        Row and column in the labels.
    given : ndarray of shape (n_pairs,), dtype uint8
        The label: 1 where it may be false, 0 where it may be missing.
    probability : ndarray of shape (n_pairs,), dtype float32
        That the ad has the tag, out of fold.
    score : ndarray of shape (n_pairs,), dtype float64
        As `label_error_scores`, descending.
    confident : ndarray of shape (n_pairs,), dtype bool
        As `confident_pairs`.
    """

    ad: np.ndarray
    tag: np.ndarray
    given: np.ndarray
    probability: np.ndarray
    score: np.ndarray
    confident: np.ndarray

    def __len__(self) -> int:
        return len(self.ad)


def rank_label_errors(labels: np.ndarray, oof: np.ndarray, most: int | None = None) -> LabelErrors:
    """Rank pairs of an ad and a tag by how surely their label is an error.

    Parameters
    ----------
    labels : ndarray of shape (n_ads, n_tags)
        1 where the ad has the tag, else 0.
    oof : ndarray of shape (n_ads, n_tags)
        Probabilities, each ad's by models that were fitted without it.
    most : int or None
        Pairs to return; None returns all.

    Returns
    -------
    LabelErrors
        Pairs of equal score stand in the order of the ads, then of the tags.

    Examples
    --------
    >>> labels = np.array([[1], [1], [0], [0]])
    >>> found = rank_label_errors(labels, np.array([[0.9], [0.3], [0.8], [0.1]]), most=2)
    >>> found.ad.tolist(), found.given.tolist()
    ([2, 1], [0, 1])
    """
    scores = label_error_scores(labels, oof)
    flat = scores.ravel()
    most = flat.size if most is None else min(most, flat.size)
    least = np.partition(flat, flat.size - most)[flat.size - most] if most else np.inf
    among = np.flatnonzero(flat >= least)
    best = among[np.argsort(-flat[among], kind="stable")[:most]]
    ad, tag = np.unravel_index(best, scores.shape)
    return LabelErrors(
        ad=ad,
        tag=tag,
        given=labels[ad, tag].astype(np.uint8),
        probability=oof[ad, tag].astype(np.float32),
        score=flat[best],
        confident=confident_pairs(labels, oof)[ad, tag],
    )


def label_error_scores(labels: np.ndarray, oof: np.ndarray) -> np.ndarray:
    r"""Log-odds of each label being an error, but for a constant that all labels share.

    Let an ad have a tag with probability :math:`p`, a share :math:`e` of the true labels be
    missing, and a share :math:`r_t` of the ads that lack tag :math:`t` have it by error. By Bayes'
    rule, for small shares, a label that is absent is missing with odds :math:`e\,p/(1-p)`, and one
    that is given is false with odds :math:`r_t\,(1-p)/p`. Of the rates no more is supposed than
    :math:`r_t/e = c\sqrt{n_t/(N-n_t)}` for a tag that :math:`n_t` of :math:`N` ads have, where
    :math:`c` is such that as many labels are false as missing.

    Parameters
    ----------
    labels : ndarray of shape (n_ads, n_tags)
        1 where the ad has the tag, else 0.
    oof : ndarray of shape (n_ads, n_tags)

    Returns
    -------
    ndarray of shape (n_ads, n_tags), dtype float64
    """
    given = labels == 1
    p = np.clip(oof.astype(np.float64), LEAST, 1 - LEAST)
    n_with = given.sum(axis=0, dtype=np.float64)
    n_without = len(labels) - n_with
    rate = ((n_with + 0.5) / (n_without + 0.5)) ** POWER
    rate *= max(n_with.sum(), 0.5) / max((n_without * rate).sum(), 0.5)
    for_it = np.log(p / (1 - p))
    return np.where(given, np.log(rate) - for_it, for_it)


def confident_pairs(labels: np.ndarray, oof: np.ndarray) -> np.ndarray:
    """Mark the labels that confident learning takes for errors.

    A label counts as an error where the opposite one is at least as probable as it is on average
    for the ads that have the opposite label (equation 2 of the paper): for the tag, its mean
    probability over the ads that have it; for its absence, that of the ads that lack it. A tag that
    all ads have, or none, has no such average, and no label of it is marked.

    Parameters
    ----------
    labels : ndarray of shape (n_ads, n_tags)
        1 where the ad has the tag, else 0.
    oof : ndarray of shape (n_ads, n_tags)

    Returns
    -------
    ndarray of shape (n_ads, n_tags), dtype bool
    """
    given = labels == 1
    p = oof.astype(np.float64)
    n_with = given.sum(axis=0)
    n_without = len(labels) - n_with
    with_it = np.where(given, p, 0).sum(axis=0) / np.maximum(n_with, 1)
    without_it = np.where(given, 0, p).sum(axis=0) / np.maximum(n_without, 1)
    sure = np.where(given, p <= without_it, p >= with_it)
    return sure & (n_with > 0) & (n_without > 0)
