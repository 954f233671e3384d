"""A network tuned on image files."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from competition.datasets import load_dataset
from competition.reproductions.look_read_feel.fine_tuned import FineTuned
from competition.utils.errors import FeatureError


@pytest.fixture
def ads(pitt: Path) -> tuple[pd.DataFrame, np.ndarray]:
    dataset = load_dataset(pitt)
    files = [str(pitt / ad) for ad in dataset.train_ids]
    return pd.DataFrame({"picture": files}, index=dataset.train_ids), dataset.labels


def test_learns_colours_and_is_repeatable(
    ads: tuple[pd.DataFrame, np.ndarray], resnet: Path
) -> None:
    X, Y = ads
    model = FineTuned(str(resnet), epochs=6, batch_size=8, learning_rate=3e-3, device="cpu")
    first = model.fit(X.iloc[:40], Y[:40]).predict_proba(X.iloc[40:])
    cars = Y[40:, 1] == 1
    assert first[cars, 1].mean() > first[~cars, 1].mean() + 0.2
    assert np.array_equal(first, model.fit(X.iloc[:40], Y[:40]).predict_proba(X.iloc[40:]))


def test_every_layer_is_trained(ads: tuple[pd.DataFrame, np.ndarray], resnet: Path) -> None:
    from transformers import ResNetModel

    X, Y = ads
    model = FineTuned(str(resnet), epochs=1, device="cpu").fit(X.iloc[:40], Y[:40])
    before = dict(ResNetModel.from_pretrained(resnet).named_parameters())
    after = dict(model.network_.resnet.named_parameters())
    assert before
    assert not any(torch.equal(before[name], after[name]) for name in before)


def test_images_that_cannot_be_read_get_the_prior(
    ads: tuple[pd.DataFrame, np.ndarray], resnet: Path, tmp_path: Path
) -> None:
    X, Y = ads[0].iloc[:20].copy(), ads[1][:20]
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8 nothing")
    X.iloc[0, 0], X.iloc[1, 0] = None, str(tmp_path / "broken.jpg")
    found = FineTuned(str(resnet), epochs=1, device="cpu").fit(X, Y).predict_proba(X)
    assert np.allclose(found[:2], Y.mean(axis=0))
    assert not np.allclose(found[2], Y.mean(axis=0))


def test_absent_checkpoint_is_named(ads: tuple[pd.DataFrame, np.ndarray], tmp_path: Path) -> None:
    with pytest.raises(FeatureError, match="absent"):
        FineTuned(str(tmp_path / "absent")).fit(*ads)
