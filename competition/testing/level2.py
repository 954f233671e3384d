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
from typing import Any

import numpy as np
import pandas as pd
import pytest

from competition.evaluation.metrics import gap
from competition.level2.base import MetaLearner, StackInput, StackOutput
from competition.testing.synthetic import snapshot
from competition.utils.errors import ModelError


def made_stack(
    n: int = 60, n_models: int = 3, n_tags: int = 5, n_test: int = 7, seed: int = 0
) -> StackInput:
    """Noisy level-1 models of unequal quality, ragged folds, two metadata, a missing input.

    Parameters
    ----------
    n, n_test : int
        Training and test ads.
    n_models, n_tags, seed : int
    """
    rng = np.random.default_rng(seed)
    size = rng.normal(size=n + n_test)
    truth = rng.normal(size=(n + n_test, n_tags)) * 1.5 - np.linspace(0, 2, n_tags)
    truth += size[:, None] * np.linspace(-1, 1, n_tags)
    labels = (rng.random(truth.shape) < 1 / (1 + np.exp(-truth))).astype(np.uint8)
    noise = rng.normal(size=(n + n_test, n_models, n_tags)) * np.linspace(0.5, 3, n_models)[:, None]
    proba = (1 / (1 + np.exp(-(truth[:, None] + noise)))).astype(np.float32)
    metadata = pd.DataFrame({"size": size, "kind": rng.choice(["a", "b"], n + n_test)})
    metadata.loc[3, "size"] = np.nan
    missing = rng.random((n + n_test, 1)) < 0.2
    return StackInput(
        models=tuple(f"model_{m}" for m in range(n_models)),
        train=proba[:n],
        test=proba[n:],
        train_metadata=metadata[:n],
        test_metadata=metadata[n:],
        train_missing=missing[:n],
        test_missing=missing[n:],
        reads=np.arange(n_models)[:, None] == 0,
        labels=labels[:n],
        fold=rng.choice([0, 1, 1, 2, 2, 2], n),
    )


def _rare_tags() -> StackInput:
    data = made_stack()
    labels = data.labels.copy()
    labels[:, 0] = 0
    labels[:, 1] = data.fold == 1  # in the training ads of fold 1 there is none
    labels[:, 2] = 1
    return replace(data, labels=labels)


def _no_metadata() -> StackInput:
    data = made_stack()
    return replace(
        data,
        train_metadata=data.train_metadata[[]],
        test_metadata=data.test_metadata[[]],
        train_missing=data.train_missing[:, :0],
        test_missing=data.test_missing[:, :0],
        reads=data.reads[:, :0],
    )


def _unknown_metadata() -> StackInput:
    data = made_stack()
    return replace(
        data,
        train_metadata=data.train_metadata.assign(size=np.nan, kind=None),
        test_metadata=data.test_metadata.assign(size=np.nan, kind=None),
    )


def _certain() -> StackInput:
    data = made_stack()
    return replace(data, train=np.round(data.train), test=np.round(data.test))


def _constant() -> StackInput:
    data = made_stack()
    return replace(data, train=np.full_like(data.train, 0.3))


def _folds_of_other_names() -> StackInput:
    data = made_stack()
    return replace(data, fold=np.array([4, 1, 7])[data.fold])


HARD: dict[str, Callable[[], StackInput]] = {
    "tags that all or no training ads carry": _rare_tags,
    "one model": lambda: made_stack(n_models=1),
    "one tag": lambda: made_stack(n_tags=1),
    "more than 20 tags": lambda: made_stack(n_tags=25),
    "no metadata": _no_metadata,
    "metadata all NA": _unknown_metadata,
    "no test ads": lambda: made_stack(n_test=0),
    "probabilities of 0 and 1": _certain,
    "constant models": _constant,
    "a dozen ads": lambda: made_stack(n=12),
    "folds that do not count from 0": _folds_of_other_names,
}


