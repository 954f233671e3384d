"""What a stack sees where a level-1 model has no prediction."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from competition.evaluation.metrics import gap
from competition.level2.components.expected import fill_expected
from competition.level2.crossfit import cross_fit
from competition.level2.data import Ads, StackData
from competition.level2.registry import get_meta_learner

N_ADS, N_TAGS, PARTIAL = 600, 20, 3


def made() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, predictions of three models and of a better one, and the ads that it lacks."""
    rng = np.random.default_rng(0)
    level = rng.normal(-2, 1, N_TAGS)
    logits = level + 1.5 * rng.normal(size=(N_ADS, N_TAGS))
    labels = (rng.random(logits.shape) < expit(logits)).astype(np.uint8)
    found = [
        expit(level + (logits - level) / 2 + noise * rng.normal(size=logits.shape))
        for noise in (1, 1, 1, 0.5)
    ]
    return labels, np.stack(found, axis=1).astype(np.float32), rng.random(N_ADS) < 0.3


def stack_data(labels: np.ndarray, models: np.ndarray, lacking: np.ndarray) -> StackData:
    n_models = models.shape[1]
    reads = np.zeros((n_models, lacking.shape[1]), dtype=bool)
    reads[PARTIAL:] = True
    ads = Ads(models, pd.DataFrame(index=range(N_ADS)), lacking)
    return StackData(tuple("abcd"[:n_models]), reads, ads, labels, np.arange(N_ADS) % 5, 20)


def filled(models: np.ndarray, lacking: np.ndarray) -> np.ndarray:
    models = models.copy()
    models[lacking, PARTIAL] = 0.5
    fill_expected(models, models[:0], {PARTIAL: (lacking, lacking[:0])})
    return models


@pytest.mark.parametrize(
    ("learner", "cost"),
    [("pooled", 1e-3), ("logreg", 1e-3), ("dnn", 1e-3), ("mean", 0.01), ("greedy", 0.02)],
)
def test_partial_model_helps_where_it_predicts_and_costs_next_to_nothing_where_it_does_not(
    learner: str, cost: float
) -> None:
    labels, models, lacking = made()
    make = get_meta_learner(learner).make
    data = stack_data(labels, filled(models, lacking), lacking[:, None])
    bare = stack_data(labels, models[:, :PARTIAL], lacking[:, None][:, :0])
    with_it, without = (cross_fit(make(), one).oof for one in (data, bare))

    def gain(ads: np.ndarray) -> float:
        return gap(labels[ads], with_it[ads]) - gap(labels[ads], without[ads])

    assert gain(~lacking) > 0.02
    assert gain(lacking) > -cost
    assert gain(np.ones(N_ADS, dtype=bool)) > 0.01


def test_stand_in_is_the_regression_on_the_other_models() -> None:
    _, models, lacking = made()
    models[:, PARTIAL] = models[:, 0]  # the first model again
    found = filled(models, lacking)
    np.testing.assert_allclose(found[lacking, PARTIAL], models[lacking, 0], atol=0.01)
    np.testing.assert_array_equal(found[~lacking], models[~lacking])


def test_model_without_others_gets_the_means_of_its_tags() -> None:
    _, models, lacking = made()
    alone = models[:, PARTIAL:].copy()
    fill_expected(alone, alone[:0], {0: (lacking, lacking[:0])})
    logits = np.log(models[~lacking, PARTIAL]) - np.log1p(-models[~lacking, PARTIAL])
    means = expit(np.clip(logits, *np.log([0.003 / 0.997, 0.997 / 0.003])).mean(axis=0))
    np.testing.assert_allclose(alone[lacking, 0], np.tile(means, (lacking.sum(), 1)), rtol=1e-4)
