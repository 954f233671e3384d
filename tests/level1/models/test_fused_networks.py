"""Networks of several models trained as one."""

from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
import torch

from competition.level1.models.fused_networks import FusedNetworks
from competition.level1.networks import Fusing
from competition.level1.networks.arrays import ArrayNetwork, Branch
from competition.level1.networks.fused import FusedNetwork
from competition.utils.errors import ModelError

BRANCHES: dict[str, dict[str, Any]] = {
    "frames": {"inputs": ["visual"], "parameters": {"hidden": 8}},
    "sound": {"inputs": ["sound"], "parameters": {"hidden": 8}},
}
QUICK: dict[str, Any] = {"width": 16, "epochs": 60, "batch_size": 16, "device": "cpu"}


def two_halves(n_ads: int = 160) -> tuple[pd.DataFrame, np.ndarray]:
    """Ads whose first tag only the frames show, and whose second only the sound."""
    rng = np.random.default_rng(0)
    Y = rng.integers(0, 2, (n_ads, 2)).astype(np.uint8)
    columns = {
        name: [(rng.normal(size=(4, 5)) + 2 * label).astype(np.float32) for label in Y[:, column]]
        for column, name in enumerate(("visual", "sound"))
    }
    return pd.DataFrame(columns, index=[f"ad{n}" for n in range(n_ads)], dtype=object), Y


@pytest.mark.parametrize("how", get_args(Fusing))
def test_each_way_of_fusing_sees_every_branch(how: Fusing) -> None:
    X, Y = two_halves()
    model = FusedNetworks(BRANCHES, how, **QUICK).fit(X[:120], Y[:120])
    right = (model.predict_proba(X[120:]) > 0.5) == Y[120:]
    assert right.mean(axis=0).min() > 0.9


@pytest.mark.parametrize("how", get_args(Fusing))
def test_an_ad_without_a_modality_is_told_by_the_other(how: Fusing) -> None:
    X, Y = two_halves()
    bare = X.copy()
    bare.loc[bare.index[::3], "sound"] = None
    model = FusedNetworks(BRANCHES, how, **QUICK).fit(bare[:120], Y[:120])
    lacking = X[120:].copy()
    lacking["sound"] = None
    found = model.predict_proba(lacking)
    assert ((found[:, 0] > 0.5) == Y[120:, 0]).mean() > 0.8
    nothing = lacking.copy()
    nothing["visual"] = None
    np.testing.assert_allclose(model.predict_proba(nothing), np.tile(model.prior_, (40, 1)))


def test_fusing_is_what_its_formula_says() -> None:
    torch.manual_seed(0)
    zeros, ones = np.zeros(3, np.float32), np.ones(3, np.float32)
    labels = np.array([[1, 0], [0, 1]], np.uint8)

    def network(how: Fusing) -> tuple[FusedNetwork, list[torch.Tensor]]:
        parts = [
            ArrayNetwork([Branch(zeros, ones, 4, 1, "mean", 8, 0.0)], 4, 0.0, labels)
            for _ in range(2)
        ]
        fused = FusedNetwork(parts, how, 6, 0.0, labels).eval()
        torch.nn.init.normal_(fused.head.weight)
        return fused, [torch.randn(2, 5, 3), torch.ones(2, 5, dtype=bool)] * 2

    there = torch.tensor([[1.0, 1.0], [1.0, 0.0]])
    for how in get_args(Fusing):
        fused, tensors = network(how)
        units = [
            torch.relu(project(branch.encode(*tensors[2 * m : 2 * m + 2]))) * there[:, m : m + 1]
            for m, (branch, project) in enumerate(zip(fused.branches, fused.project, strict=True))
        ]
        if how == "concat":
            joined = torch.cat(units, dim=1)
        elif how == "sum":
            joined = units[0] + units[1]
        elif how == "max":
            joined = torch.maximum(units[0], units[1])
        else:  # the scores start at 0: a mean over the modalities that are there
            joined = (units[0] + units[1]) / there.sum(dim=1, keepdim=True)
        expected = fused.head(torch.relu(fused.hidden(joined)))
        torch.testing.assert_close(fused(there, *tensors), expected)


def test_branches_that_cannot_be_are_named() -> None:
    X, Y = two_halves(20)
    with pytest.raises(ModelError, match=r"branches.words: the model tfidf_logreg is no network"):
        FusedNetworks({"words": {"model": "tfidf_logreg", "inputs": ["visual"]}}).fit(X, Y)
    with pytest.raises(ModelError, match=r"branches.frames.inputs: film of the columns"):
        FusedNetworks({"frames": {"inputs": ["film"]}}).fit(X, Y)
    with pytest.raises(ModelError, match=r"branches.frames.inputs: none of the columns"):
        FusedNetworks({"frames": {}}).fit(X, Y)
