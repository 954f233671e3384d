"""Ads that are unlike those that a stack has learned from: models differ, words are unknown."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from competition.level2.components.logits import to_logits
from competition.text.terms import TermsSpec

WORDS = TermsSpec("word", (1, 1))
NO_INPUT, MODELS_DIFFER, UNKNOWN_WORDS = "no input", "models differ", "unknown words"
BEYOND = 0.99  # share of the training ads that lie below what is marked
PRIOR = 5.0  # words that an ad's share of unknown ones is drawn to the usual share by


def disagreement(probabilities: np.ndarray) -> np.ndarray:
    """How far level-1 models differ on each ad.

    Parameters
    ----------
    probabilities : ndarray of shape (n_ads, n_models, n_tags), dtype float32

    Returns
    -------
    ndarray of shape (n_ads,), dtype float32
        Standard deviation of the models' log odds, mean over tags.
    """
    return np.asarray(to_logits(probabilities).std(axis=1).mean(axis=1))


def words_of(terms: pd.DataFrame) -> list[np.ndarray]:
    """Return the distinct words of each ad, as hashes, from the terms of its texts."""
    columns = [terms[name] for name in terms]
    return [
        np.unique(np.concatenate([cell[:, 0] for cell in cells]))
        for cells in zip(*columns, strict=True)
    ]


def unknown_share(words: Sequence[np.ndarray], known: np.ndarray, usual: float) -> np.ndarray:
    """Share of each ad's words that are not known; that of few words is drawn to the usual share.

    Parameters
    ----------
    words : sequence of ndarray of int64
        Of each ad.
    known : ndarray of int64
        Ascending.
    usual : float
        An ad of n words, u of them unknown, has (u + PRIOR * usual) / (n + PRIOR).

    Returns
    -------
    ndarray of shape (n_ads,), dtype float64
    """
    n_words = np.array([len(one) for one in words], dtype=np.float64)
    n_unknown = np.array([(~np.isin(one, known)).sum() for one in words], dtype=np.float64)
    return np.asarray((n_unknown + PRIOR * usual) / (n_words + PRIOR))


def learn_words(words: Sequence[np.ndarray], fold: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Learn which words are known, and how many unknown ones are usual.

    An ad's words are compared with those of the other folds' ads, as a new ad's are with those of
    all training ads.

    Parameters
    ----------
    words : sequence of ndarray of int64
        Of each training ad.
    fold : ndarray of shape (n_train,), dtype int

    Returns
    -------
    known : ndarray of int64
        Ascending.
    usual : float
        Mean share of unknown words.
    most : float
        `unknown_share` of the training ads at its quantile of BEYOND.
    """
    sizes = [len(one) for one in words]
    ad = np.repeat(np.arange(len(words)), sizes)
    known, place = np.unique(np.concatenate(words), return_inverse=True)
    first, last = np.full(len(known), fold.max() + 1), np.full(len(known), -1)
    np.minimum.at(first, place, fold[ad])
    np.maximum.at(last, place, fold[ad])
    n_unknown = np.bincount(ad, weights=(first == last)[place], minlength=len(words))
    n_words = np.array(sizes, dtype=np.float64)
    usual = float(n_unknown.sum() / max(n_words.sum(), 1.0))
    shares = (n_unknown + PRIOR * usual) / (n_words + PRIOR)
    return known, usual, float(np.quantile(shares, BEYOND))
