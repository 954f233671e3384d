"""Contract tests that every level-1 model passes, and that a model of your own can run.

A test file needs three lines; pytest finds the tests in the base class:

    class TestMyModel(Level1Contract):
        kinds = ("text", "metadata")
        def make(self): return MyModel(epochs=2)

Of a plain scikit-learn classifier that a function makes, ``get_model(name).make()`` is tested.
Each test makes its own small ads. Give a slow model quick settings, but enough of them to learn
what can be read off one word.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from competition.datasets.base import InputKind
from competition.level1.base import Level1Model
from competition.testing.synthetic import N_TAGS, TAG_NAMES, auc, made_ads, snapshot
from competition.utils.errors import ModelError


class Level1Contract:
    """What cross-fitting and the meta-learner rely on in a level-1 model."""

    kinds: tuple[InputKind, ...]
    """The kinds of input that the model reads."""

    inputs: tuple[str, ...] | None = None
    """Of the made inputs of these kinds, those to read; None reads all."""

    _folder: Path | None = None

    @pytest.fixture(autouse=True)
    def _files(self, tmp_path: Path) -> None:
        """Files of the made ads lie in a folder of the test."""
        self._folder = tmp_path

    def make(self) -> Any:
        """Return an unfitted model."""
        raise NotImplementedError(
            f"{type(self).__name__} needs a method `make(self)` that returns an unfitted model."
        )

    def test_result_has_one_row_per_ad_and_one_column_per_tag(self) -> None:
        model, X, _ = self._fitted()
        result = model.predict_proba(X.iloc[:7])
        assert isinstance(result, np.ndarray), (
            f"predict_proba must return one ndarray, got {type(result).__name__}. "
            "Scikit-learn's multi-output classifiers return a list: take column 1 of each entry."
        )
        assert result.shape == (7, N_TAGS), (
            f"predict_proba of 7 ads, {N_TAGS} tags must have the shape (7, {N_TAGS}), "
            f"got {result.shape}."
        )

    def test_result_is_float32(self) -> None:
        model, X, _ = self._fitted()
        dtype = model.predict_proba(X).dtype
        assert dtype == np.float32, (
            f"predict_proba must return float32, got {dtype}: end with `.astype(np.float32)`."
        )

    def test_result_is_between_0_and_1(self) -> None:
        model, X, _ = self._fitted()
        result = model.predict_proba(X)
        least, most = np.nanmin(result), np.nanmax(result)
        assert 0 <= least <= most <= 1, (
            f"Probabilities range from {least} to {most}. Pass decision values through a sigmoid, "
            "or calibrate them, before returning them."
        )

    def test_result_has_no_nan(self) -> None:
        model, X, _ = self._fitted()
        _check_finite(model.predict_proba(X), "of complete ads")

    def test_no_ads_to_predict_give_no_rows(self) -> None:
        model, X, _ = self._fitted()
        shape = model.predict_proba(X.iloc[:0]).shape
        assert shape == (0, N_TAGS), f"No ads must give the shape (0, {N_TAGS}), got {shape}."

    @pytest.mark.parametrize("prior", [0, 1])
    def test_tag_with_a_single_value_gets_its_prior(self, prior: int) -> None:
        X, Y = self._ads()
        Y[:, 1] = prior
        model = self._new()
        result = model.fit(X, Y).predict_proba(X)[:, 1]
        if prior == 0 and model.knows_tags:
            _check_low(result)
            return
        assert np.allclose(result, prior, atol=1e-6), (
            f"Tag 1 is {prior} for every training ad, so its probability must be {prior} for every "
            f"ad; got {result.min()} to {result.max()}. {_BASE} it never sees such tags."
        )

    def test_tags_that_all_have_a_single_value_get_their_priors(self) -> None:
        X, Y = self._ads()
        Y[:] = [0, 1, 0, 1]
        model = self._new()
        result = model.fit(X, Y).predict_proba(X)
        if model.knows_tags:
            _check_low(result[:, [0, 2]])
            result[:, [0, 2]] = 0
        assert np.allclose(result, [0, 1, 0, 1], atol=1e-6), (
            "There is nothing to learn where no tag has both values; the result must be the "
            f"priors. {_BASE} this is done for you."
        )

    def test_tag_with_one_positive_does_no_harm(self) -> None:
        X, Y = self._ads()
        Y[:, 2] = 0
        Y[5, 2] = 1
        result = self._new().fit(X, Y).predict_proba(X)
        _check_finite(result, "where one training ad alone carries a tag")

    def test_one_tag(self) -> None:
        X, Y = self._ads()
        shape = self._new(n_tags=1).fit(X, Y[:, :1]).predict_proba(X).shape
        assert shape == (len(X), 1), (
            f"With one tag the result must have the shape ({len(X)}, 1), got {shape}: return "
            "neither a binary classifier's two columns nor none."
        )

    def test_two_tags_keep_both_columns(self) -> None:
        X, Y = self._ads()
        model = self._new(n_tags=2)
        opposite = np.column_stack([Y[:, 0], 1 - Y[:, 0]])
        if model.knows_tags:  # no name says that another tag is not there
            opposite = Y[:, :2]
        result = model.fit(X, opposite).predict_proba(X)
        assert result.shape == opposite.shape, (
            f"Two tags must give two columns, got the shape {result.shape}."
        )
        ranked = [auc(opposite[:, t], result[:, t]) for t in (0, 1)]
        assert min(ranked) > 0.6, (
            f"Column t must be the probability of tag t; here the two tags exclude each other and "
            f"the columns rank their own training ads with AUC {ranked[0]:.2f} and "
            f"{ranked[1]:.2f}. Two tags are not the two classes of one binary target."
        )

    def test_learns_what_the_inputs_tell(self) -> None:
        X, Y = self._ads(n_ads=240)
        result = self._new().fit(X.iloc[:160], Y[:160]).predict_proba(X.iloc[160:])
        ranked = [auc(Y[160:, t], result[:, t]) for t in range(N_TAGS)]
        assert np.mean(ranked) > 0.7, (
            "Each tag of these ads can be read off each kind of input, yet ads not seen in "
            f"training are ranked with AUC {[round(value, 2) for value in ranked]}, mean "
            f"{np.mean(ranked):.2f}; 0.5 is chance. Check that rows and labels stay together and "
            "that the model trains long enough."
        )

    def test_kind_missing_from_every_ad(self) -> None:
        for kind in self.kinds:
            X, Y = self._ads(missing=(kind,))
            result = self._new().fit(X, Y).predict_proba(X)
            _check_finite(result, f"where no ad has any {kind}")

    def test_every_input_missing_from_every_ad(self) -> None:
        X, Y = self._ads(missing=self.kinds)
        result = self._new().fit(X, Y).predict_proba(X)
        _check_finite(result, "where no ad has any input")

    def test_ad_with_every_input_missing(self) -> None:
        model = self._fitted()[0]
        X, _ = self._ads(missing=self.kinds)
        _check_finite(model.predict_proba(X.iloc[:1]), "of an ad that has no input at all")

    def test_category_that_no_training_ad_has(self) -> None:
        if "metadata" not in self.kinds:
            pytest.skip("the model reads no metadata")
        model, X, _ = self._fitted()
        new = X.assign(place=pd.Categorical(["nowhere"] * len(X)))
        _check_finite(model.predict_proba(new), "of ads with a category not met in training")

    def test_other_columns_are_refused(self) -> None:
        model, X, _ = self._fitted()
        renamed = X.rename(columns={X.columns[0]: "another name"})
        _check_refused(model, renamed, "from columns that it was not fitted on")

    def test_predicting_before_fitting_is_refused(self) -> None:
        _check_refused(self._new(), self._ads()[0], "before it is fitted")

    def test_constructor_only_stores_its_parameters(self) -> None:
        model = self.make()
        wanted = {p for p in inspect.signature(type(model).__init__).parameters if p != "self"}
        assert set(vars(model)) == wanted, (
            f"The constructor must store each of {sorted(wanted)} under its own name and nothing "
            f"else; it stored {sorted(vars(model))}. Move the rest to fit."
        )
        twin = type(model)(**model.get_params(deep=False))
        for name, value in model.get_params(deep=False).items():
            assert getattr(twin, name) is value, (
                f"The constructor changes the parameter {name!r}. It must store what it is given; "
                "check and convert in fit."
            )

    def test_same_seed_gives_the_same_bytes(self) -> None:
        first, X, _ = self._fitted()
        second = self._fitted()[0]
        assert first.predict_proba(X).tobytes() == second.predict_proba(X).tobytes(), (
            "Two models made and fitted alike predict differently. Draw every random number from "
            "a generator seeded with `random_state`, in fit."
        )

    def test_fitting_again_forgets_the_first_fit(self) -> None:
        model, X, Y = self._fitted()
        expected = model.predict_proba(X)
        other, other_labels = self._ads(n_ads=60, seed=1)
        again = self._new(n_tags=2).fit(other, other_labels[:, :2])
        again = _told_names(again, N_TAGS).fit(X, Y).predict_proba(X)
        assert expected.tobytes() == again.tobytes(), (
            "A model fitted a second time differs from one fitted once on the same ads: fit must "
            "start anew and keep nothing of the fit before."
        )

    def test_clone_is_unfitted_and_fits_alike(self) -> None:
        from sklearn.base import clone

        model, X, Y = self._fitted()
        twin = clone(model)
        assert repr(twin.get_params()) == repr(model.get_params()), (
            f"sklearn.base.clone changed the parameters {model.get_params()} to "
            f"{twin.get_params()}."
        )
        left = sorted(set(vars(twin)) - set(vars(self._new())))
        assert not left, f"A clone must be unfitted, but it has {left}."
        assert twin.fit(X, Y).predict_proba(X).tobytes() == model.predict_proba(X).tobytes(), (
            "A fitted clone predicts differently: something that fit uses is no parameter."
        )

    def test_saved_model_predicts_the_same_bytes(self, tmp_path: Path) -> None:
        model, X, _ = self._fitted()
        expected = model.predict_proba(X)
        model.save(tmp_path / "saved")
        loaded = type(model).load(tmp_path / "saved")
        assert loaded.predict_proba(X).tobytes() == expected.tobytes(), (
            "A model that was saved and loaded predicts differently: keep what fit learned in the "
            "model's attributes, or write `save` and `load`."
        )

    def test_order_of_the_ads_does_not_matter(self) -> None:
        model, X, _ = self._fitted()
        order = np.random.default_rng(0).permutation(len(X))
        moved = model.predict_proba(X.iloc[order])
        assert np.allclose(moved, model.predict_proba(X)[order], atol=1e-5), (
            "Permuted ads must give the same predictions, permuted likewise. Row i of the result "
            "belongs to row i of the frame; undo any sorting by length."
        )

    def test_prediction_does_not_depend_on_the_other_ads(self) -> None:
        model, X, _ = self._fitted()
        alone = np.vstack([model.predict_proba(X.iloc[[i]]) for i in range(5)])
        together = model.predict_proba(X)[:5]
        assert np.allclose(alone, together, atol=1e-5), (
            "An ad predicted alone and among others must get the same probabilities (here they "
            f"differ by {np.abs(alone - together).max():.2g}). Compute no mean, scale, vocabulary "
            "or rank in predict_proba, and switch batch statistics and dropout off."
        )

    def test_arguments_stay_as_they_are(self) -> None:
        X, Y = self._ads()
        before, labels = snapshot(X), Y.copy()
        self._new().fit(X, Y).predict_proba(X)
        assert snapshot(X) == before, "fit or predict_proba changed X. Work on a copy."
        assert np.array_equal(Y, labels), "fit changed Y. Work on a copy."

    def _new(self, n_tags: int = N_TAGS) -> Level1Model:
        """Make a model, seeded where it can be, and told the tags' names where it asks for them."""
        model = self.make()
        assert isinstance(model, Level1Model), (
            f"{type(model).__name__} is no Level1Model. {_BASE} only _fit and _predict_proba are "
            "left to write. Of any other classifier, test what get_model(name).make() returns."
        )
        if "random_state" in model.get_params():
            model.set_params(random_state=7)
        return _told_names(model, n_tags)

    def _ads(
        self, n_ads: int = 120, seed: int = 0, missing: tuple[InputKind, ...] = ()
    ) -> tuple[pd.DataFrame, np.ndarray]:
        terms = self._new().text_terms
        X, Y = made_ads(self.kinds, n_ads, seed, missing, terms, self._folder)
        return X if self.inputs is None else X[list(self.inputs)], Y

    def _fitted(self) -> tuple[Any, pd.DataFrame, np.ndarray]:
        X, Y = self._ads()
        model = self._new()
        assert model.fit(X, Y) is model, "fit must return the model: end with `return self`."
        return model, X, Y


