"""Which models are dropped where a stack may cost so much and no more."""

from dataclasses import replace

import numpy as np
import pytest

from competition.evaluation.metrics import gap
from competition.level2.crossfit import cross_fit
from competition.level2.registry import get_meta_learner
from competition.saved.budget import Budget, Cost, Costs, choose
from competition.testing.stacks import made_stack, with_probabilities
from competition.utils.errors import ModelError

NOTHING = frozenset[str]()
DATA, _ = made_stack(n=120, n_models=4)  # model_0 is the best, model_3 the weakest


def costs(*ms: float, reads: dict[str, frozenset[str]] | None = None, feature: float = 0) -> Costs:
    models = {f"model_{place}": Cost(one, 1.0) for place, one in enumerate(ms)}
    given = reads or {}
    features = {name: Cost(feature, 0.5) for name in NOTHING.union(*given.values())}
    return Costs(models, features, {m: given.get(m, NOTHING) for m in models}, Cost(2.0, 0.25))


def test_cost_counts_a_feature_once_and_only_while_it_is_read() -> None:
    picture = frozenset(["vit"])
    found = costs(1, 2, 3, 4, reads={"model_2": picture, "model_3": picture}, feature=50)
    assert found.of(["model_0", "model_1"]) == Cost(5.0, 2.25)
    assert found.of(["model_2", "model_3"]) == Cost(59.0, 2.75)


def test_a_stack_that_fits_keeps_all_models() -> None:
    way = choose(DATA, costs(1, 1, 1, 1), Budget(ms=6.0, mb=4.25))
    assert [(step.dropped, step.models) for step in way.steps] == [((), DATA.models)]
    oof = cross_fit(get_meta_learner("pooled").make(), DATA).oof
    assert way.steps[0].gap == way.nested_gap == gap(DATA.labels, oof, DATA.top_k)


def test_models_that_give_least_for_what_they_cost_go_first() -> None:
    """All cost the same: the weakest goes; a dear one goes before it."""
    alike = choose(DATA, costs(10, 10, 10, 10), Budget(ms=33))
    assert alike.steps[-1].dropped == ("model_3",)
    dear = choose(DATA, costs(10, 10, 500, 10), Budget(ms=33))
    assert dear.steps[-1].dropped == ("model_2",)
    assert dear.steps[-1].cost == Cost(32.0, 3.25)
    assert [len(step.models) for step in dear.steps] == [4, 3]
    small = choose(DATA, costs(10, 10, 10, 10), Budget(mb=2.3))
    assert len(small.steps[-1].models) == 2
    assert "model_0" in small.steps[-1].models


def test_all_readers_of_a_dear_feature_may_go_at_once() -> None:
    """Neither of the two saves anything by itself."""
    reads = {"model_1": frozenset(["vit"]), "model_2": frozenset(["vit"])}
    way = choose(DATA, costs(1, 0, 0, 1, reads=reads, feature=900), Budget(ms=10))
    assert way.steps[-1].dropped == ("model_1", "model_2")


def test_the_only_model_that_fits_is_kept_though_it_is_the_worst() -> None:
    """To drop it would cost no GAP, and leave nothing that fits."""
    noise = DATA.ads.probabilities.copy()
    noise[:, 3] = np.random.default_rng(0).random(noise[:, 3].shape)
    data = with_probabilities(DATA, noise)
    way = choose(data, costs(50, 50, 50, 40), Budget(ms=45))
    assert way.steps[-1].models == ("model_3",)


def test_models_that_save_only_together_end_at_one() -> None:
    """Each feature is read by two of three models, none of which costs anything of its own."""
    first, second, third = frozenset("ab"), frozenset("bc"), frozenset("ac")
    reads = {"model_0": first, "model_1": second, "model_2": third}
    data = DATA.of_models(["model_0", "model_1", "model_2"])
    way = choose(data, costs(0, 0, 0, reads=reads, feature=10), Budget(ms=25))
    assert len(way.steps[-1].models) == 1


def test_what_is_held_out_does_not_choose() -> None:
    """The nested GAP of a fold is of models that were chosen by the labels of the others."""
    found = costs(10, 10, 10, 10)
    before = choose(DATA, found, Budget(ms=23))
    # In fold 2 the weakest model knows the labels: who looked there would keep it.
    held = DATA.fold == 2
    leaked = DATA.ads.probabilities.copy()
    leaked[held, 3] = 0.02 + 0.96 * DATA.labels[held]
    data = with_probabilities(DATA, leaked)
    oof = np.zeros(DATA.labels.shape, dtype=np.float32)
    for fold in data.folds:
        others = data.without_fold(fold)
        kept = choose(others, found, Budget(ms=23)).steps[-1].models
        assert fold != 2 or "model_3" not in kept
        learner = get_meta_learner("pooled").make().fit(others.of_models(kept))
        rows = np.flatnonzero(data.fold == fold)
        oof[rows] = learner.predict_proba(data.of_models(kept).ads.take(rows))
    nested = choose(data, found, Budget(ms=23)).nested_gap
    assert nested == gap(data.labels, oof, data.top_k)
    assert nested != before.nested_gap


def test_labels_by_chance_score_by_chance() -> None:
    rng = np.random.default_rng(0)
    shuffled = replace(DATA, labels=rng.permutation(DATA.labels))
    way = choose(shuffled, costs(10, 10, 10, 10), Budget(ms=13))
    by_prior = np.tile(shuffled.labels.mean(axis=0), (len(shuffled.labels), 1))
    assert way.nested_gap < gap(shuffled.labels, by_prior, shuffled.top_k) + 0.03


def test_no_model_that_fits_is_one_sentence() -> None:
    with pytest.raises(ModelError, match=r"No model fits 1 ms an ad and 9 MB: model_\d alone"):
        choose(DATA, costs(10, 11, 12, 13), Budget(ms=1, mb=9))
