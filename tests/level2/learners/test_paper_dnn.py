"""The paper's network: what it computes, and what it refuses."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from competition.level2.crossfit import cross_fit
from competition.level2.data import Ads
from competition.level2.learners.paper_dnn import PaperDNN
from competition.testing.stacks import made_stack
from competition.utils.errors import ModelError
from competition.utils.odds import prior_logits
from tests.short_memory import ADDMM, short_memory

QUICK = {"hidden": (32, 16), "epochs": 3}


def test_it_is_three_dense_layers_over_probabilities_and_metadata() -> None:
    data, test = made_stack()
    fitted = PaperDNN(**QUICK).fit(data)
    n_models, n_tags = len(data.models), data.labels.shape[1]
    plain, _ = fitted.metadata_.design(test.metadata, test.missing[:, :0])
    shapes = [weight.shape for weight, _ in fitted.layers_]
    assert shapes == [(n_models * n_tags + plain.shape[1], 32), (32, 16), (16, n_tags)]
    units = np.hstack([test.probabilities.reshape(len(test), -1), plain])
    for weight, bias in fitted.layers_[:-1]:
        units = np.maximum(units @ weight + bias, 0)
    weight, bias = fitted.layers_[-1]
    np.testing.assert_allclose(
        fitted.predict_proba(test), expit(units @ weight + bias), rtol=1e-4, atol=1e-6
    )


def test_missing_inputs_are_not_seen() -> None:
    data, test = made_stack()
    fitted = PaperDNN(**QUICK).fit(data)
    other = Ads(test.probabilities, test.metadata, ~test.missing)
    np.testing.assert_array_equal(fitted.predict_proba(test), fitted.predict_proba(other))


def test_it_starts_at_the_share_of_each_tag() -> None:
    data, test = made_stack()
    found = PaperDNN(**{**QUICK, "epochs": 1, "learning_rate": 1e-9}).fit(data).predict_proba(test)
    expected = np.broadcast_to(expit(prior_logits(data.labels)), found.shape)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_facts_about_the_film_teach_it_something() -> None:
    data, _ = made_stack(n=600, n_models=1, n_tags=4)
    rng = np.random.default_rng(0)
    facts = pd.DataFrame({"time": rng.exponential(20, 600), "height": rng.choice([720, 1280], 600)})
    labels = data.labels.copy()
    labels[:, 0] = facts["height"] == 1280
    given = {"labels": labels, "ads": Ads(data.ads.probabilities, facts, data.ads.missing)}
    with_facts = replace(data, **given)
    learner = PaperDNN(hidden=(64, 32), epochs=20, learning_rate=3e-3)
    oof = cross_fit(learner, with_facts).oof
    assert np.abs(oof[:, 0] - labels[:, 0]).mean() < 0.1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hidden": (8,)}, r"hidden needs two widths, got \(8,\)"),
        ({"epochs": 0}, "epochs above 0, got 0"),
        ({"dropout": 1.0}, r"dropout in \[0, 1\), got 1.0"),
    ],
)
def test_settings_of_another_network_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        PaperDNN(**settings).fit(made_stack()[0])


def test_what_does_not_fit_into_memory_is_halved_to_the_same_probabilities() -> None:
    data, test = made_stack()
    model = PaperDNN(**QUICK, dropout=0.0)
    whole = model.fit(data).predict_proba(test)
    with short_memory(5, ADDMM) as seen:
        halved = model.fit(data).predict_proba(test)
    assert max(seen) > 5
    assert sum(n > 5 for n in seen) == 4  # 32, 16 and 8 in the first step; 7 to predict
    np.testing.assert_allclose(halved, whole, atol=1e-5)


def test_an_ad_that_does_not_fit_is_told() -> None:
    with short_memory(0, ADDMM), pytest.raises(ModelError, match="A single ad does not fit"):
        PaperDNN(**QUICK).fit(made_stack()[0])
