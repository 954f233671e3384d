"""Meta-learners by name, and what they are made with."""

import warnings

import pytest
from optuna.trial import FixedTrial

from competition.level2.registry import find_meta_learners, get_meta_learner, meta_parameters
from competition.utils.errors import ProfileError


def test_every_rival_is_registered() -> None:
    rivals = {"single", "mean", "rank_mean", "logit_mean", "logreg", "pooled", "greedy", "dnn"}
    rivals |= {"lightgbm", "xgboost", "corrector", "calibrated_mean"}
    assert rivals <= set(find_meta_learners())


def test_a_learner_without_chance_gets_no_seed() -> None:
    assert meta_parameters("mean", {}, seed=3) == {}


def test_a_given_seed_goes_before_the_profiles() -> None:
    given = {"random_state": 5, "seeds": 2}
    assert meta_parameters("dnn", given, seed=3) == {"random_state": 5, "seeds": 2}


def test_an_unknown_key_is_an_error_that_names_the_nearest() -> None:
    with pytest.raises(
        ProfileError, match=r"level2\.greedy: unknown key round\. Did you mean 'rounds'\?"
    ):
        meta_parameters("greedy", {"round": 3}, seed=0)


@pytest.mark.parametrize(
    "name", [name for name in find_meta_learners() if get_meta_learner(name).search_space]
)
def test_what_is_tried_are_parameters_and_the_defaults_lie_within(name: str) -> None:
    entry = get_meta_learner(name)
    assert entry.search_space is not None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tried = entry.search_space(FixedTrial(entry.parameters))
    assert tried == {key: entry.parameters[key] for key in tried}
    assert tried