class MetaLearnerContract:
    """What the stack relies on in a meta-learner."""

    def make(self) -> MetaLearner:
        """Return a meta-learner that was never used."""
        raise NotImplementedError(
            f"{type(self).__name__} needs a method `make(self)` that returns a meta-learner."
        )

    @pytest.mark.parametrize("case", HARD)
    def test_predicts_probabilities_of_the_right_shape_from(self, case: str) -> None:
        data = HARD[case]()
        output = self._cross_fit(data)
        n_tags = data.labels.shape[1]
        for name, part, shape in (
            ("oof", output.oof, data.labels.shape),
            ("fold_test", output.fold_test, (len(data.folds), len(data.test), n_tags)),
        ):
            assert part.shape == shape, f"{name} must have the shape {shape}, got {part.shape}."
            assert part.dtype == np.float32, f"{name} must be float32, got {part.dtype}."
            assert ((part >= 0) & (part <= 1)).all(), (
                f"{name} must lie between 0 and 1; it ranges from {part.min()} to {part.max()}."
            )

    def test_beats_the_mean_model(self) -> None:
        data = made_stack(n=240, n_tags=8)
        models = [gap(data.labels, data.train[:, m]) for m in range(len(data.models))]
        found = gap(data.labels, self._cross_fit(data).oof)
        assert found > np.mean(models), (
            f"The stack scores {found:.3f}, its models {np.mean(models):.3f} on average. Check "
            "that rows and labels stay together."
        )

    def test_labels_of_held_out_ads_do_not_change_a_bit_of_their_predictions(self) -> None:
        data = made_stack()
        labels = data.labels.copy()
        labels[data.fold == 1] = 1 - labels[data.fold == 1]
        before, after = self._cross_fit(data), self._cross_fit(replace(data, labels=labels))
        _check_same(before, after, data, np.flatnonzero(data.fold == 1), 1, "its labels changed")

    @pytest.mark.parametrize("what", ["train", "train_missing", "train_metadata"])
    def test_what_is_known_of_a_held_out_ad_does_not_change_a_bit_of_the_others(
        self, what: str
    ) -> None:
        data = made_stack()
        one, *rest = np.flatnonzero(data.fold == 2)
        changed = getattr(data, what).copy()
        if what == "train_metadata":
            other = {"a": "b", "b": "a"}[changed.loc[one, "kind"]]
            changed.loc[one, ["size", "kind"]] = [1e6, other]
        else:
            changed[one] = 1 - changed[one] if what == "train" else ~changed[one]
        before = self._cross_fit(data)
        after = self._cross_fit(replace(data, **{what: changed}))
        _check_same(before, after, data, np.array(rest), 2, f"{what} of one of them changed")

    def test_test_ads_do_not_change_a_bit_of_the_others_predictions(self) -> None:
        data = made_stack()
        test, metadata = data.test.copy(), data.test_metadata.copy()
        test[0], metadata.iloc[0, 0] = 1 - test[0], 1e6
        before = self._cross_fit(data)
        after = self._cross_fit(replace(data, test=test, test_metadata=metadata))
        assert np.array_equal(before.oof, after.oof), (
            "A test ad changed and with it the predictions of training ads. Learn nothing from "
            "test ads: no scale, rank or vocabulary."
        )
        assert np.array_equal(before.fold_test[:, 1:], after.fold_test[:, 1:]), (
            "A test ad changed and with it the predictions of other test ads."
        )

    def test_test_ad_like_a_held_out_ad_gets_its_prediction(self) -> None:
        data = made_stack(n_test=3)
        twin = int(np.flatnonzero(data.fold == 0)[4])
        output = self._cross_fit(
            replace(
                data,
                test=np.repeat(data.train[[twin]], 3, axis=0),
                test_metadata=data.train_metadata.iloc[[twin] * 3],
                test_missing=np.repeat(data.train_missing[[twin]], 3, axis=0),
            )
        )
        assert np.allclose(output.fold_test[0], output.oof[twin], rtol=1e-5), (
            "The meta-learner of fold 0 must predict a test ad as it predicts a held-out ad of "
            "which the same is known. fold_test holds the folds in ascending order."
        )

    def test_same_seed_same_bytes(self) -> None:
        learner, data = self._new(), made_stack()
        first, again = learner.cross_fit(data), learner.cross_fit(data)
        other = self._cross_fit(data)
        for name in ("oof", "fold_test"):
            expected = getattr(first, name).tobytes()
            assert {getattr(o, name).tobytes() for o in (again, other)} == {expected}, (
                f"{name} differs from one call to the next. Seed every random generator with "
                "`random_state`, in cross_fit, and keep nothing of the call before."
            )

    def test_arguments_stay_as_they_are(self) -> None:
        data = made_stack()
        before = _all_of(data)
        self._cross_fit(data)
        assert _all_of(data) == before, "cross_fit changed its argument. Work on a copy."

    def test_constructor_only_stores_its_parameters(self) -> None:
        learner = self.make()
        wanted = {p for p in inspect.signature(type(learner)).parameters if p != "self"}
        assert set(vars(learner)) == wanted, (
            f"The constructor must store each of {sorted(wanted)} under its own name and nothing "
            f"else; it stored {sorted(vars(learner))}. Move the rest to cross_fit."
        )

    def test_single_fold_is_refused(self) -> None:
        data = made_stack()
        with pytest.raises(ModelError, match="two folds or more"):
            self._cross_fit(replace(data, fold=np.zeros_like(data.fold)))

    @pytest.mark.parametrize("bad", [np.nan, 1.5])
    def test_what_is_no_probability_is_refused(self, bad: float) -> None:
        data = made_stack()
        train = data.train.copy()
        train[11, 1, 2] = bad
        with pytest.raises(ModelError, match=r"'model_1' predicts .* training ad number 11"):
            self._cross_fit(replace(data, train=train))

    def _new(self) -> MetaLearner:
        learner = self.make()
        if "random_state" in learner.get_params():
            learner.set_params(random_state=7)
        return learner

    def _cross_fit(self, data: StackInput) -> StackOutput:
        return self._new().cross_fit(data)


def _check_same(
    before: StackOutput,
    after: StackOutput,
    data: StackInput,
    rows: np.ndarray,
    fold: int,
    why: str,
) -> None:
    k = data.folds.index(fold)
    for name, old, new in (
        ("a held-out ad", before.oof[rows], after.oof[rows]),
        ("a test ad", before.fold_test[k], after.fold_test[k]),
    ):
        assert np.array_equal(old, new), (
            f"Fold {fold} is held out and {why}; by that the prediction of {name} moved by up to "
            f"{np.abs(old - new).max():.2g}. Learn from the ads of the other folds only."
        )


def _all_of(data: StackInput) -> list[Any]:
    parts = [data.train, data.test, data.train_missing, data.test_missing, data.labels, data.fold]
    return [
        *(part.tobytes() for part in parts),
        snapshot(data.train_metadata),
        snapshot(data.test_metadata),
    ]
