"""Weighted terms against scikit-learn's, and the linear text models where texts are scarce."""

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from competition.level1.components.text import TextVectorizer
from competition.level1.registry import get_model
from competition.text.terms import TermsSpec, extract_terms
from competition.utils.errors import ModelError, ProfileError

MODELS = ["tfidf_logreg", "tfidf_linearsvc", "tfidf_nblogreg"]
WORDS = [f"w{number}" for number in range(60)]
PAIRS = TermsSpec("word", (1, 2))


def made_texts(n, seed=0, longest=40):
    rng = np.random.default_rng(seed)
    common = 1 / np.arange(1, len(WORDS) + 1)
    return [
        " ".join(rng.choice(WORDS, size=rng.integers(1, longest), p=common / common.sum()))
        for _ in range(n)
    ]


def frame(**columns):
    return pd.DataFrame(columns, dtype=object)


def as_terms(X, spec):
    return pd.DataFrame(
        {c: pd.Series(extract_terms(X[c], spec), index=X.index, dtype=object) for c in X}
    )


class TestTextVectorizer:
    @pytest.mark.parametrize("min_df", [1, 2, 5])
    def test_similarities_are_those_of_scikit_learn(self, min_df):
        train, test = made_texts(80), made_texts(30, seed=1)
        ours = TextVectorizer(PAIRS, min_df)
        theirs = TfidfVectorizer(ngram_range=(1, 2), min_df=min_df, sublinear_tf=True)
        ours_train, ours_test = ours.fit_transform(frame(t=train)), ours.transform(frame(t=test))
        theirs_train, theirs_test = theirs.fit_transform(train), theirs.transform(test)
        assert ours_train.shape == theirs_train.shape
        np.testing.assert_allclose(
            (ours_test @ ours_train.T).toarray(),
            (theirs_test @ theirs_train.T).toarray(),
            atol=1e-6,
        )

    @pytest.mark.parametrize("max_terms", [1, 7, 1000])
    def test_the_commonest_terms_are_kept_as_scikit_learn_keeps_them(self, max_terms):
        train, test = made_texts(80), made_texts(30, seed=1)
        ours = TextVectorizer(TermsSpec("word", (1, 1)), 2, max_terms)
        known = ours.fit_transform(frame(t=train)).shape[1]
        assert known == min(max_terms, len(WORDS))
        counts = np.array([sum(word in text.split() for text in train) for word in WORDS])
        rare = counts < np.sort(counts)[-known:][0]
        for word, is_rare in zip(WORDS, rare, strict=True):
            if is_rare:
                assert ours.transform(frame(t=[word])).nnz == 0
        assert abs(ours.transform(frame(t=train)) - ours.fit_transform(frame(t=train))).max() < 1e-6
        assert ours.transform(frame(t=test)).shape == (30, known)

    def test_the_fitted_ads_are_weighed_as_transform_weighs_them(self):
        X = frame(t=made_texts(50))
        vectorizer = TextVectorizer(PAIRS)
        fitted = vectorizer.fit_transform(X)
        assert abs(fitted - vectorizer.transform(X)).max() < 1e-6

    def test_counted_terms_give_the_same_numbers_as_their_texts(self):
        X = frame(ocr=made_texts(40), asr=made_texts(40, seed=1))
        texts = TextVectorizer(PAIRS).fit_transform(X)
        terms = TextVectorizer(PAIRS).fit_transform(as_terms(X, PAIRS))
        assert (texts != terms).nnz == 0

    def test_columns_are_counted_together(self):
        apart = frame(ocr=["a b", "b c", ""], asr=["a", "", "b"])
        joined = frame(t=["a b|a", "b c", "b"])
        spec = TermsSpec("word", (1, 1))
        both = [TextVectorizer(spec, 1).fit_transform(X).toarray() for X in (apart, joined)]
        np.testing.assert_allclose(*both, atol=1e-6)

    def test_result_is_float32_with_rows_of_length_one_or_zero(self):
        X = TextVectorizer(PAIRS).fit_transform(frame(t=[*made_texts(20), "", "never seen"]))
        lengths = np.sqrt(X.multiply(X).sum(axis=1)).A1
        assert X.dtype == np.float32
        np.testing.assert_allclose(lengths, [1.0] * 20 + [0.0] * 2, atol=1e-6)

    def test_unseen_terms_change_nothing(self):
        vectorizer = TextVectorizer(TermsSpec("word", (1, 1)), 1).fit(frame(t=["a b", "b c"]))
        known, more = vectorizer.transform(frame(t=["a b", "a b unseen words"])).toarray()
        np.testing.assert_array_equal(known, more)

    def test_the_commonest_term_is_the_first_feature(self):
        texts = ["rare common", "common", "common other", "other"]
        X = TextVectorizer(TermsSpec("word", (1, 1)), 1).fit_transform(frame(t=texts))
        assert np.diff(X.getnnz(axis=0)).max() <= 0

    def test_neither_text_nor_terms_is_an_error_that_names_the_ad(self):
        X = pd.DataFrame({"ocr": ["a", None]}, index=["ad1", "ad2"], dtype=object)
        with pytest.raises(ModelError, match="Ad 'ad2', column 'ocr': NoneType is neither"):
            TextVectorizer(PAIRS).fit(X)


