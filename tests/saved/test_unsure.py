"""Which ads have more unknown words than the training ads, each against the other folds."""

import numpy as np
import pandas as pd

from competition.saved.unsure import PRIOR, WORDS, learn_words, unknown_share, words_of
from competition.text.terms import extract_terms


def hashed(*texts: str) -> list[np.ndarray]:
    cells = np.empty(len(texts), dtype=object)
    cells[:] = extract_terms(texts, WORDS)
    return words_of(pd.DataFrame({"title": cells}))


def test_share_of_unknown_words_is_that_of_distinct_ones() -> None:
    known = np.unique(np.concatenate(hashed("sun sand wave")))
    found = unknown_share(hashed("sun sand", "sun soup soup", "soup", ""), known, 0.2)
    due = [(u + PRIOR * 0.2) / (n + PRIOR) for u, n in ((0, 2), (1, 2), (1, 1), (0, 0))]
    assert np.allclose(found, due)


def test_words_of_two_columns_count_once() -> None:
    cells = np.empty(2, dtype=object)
    cells[:] = extract_terms(["sun sand", "soup"], WORDS)
    both = words_of(pd.DataFrame({"title": cells, "plot": cells[::-1]}))
    assert [len(one) for one in both] == [3, 3]


def test_an_ad_is_compared_with_the_other_folds_alone() -> None:
    """Against a loop over ads; a word twice in one fold is unknown to both of its ads."""
    rng = np.random.default_rng(0)
    texts = [" ".join(f"w{one}" for one in rng.integers(0, 60, 6)) for _ in range(50)]
    words, fold = hashed(*texts), rng.integers(0, 4, 50)
    known, usual, most = learn_words(words, fold)
    assert set(known) == set(np.concatenate(words))
    others = [set(np.concatenate([words[j] for j in np.flatnonzero(fold != f)])) for f in range(4)]
    n_unknown = np.array([len(set(one) - others[f]) for one, f in zip(words, fold, strict=True)])
    n_words = np.array([len(one) for one in words])
    assert usual == n_unknown.sum() / n_words.sum()
    shares = (n_unknown + PRIOR * usual) / (n_words + PRIOR)
    assert np.isclose(most, np.quantile(shares, 0.99))


def test_ads_without_a_word_are_usual() -> None:
    known, usual, most = learn_words(hashed("", "", ""), np.array([0, 1, 2]))
    assert (len(known), usual, most) == (0, 0.0, 0.0)
    assert unknown_share(hashed(""), known, usual).tolist() == [0.0]
