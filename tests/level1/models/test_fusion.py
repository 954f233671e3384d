"""Fusion of features: what each way of fusing computes, and what the modalities become."""

import numpy as np
import pandas as pd
import pytest

from competition.config.profile import load_profile
from competition.datasets import load_dataset
from competition.level1.components.modalities import Modalities
from competition.level1.models.fusion import Fusion
from competition.pipeline.plan import plan_models
from competition.testing.level1 import Level1Contract
from competition.testing.synthetic import made_ads
from competition.text.terms import TermsSpec
from competition.utils.errors import ModelError

QUICK = {"width": 16, "epochs": 12, "networks": 1, "learning_rate": 1e-2, "device": "cpu"}


class TestAttention(Level1Contract):
    """The registered default, concat, is held to the contract with the other models."""

    kinds = ("text", "metadata", "array")

    def make(self) -> Fusion:
        return Fusion("attention", **QUICK)


def fitted(how: str, missing: tuple = ()) -> tuple[Fusion, pd.DataFrame, np.ndarray]:
    X, Y = made_ads(("text", "metadata", "array"), missing=missing)
    return Fusion(how, **QUICK).fit(X, Y), X, Y


def relu(units: np.ndarray) -> np.ndarray:
    return np.maximum(units, 0)


@pytest.mark.parametrize("how", ["concat", "sum", "max", "attention"])
def test_network_computes_what_its_name_says(how: str) -> None:
    model, X, _ = fitted(how)
    X = X.iloc[:9].copy()
    X.iloc[4, X.columns.get_loc("visual")] = None
    features, present = model.modalities_.transform(X)
    w = {name: value.numpy().astype(np.float64) for name, value in model.weights_[0].items()}
    expected = []
    for ad in range(len(X)):
        units = [
            relu(features[m][ad] @ w[f"in_{m}"] + w[f"in_{m}_bias"])
            for m in range(len(features))
            if present[ad, m]
        ]
        if how == "concat":
            rest = iter(units)
            fused = np.concatenate([next(rest) if p else np.zeros(16) for p in present[ad]])
        elif how == "attention":
            scores = [
                float(
                    np.tanh(u @ w["attention"] + w["attention_bias"]) @ w["score"][:, 0]
                    + w["score_bias"][0]
                )
                for u in units
            ]
            shares = np.exp(scores) / np.exp(scores).sum()
            fused = sum(share * u for share, u in zip(shares, units, strict=True))
        else:
            fused = {"sum": np.sum, "max": np.max}[how](units, axis=0)
        hidden = relu(fused @ w["hidden"] + w["hidden_bias"])
        expected.append(1 / (1 + np.exp(-(hidden @ w["out"] + w["out_bias"]))))
    assert present.sum() == present.size - 1
    np.testing.assert_allclose(model.predict_proba(X), expected, atol=1e-5)


def test_ad_without_any_modality_gets_the_prior() -> None:
    model, _, Y = fitted("concat")
    X, _ = made_ads(("text", "metadata", "array"), missing=("text", "metadata", "array"))
    np.testing.assert_allclose(
        model.predict_proba(X.iloc[:2]), np.tile(Y.mean(axis=0), (2, 1)), rtol=1e-6
    )


def test_unknown_way_of_fusing_is_refused() -> None:
    X, Y = made_ads(("metadata",))
    with pytest.raises(ModelError, match=r"how = 'product': choose one of concat, sum"):
        Fusion("product").fit(X, Y)  # type: ignore[arg-type]


def test_texts_become_the_leading_directions_of_their_terms() -> None:
    X, _ = made_ads(("text",))
    features, present = Modalities(TermsSpec("word", (1, 1)), directions=200).fit_transform(X)
    assert len(features) == 1
    assert present.all()
    from competition.level1.components.text import TextVectorizer

    terms = TextVectorizer(TermsSpec("word", (1, 1))).fit_transform(X).toarray()
    # All directions are kept, so that inner products are those of the terms, but for one scale.
    ours, theirs = features[0] @ features[0].T, terms @ terms.T
    np.testing.assert_allclose(ours / ours[0, 0], theirs / theirs[0, 0], atol=1e-4)


def test_array_becomes_its_standardised_mean_over_time() -> None:
    X, _ = made_ads(("array",))
    features, _ = Modalities(TermsSpec()).fit_transform(X)
    means = np.stack([cell.astype(np.float32).mean(axis=0) for cell in X["visual"]])
    expected = (means - means.mean(axis=0)) / means.std(axis=0)
    np.testing.assert_allclose(features[0], expected.clip(-5, 5), atol=1e-4)


def test_metadata_are_scaled_by_training_ads_alone() -> None:
    X, _ = made_ads(("metadata",))
    modalities = Modalities(TermsSpec())
    before = modalities.fit_transform(X)[0][0]
    wild = X.assign(budget=X["budget"].where(X.index != "ad3", 1e6))
    after = modalities.transform(wild)[0][0]
    np.testing.assert_array_equal(np.delete(before, 3, axis=0), np.delete(after, 3, axis=0))


def test_cell_of_no_known_kind_is_named() -> None:
    with pytest.raises(ModelError, match="Ad 'ad1', column 'poster': list is neither a text"):
        Modalities(TermsSpec()).fit_transform(
            pd.DataFrame({"poster": [None, [1, 2]]}, index=["ad0", "ad1"], dtype=object)
        )


def test_runs_where_a_profile_names_it_alone(shared_table) -> None:
    dataset = load_dataset(shared_table)
    assert "fusion" not in [p.name for p in plan_models(load_profile("text"), dataset)]
    named = load_profile("text", ['level1.fusion.how="max"'])
    assert "fusion" in [p.name for p in plan_models(named, dataset)]


def test_posters_run_it_on_all_that_they_have(shared_table) -> None:
    dataset = load_dataset(shared_table)
    (planned,) = [p for p in plan_models(load_profile("posters"), dataset) if p.name == "fusion"]
    kinds = {
        given.kind
        for given in dataset.inputs.values()
        for column in given.columns
        if column in planned.columns
    }
    assert {"text", "metadata"} <= kinds
    assert planned.params == {"epochs": 10, "dropout": 0.5}