def planted(n, n_tags=4, seed=0):
    """Texts of which the first words tell the tags."""
    rng = np.random.default_rng(seed)
    Y = (rng.random((n, n_tags)) < np.linspace(0.15, 0.6, n_tags)).astype(np.uint8)
    noise = made_texts(n, seed, longest=10)
    texts = [
        " ".join([f"sign{tag}" for tag in np.flatnonzero(row)] + [text])
        for row, text in zip(Y, noise, strict=True)
    ]
    return frame(t=texts), Y


@pytest.mark.parametrize("name", MODELS)
class TestLinearTextModels:
    def test_learn_what_the_words_tell(self, name):
        X, Y = planted(300)
        X_new, Y_new = planted(200, seed=1)
        probabilities = get_model(name).make().fit(X, Y).predict_proba(X_new)
        assert ((probabilities > 0.5) == Y_new).mean() > 0.97

    def test_probabilities_are_calibrated_on_new_ads(self, name):
        rng = np.random.default_rng(99)
        X, Y = planted(800)
        X_new, Y_new = planted(800, seed=1)
        flip, flip_new = (rng.random(labels.shape) < 0.25 for labels in (Y, Y_new))
        probabilities = get_model(name).make().fit(X, Y ^ flip).predict_proba(X_new)
        for quarter in np.array_split(np.argsort(probabilities, axis=None), 4):
            happened = (Y_new ^ flip_new).ravel()[quarter].mean()
            assert abs(happened - probabilities.ravel()[quarter].mean()) < 0.05

    def test_counted_terms_predict_what_their_texts_predict(self, name):
        X, Y = planted(60)
        model = get_model(name).make()
        terms = as_terms(X, model.text_terms)
        from_texts = model.fit(X, Y).predict_proba(X)
        np.testing.assert_array_equal(from_texts, model.fit(terms, Y).predict_proba(terms))

    def test_same_seed_same_bytes(self, name):
        X, Y = planted(60)
        runs = [get_model(name).make().fit(X, Y).predict_proba(X).tobytes() for _ in range(2)]
        assert runs[0] == runs[1]

    @pytest.mark.parametrize("n_tags", [1, 2])
    def test_few_tags_are_enough(self, name, n_tags):
        X, Y = planted(80, n_tags)
        assert get_model(name).make().fit(X, Y).predict_proba(X).shape == (80, n_tags)

    def test_without_any_text_every_ad_gets_the_prior(self, name):
        _, Y = planted(90)
        X = frame(t=[""] * 90)
        probabilities = get_model(name).make().fit(X, Y).predict_proba(X)
        np.testing.assert_allclose(probabilities, np.tile(Y.mean(axis=0), (90, 1)), rtol=1e-6)

    def test_an_ad_without_known_terms_gets_the_prior(self, name):
        X, Y = planted(300)
        X_new = frame(t=["", "nothing known"])
        probabilities = get_model(name).make().fit(X, Y).predict_proba(X_new)
        np.testing.assert_allclose(probabilities, np.tile(Y.mean(axis=0), (2, 1)), rtol=1e-6)

    @pytest.mark.parametrize("n", [1, 2, 3])
    def test_a_handful_of_ads_gives_probabilities(self, name, n):
        X = frame(t=["alpha beta", "alpha", "gamma"][:n])
        Y = np.array([[1, 0], [0, 1], [0, 1]], dtype=np.uint8)[:n]
        probabilities = get_model(name).make().fit(X, Y).predict_proba(X)
        assert ((probabilities >= 0) & (probabilities <= 1)).all()

    def test_characters_are_counted_where_they_are_chosen(self, name):
        model = get_model(name).make(analyzer="char", ngram_range=[2, 3])
        assert model.text_terms == TermsSpec("char", (2, 3))

    def test_a_weight_that_is_not_positive_is_refused(self, name):
        X, Y = planted(20)
        with pytest.raises(ModelError, match="C is 0"):
            get_model(name).make(C=0).fit(X, Y)

    def test_an_unknown_analyzer_is_refused(self, name):
        with pytest.raises(ProfileError, match="no text analyzer 'byte'"):
            _ = get_model(name).make(analyzer="byte").text_terms
