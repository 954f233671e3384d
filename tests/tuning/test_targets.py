"""Search spaces, and what is said where one is missing or wrong."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from competition.config.profile import load_profile
from competition.level1 import registry
from competition.level1.base import Level1Model
from competition.level1.registry import find_models, get_model
from competition.level2.registry import find_meta_learners, get_meta_learner
from competition.pipeline.context import open_context, open_store
from competition.tuning.targets import Tunable, tunable_model
from competition.utils.errors import CompetitionError

MADE = "made_by_the_tests"


class Made(Level1Model):
    """Predicts one number."""

    def __init__(self, level: float = 0.5) -> None:
        self.level = level

    def _fit(self, X: pd.DataFrame, Y: np.ndarray) -> None:
        self.n_tags_ = Y.shape[1]
        if self.level > 1:
            raise ZeroDivisionError("no such luck")

    def _predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        return np.full((len(X), self.n_tags_), self.level)


@pytest.fixture
def declare() -> Iterator[Callable[..., None]]:
    """Register a model with a search space."""

    def register(space: Callable[[Any], dict[str, Any]] | None) -> None:
        body: dict[str, Any] = {"__module__": __name__}
        if space is not None:
            body["search_space"] = staticmethod(space)
        registry.level1_model(MADE, kinds=("text",))(type("MadeToo", (Made,), body))

    yield register
    del registry._registry._entries[MADE]


def tunable(table: Path, out: Path, *overrides: str, name: str = MADE) -> Tunable:
    profile = load_profile("text", ["folds.n=3", *overrides])
    context = open_context(table, profile, out, n_jobs=1, device="cpu")
    return tunable_model(name, context, open_store(context))


ENTRIES = {
    **{name: get_model(name) for name in find_models()},
    **{f"stack-{name}": get_meta_learner(name) for name in find_meta_learners()},
}
DECLARED = {name: entry for name, entry in ENTRIES.items() if entry.search_space is not None}


def test_models_of_texts_trees_and_the_network_can_be_tuned() -> None:
    linear = {"tfidf_linearsvc", "tfidf_logreg", "tfidf_nblogreg"}
    assert {*linear, "lightgbm", "xgboost", "stack-dnn"} <= set(DECLARED)


@pytest.mark.parametrize("name", DECLARED)
@pytest.mark.filterwarnings("error")
def test_search_space_holds_the_defaults(name: str) -> None:
    from optuna.trial import FixedTrial

    entry = DECLARED[name]
    assert entry.search_space is not None
    suggested = entry.search_space(FixedTrial(entry.parameters))
    assert suggested == {key: entry.parameters[key] for key in suggested}


def test_pieces_are_the_oof_predictions_of_the_folds(
    table: Path, tmp_path: Path, declare: Callable[..., None]
) -> None:
    declare(lambda trial: {"level": trial.suggest_float("level", 0, 1)})
    pieces = list(tunable(table, tmp_path).oof({"level": 0.25}))
    assert np.array_equal(np.sum([ads for ads, _ in pieces], axis=0), np.ones(40))
    assert all(np.all(probabilities == 0.25) for _, probabilities in pieces)


def test_tuning_starts_from_the_values_of_the_profile(table: Path, tmp_path: Path) -> None:
    given = tunable(table, tmp_path, "level1.tfidf_logreg.C=0.5", name="tfidf_logreg")
    assert given.start == {"C": 0.5, "min_df": 2}


def test_profile_with_keeps_what_was_not_tuned(table: Path, tmp_path: Path) -> None:
    given = ['level1.chars.model="tfidf_logreg"', 'level1.chars.analyzer="char"', "seed=3"]
    tuned = tunable(table, tmp_path, *given, name="chars").profile_with({"C": 9.0, "min_df": 1})
    assert tuned.seed == 3
    assert tuned.models == ("*", "!text_net", "!shared_trees")
    assert tuned.level1["chars"].model == "tfidf_logreg"
    assert tuned.level1["chars"].params == {"analyzer": "char", "C": 9.0, "min_df": 1}


def identity(table: Path, out: Path, *overrides: str) -> str:
    return tunable(table, out, *overrides, name="tfidf_logreg").identity


def test_values_that_are_tuned_do_not_name_another_study(table: Path, tmp_path: Path) -> None:
    assert identity(table, tmp_path) == identity(table, tmp_path, "level1.tfidf_logreg.C=1")


@pytest.mark.parametrize("override", ["seed=1", 'level1.tfidf_logreg.analyzer="char"'])
def test_values_that_are_not_tuned_name_another_study(
    table: Path, tmp_path: Path, override: str
) -> None:
    assert identity(table, tmp_path) != identity(table, tmp_path, override)


def test_other_space_names_another_study(
    table: Path, tmp_path: Path, declare: Callable[..., None]
) -> None:
    declare(lambda trial: {"level": trial.suggest_float("level", 0, 1)})
    narrow = tunable(table, tmp_path).identity
    declare(lambda trial: {"level": trial.suggest_float("level", 0, 2)})
    assert tunable(table, tmp_path).identity != narrow


FAULTS: dict[str, tuple[Callable[[Any], dict[str, Any]] | None, str]] = {
    "no space": (None, f"'{MADE}' has no search space. Give it a static method"),
    "unknown name": (
        lambda trial: {"depth": trial.suggest_int("depth", 1, 9)},
        "Each suggestion must bear the name of a parameter",
    ),
    "start outside": (
        lambda trial: {"level": trial.suggest_float("level", 0.6, 1)},
        "The value 0.5 of the parameter 'level' is out of the range",
    ),
    "not as suggested": (
        lambda trial: {"level": 2 * trial.suggest_float("level", 0, 1)},
        "it must return each suggestion as it is",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_of_a_search_space_is_explained(
    table: Path, tmp_path: Path, declare: Callable[..., None], fault: str
) -> None:
    space, message = FAULTS[fault]
    declare(space)
    with pytest.raises(CompetitionError) as raised:
        tunable(table, tmp_path)
    assert message in str(raised.value)


def test_unknown_model_is_named(table: Path, tmp_path: Path) -> None:
    with pytest.raises(CompetitionError, match="Did you mean 'tfidf_logreg'"):
        tunable(table, tmp_path, name="tfidf_logrg")


def test_model_that_fails_is_named_with_its_parameters(
    table: Path, tmp_path: Path, declare: Callable[..., None]
) -> None:
    declare(lambda trial: {"level": trial.suggest_float("level", 0, 2)})
    with pytest.raises(CompetitionError, match=r"\{'level': 1.5\}, fold 0: ZeroDivisionError"):
        list(tunable(table, tmp_path).oof({"level": 1.5}))