_BASE = "Derive the model from competition.level1.base.Level1Model:"


def _check_finite(result: np.ndarray, of_what: str) -> None:
    bad = np.flatnonzero(~np.isfinite(result).all(axis=1))
    assert not len(bad), (
        f"The predictions {of_what} are not finite in {len(bad)} of {len(result)} rows, the first "
        f"of them row {bad[0]}. Replace missing values, and divide by nothing that can be 0."
    )


def _told_names(model: Any, n_tags: int) -> Any:
    """Give a model that asks for them the names of the made tags, as a run does."""
    if "tag_names" in model.get_params():
        model.set_params(tag_names=TAG_NAMES[:n_tags])
    return model


def _check_low(result: np.ndarray) -> None:
    assert np.isfinite(result).all(), "A tag that no training ad carries has no finite number."
    assert result.max() < 0.5, (
        "No training ad carries the tag, and yet its probability is "
        f"{result.max():.2f} for some ad: it must stay low."
    )


def _check_refused(model: Any, X: pd.DataFrame, when: str) -> None:
    try:
        model.predict_proba(X)
        outcome = "it predicted"
    except ModelError:
        return
    except Exception as other:
        outcome = f"it raised {other!r}"
    raise AssertionError(
        f"A model that predicts {when} must raise ModelError, but {outcome}. {_BASE} this is "
        "checked for you."
    )
