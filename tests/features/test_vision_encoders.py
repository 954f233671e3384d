"""Vision encoders and image processors that do not go together are refused, whoever loads them."""

from pathlib import Path

import numpy as np
import pytest
import transformers
from PIL import Image

from competition.features.base import Item
from competition.features.extractors.regions import Regions
from competition.features.extractors.vit import ViT
from competition.level1.models.image_classifier import ImageClassifier
from competition.testing.synthetic import made_ads
from competition.utils.errors import FeatureError
from tests.made_checkpoints import made_checkpoint, made_clip

SIZES = r"gives pictures of 48 x 48, and the network, a \w+, reads 32 x 32"


@pytest.fixture(scope="module")
def item(tmp_path_factory: pytest.TempPathFactory) -> Item:
    path = tmp_path_factory.mktemp("pictures") / "ad.png"
    Image.fromarray(np.full((40, 50, 3), 9, dtype=np.uint8)).save(path)
    return Item("image", path)


def made_vit(folder: Path, head: str = "Model", side: int = 48) -> Path:
    """A ViT of 32 x 32 pixels with an image processor for `side`."""
    config = transformers.ViTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=32,
        patch_size=8,
    )
    getattr(transformers, f"ViT{head}")(config).save_pretrained(folder)
    transformers.ViTImageProcessorPil(size={"height": side, "width": side}).save_pretrained(folder)
    return folder


def made_large_clip(folder: Path) -> Path:
    return made_clip(folder, side=48)


@pytest.mark.parametrize("make", [made_vit, made_large_clip])
@pytest.mark.parametrize("extractor", [ViT, Regions])
def test_sizes_of_processor_and_network_are_named(
    tmp_path: Path, item: Item, extractor: type[ViT] | type[Regions], make
) -> None:
    with pytest.raises(FeatureError, match=SIZES):
        extractor(str(make(tmp_path)), device="cpu").extract_one(item)


def test_a_classifier_is_held_to_the_same(tmp_path: Path) -> None:
    X, Y = made_ads(("image",), 20, folder=tmp_path)
    folder = made_vit(tmp_path / "model", "ForImageClassification")
    with pytest.raises(FeatureError, match=SIZES):
        ImageClassifier(str(folder), device="cpu").fit(X, Y)


def test_a_classifier_whose_layers_would_be_random_is_refused(tmp_path: Path) -> None:
    X, Y = made_ads(("image",), 20, folder=tmp_path)
    folder = made_vit(tmp_path / "model", side=32)
    config = transformers.AutoConfig.from_pretrained(folder)
    config.num_hidden_layers = 2
    config.save_pretrained(folder)
    with pytest.raises(FeatureError, match=r"lacks 16 of the weights of a ViTForImageClassific"):
        ImageClassifier(str(folder), device="cpu").fit(X, Y)


@pytest.mark.parametrize("extractor", [ViT, Regions])
def test_a_text_encoder_is_refused(tmp_path: Path, item: Item, extractor) -> None:
    folder = made_checkpoint(tmp_path, "Bert")
    with pytest.raises(FeatureError, match="no vision encoder but a BertModel, which reads no pic"):
        extractor(str(folder), device="cpu").extract_one(item)
