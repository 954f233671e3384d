"""Contract tests that every meta-learner passes, and that one of your own can run.

A test file needs three lines; pytest finds the tests in the base class:

    class TestMyLearner(MetaLearnerContract):
        def make(self): return MyLearner(epochs=2)

Each test makes its own small predictions. Give a slow learner quick settings.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from competition.evaluation.metrics import gap
from competition.level2.base import MetaLearner
from competition.level2.crossfit import StackOutput, cross_fit
from competition.level2.data import Ads, StackData
from competition.testing.stacks import HARD, better_at_the_top, made_stack, with_probabilities
from competition.testing.synthetic import snapshot
from competition.utils.errors import ModelError


class MetaLearnerContract:
    """What the stack relies on in a meta-learner."""

    ranks: bool = False
    """Whether it ranks tags of an ad, as GAP does, to choose by."""

    n_ads: int = 240
    """Training ads from which on it beats the mean of its models."""

    def make(self) -> MetaLearner:
        """Return a meta-learner that was never used."""
        raise NotImplementedError(
            f"{type(self).__name__} needs a method `make(self)` that returns a meta-learner."
        )

    @pytest.mark.parametrize("case", HARD)
    def test_predicts_probabilities_of_the_right_shape_from(self, case: str) -> None:
        data, test = HARD[case]()
        for place, fold in enumerate(data.folds):
            fitted = self._new().for_fold(place).fit(data.without_fold(fold))
            held_out = data.ads.take(np.flatnonzero(data.fold == fold))
            for name, ads in (("held-out", held_out), ("test", test)):
                found = fitted.predict_proba(ads)
                shape = (len(ads), data.labels.shape[1])
                assert found.shape == shape, (
                    f"predict_proba of {len(ads)} {name} ads must have the shape {shape}, got "
                    f"{found.shape}."
                )
                assert found.dtype == np.float32, (
                    f"predict_proba must return float32, got {found.dtype}."
                )
                assert ((found >= 0) & (found <= 1)).all(), (
                    f"Predictions of {name} ads must lie between 0 and 1; they range from "
                    f"{found.min()} to {found.max()}."
                )

    def test_fit_returns_the_learner(self) -> None:
        learner, (data, _) = self._new(), made_stack()
        assert learner.fit(data) is learner, (
            f"fit must return the learner: end with `return self`. {_BASE} it does."
        )

    def test_beats_the_mean_model(self) -> None:
        data, _ = made_stack(n=self.n_ads, n_tags=8)
        probabilities = data.ads.probabilities
        models = [gap(data.labels, probabilities[:, m]) for m in range(len(data.models))]
        found = gap(data.labels, self._cross_fit(data).oof)
        assert found > np.mean(models), (
            f"The stack scores {found:.3f}, its models {np.mean(models):.3f} on average. Check "
            "that rows and labels stay together."
        )

    def test_labels_of_held_out_ads_do_not_change_a_bit_of_their_predictions(self) -> None:
        data, test = made_stack()
        labels = data.labels.copy()
        labels[data.fold == 1] = 1 - labels[data.fold == 1]
        before = self._cross_fit(data, test)
        after = self._cross_fit(replace(data, labels=labels), test)
        held_out, place = data.fold == 1, data.folds.index(1)
        for name, old, new in (
            ("held-out", before.oof[held_out], after.oof[held_out]),
            ("test", before.fold_test[place], after.fold_test[place]),
        ):
            assert np.array_equal(old, new), (
                f"Labels of fold 1 changed, and the predictions of its {name} ads moved by up to "
                f"{np.abs(old - new).max():.2g}. Learn from the ads given to fit alone, and keep "
                "nothing of another fit."
            )

    @pytest.mark.parametrize("what", ["probabilities", "missing", "metadata"])
    def test_what_is_known_of_an_ad_does_not_change_a_bit_of_the_others(self, what: str) -> None:
        data, test = made_stack()
        fitted = self._new().fit(data)
        probabilities, metadata = test.probabilities.copy(), test.metadata.copy()
        missing = test.missing.copy()
        if what == "probabilities":
            probabilities[0] = 1 - probabilities[0]
        elif what == "missing":
            missing[0] = ~missing[0]
        else:
            metadata.iloc[0, 0], metadata.iloc[0, 1] = 1e6, "new"
        before = fitted.predict_proba(test)[1:]
        after = fitted.predict_proba(Ads(probabilities, metadata, missing))[1:]
        assert np.array_equal(before, after), (
            f"The {what} of one ad changed, and the predictions of others moved by up to "
            f"{np.abs(before - after).max():.2g}. Learn scales, ranks and vocabularies in fit."
        )

    def test_prediction_does_not_depend_on_the_other_ads(self) -> None:
        data, test = made_stack()
        fitted = self._new().fit(data)
        alone = np.vstack([fitted.predict_proba(test.take(np.array([i]))) for i in range(4)])
        together = fitted.predict_proba(test)[:4]
        assert np.allclose(alone, together, atol=1e-5), (
            "An ad predicted alone and among others must get the same probabilities (here they "
            f"differ by {np.abs(alone - together).max():.2g}). Compute no mean, scale or rank of "
            "ads in predict_proba."
        )

    def test_top_k_is_obeyed(self) -> None:
        data, test = better_at_the_top()
        first, all_tags = (
            self._new().fit(replace(data, top_k=top_k)).predict_proba(test) for top_k in (1, 6)
        )
        changed = not np.array_equal(first, all_tags)
        assert changed == self.ranks, (
            "Of two models one is better in the first tag of each ad, the other in all six tags: a "
            "learner that ranks predicts otherwise with data.top_k = 1 than with 6, any other "
            "learner alike. This one "
            f"{'changes' if changed else 'does not change'} and says ranks = {self.ranks}."
        )

    def test_same_seed_same_bytes(self) -> None:
        data, test = made_stack()
        first, second = (self._new().fit(data).predict_proba(test) for _ in range(2))
        assert first.tobytes() == second.tobytes(), (
            "Two learners made and fitted alike predict differently. Seed every random generator "
            "with `random_state`, in fit."
        )

    def test_fitting_again_forgets_the_first_fit(self) -> None:
        (data, test), (other, _) = made_stack(), made_stack(n=40, n_models=2, n_tags=3, seed=1)
        expected = self._new().fit(data).predict_proba(test)
        again = self._new().fit(other).fit(data).predict_proba(test)
        assert expected.tobytes() == again.tobytes(), (
            "A learner fitted a second time differs from one fitted once to the same ads: fit must "
            "start anew and keep nothing of the fit before."
        )

    def test_number_of_threads_does_not_change_a_bit(self) -> None:
        data, test = made_stack(n=400, n_models=6, n_tags=20)
        one, two = (self._new().fit(replace(data, n_threads=n)).predict_proba(test) for n in (1, 2))
        assert one.tobytes() == two.tobytes(), (
            "With two threads the predictions differ from those with one by up to "
            f"{np.abs(one - two).max():.2g}. Sums of several threads add up in another order: use "
            "one where a library cannot do without."
        )

    def test_ads_in_a_file_give_the_same_bytes(self, tmp_path: Path) -> None:
        data, test = made_stack()
        probabilities = data.ads.probabilities
        file = np.memmap(tmp_path / "oof", np.float32, "w+", shape=probabilities.shape)
        file[:] = probabilities
        expected = self._cross_fit(data, test)
        found = self._cross_fit(with_probabilities(data, file), test)
        for name in ("oof", "fold_test"):
            assert getattr(expected, name).tobytes() == getattr(found, name).tobytes(), (
                f"{name} differs where the level-1 predictions lie in a file. Use what Ads offers: "
                "probabilities, read, read_tag, take."
            )

    def test_saved_learner_predicts_the_same_bytes(self, tmp_path: Path) -> None:
        data, test = made_stack()
        fitted = self._new().fit(data)
        expected = fitted.predict_proba(test)
        fitted.save(tmp_path / "saved")
        loaded = type(fitted).load(tmp_path / "saved")
        assert loaded.predict_proba(test).tobytes() == expected.tobytes(), (
            "A learner that was saved and loaded predicts differently: keep what fit learned in "
            "the learner's attributes, or write `save` and `load`."
        )

    def test_what_is_learned_is_plain_data(self) -> None:
        learner = self._new().fit(made_stack(n=240)[0])
        learned = {n: v for n, v in vars(learner).items() if n not in learner.get_params()}
        for name, value in learned.items():
            assert name[0] != "_" == name[-1], (
                f"fit sets {name!r}: the name of what is learned ends in an underscore."
            )
            odd = _not_plain(value)
            assert odd is None, (
                f"{name} holds a {odd}. What is learned must be plain data, so that it can be "
                "saved: numbers, texts, arrays, tuples, lists or dicts of these, boosters of "
                "LightGBM and XGBoost, other meta-learners."
            )

    def test_arguments_stay_as_they_are(self) -> None:
        data, test = made_stack()
        before = _all_of(data, test)
        self._new().fit(data).predict_proba(test)
        assert _all_of(data, test) == before, (
            "fit or predict_proba changed its argument. Work on a copy."
        )

    def test_constructor_only_stores_its_parameters(self) -> None:
        learner = self.make()
        wanted = {p for p in inspect.signature(type(learner)).parameters if p != "self"}
        assert set(vars(learner)) == wanted, (
            f"The constructor must store each of {sorted(wanted)} under its own name and nothing "
            f"else; it stored {sorted(vars(learner))}. Move the rest to fit."
        )
        given = learner.get_params(deep=False)
        twin = type(learner)(**given)
        for name, value in given.items():
            assert getattr(twin, name) is value, (
                f"The constructor changes the parameter {name!r}. It must store what it is given; "
                "check and convert in fit."
            )

    def test_predicting_before_fitting_is_refused(self) -> None:
        _, test = made_stack()
        _check_refused(lambda: self._new().predict_proba(test), "cannot predict before")

    def test_other_models_are_refused(self) -> None:
        data, test = made_stack()
        fitted = self._new().fit(data)
        _check_refused(lambda: fitted.predict_proba(test.of_models([0, 1])), "was fitted to 3")

    @pytest.mark.parametrize("bad", [np.nan, 1.5])
    def test_what_is_no_probability_is_refused(self, bad: float) -> None:
        data, test = made_stack()
        fitted = self._new().fit(data)
        training, predicted = (ads.probabilities.copy() for ads in (data.ads, test))
        training[4, 1, 2] = predicted[4, 1, 2] = bad
        wrong = with_probabilities(data, training)
        _check_refused(lambda: self._new().fit(wrong), "of training ad number 4")
        ads = Ads(predicted, test.metadata, test.missing)
        _check_refused(lambda: fitted.predict_proba(ads), "of predicted ad number 4")

    def _new(self) -> MetaLearner:
        learner = self.make()
        if "random_state" in learner.get_params():
            learner.set_params(random_state=7)
        return learner

    def _cross_fit(self, data: StackData, test: Ads | None = None) -> StackOutput:
        return cross_fit(self._new(), data, test)


_BASE = "Derive the learner from competition.level2.base.MetaLearner:"


def _not_plain(value: Any) -> str | None:
    """Type of the first thing in `value` that is not plain data, or None."""
    if value is None or isinstance(value, bool | int | float | str | np.generic):
        return None
    if isinstance(value, np.ndarray):
        return None if value.dtype != object else "array of objects"
    if isinstance(value, MetaLearner):
        value = vars(value)
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, tuple | list):
        return next((odd for one in value if (odd := _not_plain(one)) is not None), None)
    kind = type(value)
    if kind.__name__ == "Booster" and kind.__module__.split(".")[0] in ("lightgbm", "xgboost"):
        return None
    return f"{kind.__module__}.{kind.__name__}"


def _check_refused(use: Callable[[], Any], message: str) -> None:
    try:
        use()
        outcome = "it did not"
    except ModelError as refused:
        if message in str(refused):
            return
        outcome = f"it said {str(refused)!r}"
    except Exception as other:
        outcome = f"it raised {other!r}"
    raise AssertionError(
        f"It must raise a ModelError that says {message!r}, but {outcome}. {_BASE} this is checked "
        "for you."
    )


def _all_of(data: StackData, test: Ads) -> list[Any]:
    arrays = [data.labels, data.fold, data.reads]
    arrays += [one for ads in (data.ads, test) for one in (ads.probabilities, ads.missing)]
    metadata = [snapshot(ads.metadata) for ads in (data.ads, test)]
    return [*(one.tobytes() for one in arrays), *metadata]
