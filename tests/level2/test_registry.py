"""Meta-learners by name, and what they are made with."""

import pytest

from competition.errors import ProfileError
from competition.level2.registry import find_meta_learners, meta_parameters


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
