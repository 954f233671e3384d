"""A batch that does not fit into memory is halved by every network, to the same probabilities."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from competition.level1.base import Level1Model
from competition.level1.models.bert import Bert
from competition.level1.models.c2ae import C2AE, C2AEFeatures
from competition.level1.models.frames import Frames
from competition.level1.models.fused_networks import FusedNetworks
from competition.level1.models.fusion import Fusion
from competition.level1.models.hmam import Hmam
from competition.level1.models.image_classifier import ImageClassifier
from competition.level1.models.mlgcn import MLGCN, MLGCNFeatures
from competition.level1.models.sound import Sound
from competition.level1.models.text_net import TextNet
from competition.testing.synthetic import made_ads
from competition.utils.errors import ModelError
from tests.short_memory import MATMUL, short_memory

FITS, BATCH = 5, 16
ONCE = {"epochs": 2, "batch_size": BATCH, "device": "cpu"}
# What is dropped depends on what is computed together, so that nothing is.
PLAIN = {**ONCE, "dropout": 0.0}
BRANCHES = {
    "frames": {"inputs": ["visual"], "parameters": {"hidden": 8, "dropout": 0.0}},
    "sound": {"inputs": ["sound"], "parameters": {"hidden": 8, "dropout": 0.0}},
}
# From checkpoints of a BERT, a ViT and a ResNet to a model; what it reads.
MODELS: dict[str, tuple[Callable[..., Level1Model], str]] = {
    "frames": (lambda **_: Frames(hidden=8, **PLAIN), "array"),
    "sound": (lambda **_: Sound(hidden=8, **PLAIN), "array"),
    "fused_networks": (lambda **_: FusedNetworks(BRANCHES, width=8, **PLAIN), "array"),
    "bert": (lambda bert, **_: Bert(str(bert), max_tokens=20, tuning_rate=1e-2, **PLAIN), "text"),
    "text_net": (lambda **_: TextNet(hidden_size=8, **PLAIN), "text"),
    "image_classifier": (lambda vit, **_: ImageClassifier(str(vit), **ONCE), "image"),
    "c2ae": (lambda vit, **_: C2AE(str(vit), hidden=8, **ONCE), "image"),
    "c2ae_features": (lambda **_: C2AEFeatures(hidden=8, **ONCE), "array"),
    "mlgcn": (lambda vit, **_: MLGCN(str(vit), hidden=8, **ONCE), "image"),
    "mlgcn_features": (lambda **_: MLGCNFeatures(hidden=8, **ONCE), "array"),
    "fusion": (lambda **_: Fusion(width=8, networks=1, **PLAIN), "array"),
    "hmam": (lambda **_: Hmam(dim=8, hidden=8, objects="visual", **PLAIN), "both"),
}
PRODUCTS = ("mlgcn", "mlgcn_features", "fusion")  # their layers are no modules


@pytest.fixture(scope="module")
def undropped_bert(tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny BERT without dropout in its layers."""
    import json
    import shutil

    folder = shutil.copytree(tiny_bert, tmp_path_factory.mktemp("bert") / "undropped")
    config = json.loads((folder / "config.json").read_text())
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture(params=MODELS)
def made(
    request: pytest.FixtureRequest, undropped_bert: Path, tiny_vit: Path, tmp_path: Path
) -> tuple[Callable[[], Level1Model], pd.DataFrame, np.ndarray, tuple[Any, ...]]:
    make, kind = MODELS[request.param]
    kinds: Any = ("text", "array") if kind == "both" else (kind,)
    X, Y = made_ads(kinds, 40, folder=tmp_path)
    if request.param == "bert":
        X = X.map(lambda text: text.replace("filler", "w").replace("word", "w"))
    checkpoints = {"bert": undropped_bert, "vit": tiny_vit}
    return lambda: make(**checkpoints), X, Y, MATMUL if request.param in PRODUCTS else ()


def test_batches_that_do_not_fit_are_halved_and_give_the_same_probabilities(made):
    make, X, Y, products = made
    with short_memory(10**9, products) as seen:
        whole = make().fit(X, Y).predict_proba(X)
    assert max(seen) > FITS
    with short_memory(FITS, products) as seen:
        halved = make().fit(X, Y).predict_proba(X)
    assert max(seen) > FITS
    assert sum(n > FITS for n in seen) <= 12  # found out at the beginning, not in every step
    np.testing.assert_allclose(halved, whole, atol=1e-5)
    assert np.ptp(whole, axis=0).max() > 2e-4  # it tells ads from each other


def test_an_ad_that_does_not_fit_is_told_in_one_sentence(made):
    make, X, Y, products = made
    with (
        short_memory(0, products),
        pytest.raises(ModelError, match=r"^A single \w+ does not fit into memory \(\d+ ads do not"),
    ):
        make().fit(X, Y)


def test_batch_normalisation_takes_its_statistics_from_what_fits(tiny_resnet: Path, tmp_path: Path):
    """Documented: other numbers, though not by far, and the run goes on."""
    X, Y = made_ads(("image",), 40, folder=tmp_path)
    whole = ImageClassifier(str(tiny_resnet), **ONCE).fit(X, Y).predict_proba(X)
    with short_memory(8):
        halved = ImageClassifier(str(tiny_resnet), **ONCE).fit(X, Y).predict_proba(X)
    assert not np.array_equal(halved, whole)
    np.testing.assert_allclose(halved, whole, atol=0.2)
