"""A network tuned on image files."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from competition.config.profile import load_profile
from competition.level1.models.image_classifier import ImageClassifier
from competition.pipeline.run import run
from competition.testing.synthetic import made_ads
from competition.utils.errors import FeatureError, ModelError
from tests.conftest import TRAIN_HEADER, table_rows, write_csv


@pytest.fixture
def ads(tmp_path: Path) -> tuple[pd.DataFrame, np.ndarray]:
    return made_ads(("image",), 60, folder=tmp_path)


def test_learns_colours_and_is_repeatable(
    ads: tuple[pd.DataFrame, np.ndarray], tiny_resnet: Path
) -> None:
    X, Y = ads
    model = ImageClassifier(
        str(tiny_resnet), epochs=10, batch_size=8, learning_rate=1e-2, device="cpu"
    )
    first = model.fit(X.iloc[:40], Y[:40]).predict_proba(X.iloc[40:])
    bright = Y[40:, 1] == 1
    assert first[bright, 1].mean() > first[~bright, 1].mean() + 0.2
    assert np.array_equal(first, model.fit(X.iloc[:40], Y[:40]).predict_proba(X.iloc[40:]))


def test_every_layer_is_trained(ads: tuple[pd.DataFrame, np.ndarray], tiny_resnet: Path) -> None:
    from transformers import ResNetModel

    X, Y = ads
    model = ImageClassifier(str(tiny_resnet), epochs=1, device="cpu").fit(X.iloc[:40], Y[:40])
    before = dict(ResNetModel.from_pretrained(tiny_resnet).named_parameters())
    after = dict(model.network_.resnet.named_parameters())
    assert before
    assert not any(torch.equal(before[name], after[name]) for name in before)


def test_images_that_cannot_be_read_get_the_prior(
    ads: tuple[pd.DataFrame, np.ndarray], tiny_resnet: Path, tmp_path: Path
) -> None:
    X, Y = ads[0].iloc[:20].copy(), ads[1][:20]
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8 nothing")
    X.iloc[0, 0], X.iloc[1, 0] = None, str(tmp_path / "broken.jpg")
    found = ImageClassifier(str(tiny_resnet), epochs=1, device="cpu").fit(X, Y).predict_proba(X)
    assert np.allclose(found[:2], Y.mean(axis=0))
    assert not np.allclose(found[2], Y.mean(axis=0))


def test_absent_checkpoint_is_named(ads: tuple[pd.DataFrame, np.ndarray], tmp_path: Path) -> None:
    with pytest.raises(FeatureError, match="absent"):
        ImageClassifier(str(tmp_path / "absent")).fit(*ads)


def test_several_images_of_an_ad_are_refused(
    ads: tuple[pd.DataFrame, np.ndarray], tiny_resnet: Path
) -> None:
    X, Y = ads
    with pytest.raises(ModelError, match="reads one image of an ad, got the inputs poster, logo"):
        ImageClassifier(str(tiny_resnet), device="cpu").fit(X.assign(logo=X["poster"]), Y)


def test_without_any_image_to_learn_from_every_ad_gets_the_prior(
    ads: tuple[pd.DataFrame, np.ndarray], tiny_resnet: Path
) -> None:
    X, Y = ads
    model = ImageClassifier(str(tiny_resnet), device="cpu").fit(X.assign(poster=None), Y)
    assert np.allclose(model.predict_proba(X), Y.mean(axis=0))


def test_runs_in_a_profile_and_anew_where_a_picture_or_the_checkpoint_changes(
    ads: tuple[pd.DataFrame, np.ndarray], table: Path, tiny_resnet: Path, tmp_path: Path
) -> None:
    pictures = [Path(path) for path in ads[0]["poster"]]
    for picture in pictures:
        shutil.copy(picture, table)
    rows = [[row[0], pictures[i].name, *row[2:]] for i, row in enumerate(table_rows(40))]
    rows[3][1] = ""
    write_csv(table / "train.csv", TRAIN_HEADER, rows)
    checkpoint = shutil.copytree(tiny_resnet, tmp_path / "checkpoint")
    profile = load_profile(
        "text",
        [
            "models=[]",
            'kinds=["image"]',
            "folds.n=2",
            "level1.image_classifier.epochs=1",
            f"level1.image_classifier.checkpoint={checkpoint}",
            "level2.model=mean",
        ],
    )

    def n_trained() -> int:
        return run(table, profile, tmp_path / "out", n_jobs=2, device="cpu").n_trained

    assert n_trained() == 2
    assert n_trained() == 0
    shutil.copy(pictures[50], table / pictures[7].name)
    assert n_trained() == 2
    (checkpoint / "preprocessor_config.json").write_text(
        (checkpoint / "preprocessor_config.json").read_text() + "\n"
    )
    assert n_trained() == 2
