"""Pictures are encoded as a plain pass of processor and network would, by encoders of any kind."""

from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from PIL import Image

from competition.features.base import Item
from competition.features.extractors.vit import ViT
from competition.utils.errors import FeatureError, MediaError

SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "image_size": 32,
    "patch_size": 8,
}
RESNET = {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic"}
SWIN = {"image_size": 32, "patch_size": 4, "embed_dim": 8, "depths": [1, 1], "num_heads": [1, 2]}


TEXT = {**SMALL, "vocab_size": 9, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2}
# Networks with no, one, two or five tokens before the patches, or with no tokens at all.
CONFIGS = {
    "ViT": transformers.ViTConfig(**SMALL),
    "DeiT": transformers.DeiTConfig(**SMALL),
    "Dinov2WithRegisters": transformers.Dinov2WithRegistersConfig(**SMALL, num_register_tokens=4),
    "Siglip": transformers.SiglipConfig(text_config=TEXT, vision_config=SMALL),
    "CLIP": transformers.CLIPConfig(text_config=TEXT, vision_config=SMALL),
    "Swin": transformers.SwinConfig(**SWIN, window_size=4),
    "ResNet": transformers.ResNetConfig(**RESNET),
}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """Saves networks with random weights and a processor that resizes to 32 x 32 pixels."""

    def save(name: str, **changes: object) -> Path:
        folder = tmp_path_factory.mktemp(name)
        torch.manual_seed(0)
        getattr(transformers, f"{name}Model")(CONFIGS[name]).save_pretrained(folder)
        processor = transformers.ViTImageProcessorPil(
            **{"size": {"height": 32, "width": 32}, **changes}
        )
        processor.save_pretrained(folder)
        return folder

    return save


@pytest.fixture(scope="module")
def vit_folder(checkpoint):
    return checkpoint("ViT")


@pytest.fixture(scope="module")
def items(tmp_path_factory) -> list[Item]:
    """Five pictures of several sizes, one of them two pixels wide."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    found = []
    for i, size in enumerate([(60, 40), (40, 60), (9, 2), (3, 33), (200, 300)]):
        picture = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(picture).save(folder / f"{i}.png")
        found.append(Item("image", folder / f"{i}.png"))
    return found


def plain_output(folder: Path, item: Item):
    """What the whole processor and network give for one picture, in float32."""
    processor = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil")
    network = transformers.AutoModel.from_pretrained(folder).eval()
    network = getattr(network, "vision_model", network)
    with torch.no_grad():
        return network(**processor(Image.open(item.path), return_tensors="pt"))


def check_alike(vectors: np.ndarray, expected: torch.Tensor) -> None:
    assert vectors.dtype == np.float16
    assert vectors.shape == expected.shape
    cosines = torch.cosine_similarity(torch.from_numpy(vectors).float(), expected)
    assert cosines.min() > 0.999


@pytest.mark.parametrize(
    ("name", "n_before"),
    [("ViT", 1), ("DeiT", 2), ("Dinov2WithRegisters", 5), ("CLIP", 1), ("Siglip", 0), ("Swin", 0)],
)
def test_mean_is_that_of_the_patches_alone(checkpoint, items, name, n_before):
    folder = checkpoint(name)
    expected = plain_output(folder, items[0]).last_hidden_state[:, n_before:].mean(dim=1)
    check_alike(ViT(str(folder), pooling="mean").extract_one(items[0]), expected)


def test_mean_of_a_convolutional_network_is_that_of_all_places(checkpoint, items):
    folder = checkpoint("ResNet")
    expected = plain_output(folder, items[0]).last_hidden_state.mean(dim=(2, 3))
    check_alike(ViT(str(folder), pooling="mean").extract_one(items[0]), expected)


def test_cls_is_the_first_token(vit_folder, items):
    expected = plain_output(vit_folder, items[0]).last_hidden_state[:, 0]
    check_alike(ViT(str(vit_folder)).extract_one(items[0]), expected)


@pytest.mark.parametrize("name", ["ViT", "ResNet", "CLIP"])
def test_pooler_is_the_networks_own(checkpoint, items, name):
    folder = checkpoint(name)
    expected = plain_output(folder, items[0]).pooler_output.flatten(1)
    check_alike(ViT(str(folder), pooling="pooler").extract_one(items[0]), expected)


@pytest.mark.parametrize(
    "changes",
    [
        {"image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6]},
        {"do_normalize": False},
        {"do_rescale": False},
        {"rescale_factor": 0.1, "resample": 3},
    ],
)
def test_colours_are_scaled_as_the_processor_says(checkpoint, items, changes):
    folder = checkpoint("ViT", **changes)
    expected = plain_output(folder, items[4]).last_hidden_state[:, 0]
    check_alike(ViT(str(folder)).extract_one(items[4]), expected)


@pytest.mark.parametrize("n_workers", [0, 2])
def test_ads_come_in_order_whatever_the_batches(vit_folder, items, n_workers):
    vit = ViT(str(vit_folder), batch_size=2)
    for item, vectors in zip(items, vit.extract(items, n_workers), strict=True):
        check_alike(vectors, plain_output(vit_folder, item).last_hidden_state[:, 0])


def write_film(path: Path, n_frames: int) -> Item:
    """A film of two frames a second."""
    import av

    rng = np.random.default_rng(n_frames)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=2)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        for _ in range(n_frames):
            blocks = rng.integers(0, 256, (4, 6, 3), dtype=np.uint8)
            picture = blocks.repeat(8, axis=0).repeat(8, axis=1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return Item("video", path)


def test_every_ad_gets_the_vectors_of_its_own_frames(vit_folder, tmp_path):
    films = [write_film(tmp_path / f"{n}.mp4", n) for n in (5, 1, 3, 9)]
    together = list(ViT(str(vit_folder), batch_size=4).extract(films, n_workers=2))
    assert [len(vectors) for vectors in together] == [5, 1, 3, 9]
    for film, vectors in zip(films, together, strict=True):
        alone = ViT(str(vit_folder), batch_size=1).extract_one(film)
        np.testing.assert_allclose(vectors, alone, atol=0.05)


def test_every_ms_sets_the_frames(vit_folder, tmp_path):
    film = write_film(tmp_path / "film.mp4", 6)
    assert len(ViT(str(vit_folder), every_ms=1000).extract_one(film)) == 3


def test_bad_ads_are_media_errors_in_their_places(vit_folder, items, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no picture")
    bad = Item("image", tmp_path / "bad.png")
    results = list(ViT(str(vit_folder), batch_size=2).extract([bad, items[0], bad, items[1]]))
    assert [isinstance(result, MediaError) for result in results] == [True, False, True, False]
    assert list(ViT(str(vit_folder)).extract([])) == []


@pytest.mark.parametrize(
    ("name", "pooling", "message"),
    [
        ("ResNet", "cls", "'cls' does not suit .* has no class token"),
        ("Siglip", "cls", "'cls' does not suit .* has no class token"),
        ("Dinov2WithRegisters", "max", "'max' is unknown. Choose one of cls, mean, pooler"),
    ],
)
def test_pooling_that_cannot_be_had_is_refused(checkpoint, items, name, pooling, message):
    with pytest.raises(FeatureError, match=message):
        ViT(str(checkpoint(name)), pooling=pooling).extract_one(items[0])


def test_random_pooler_is_refused(tmp_path, items):
    transformers.ViTModel(CONFIGS["ViT"], add_pooling_layer=False).save_pretrained(tmp_path)
    transformers.ViTImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(tmp_path)
    with pytest.raises(FeatureError, match=r"lacks 2 of the weights .*pooler"):
        ViT(str(tmp_path), pooling="pooler").extract_one(items[0])
    assert ViT(str(tmp_path)).extract_one(items[0]).shape == (1, 16)


def test_processor_that_keeps_proportions_is_refused(tmp_path, items):
    # A network that reads pictures of any size.
    transformers.Dinov2WithRegistersModel(CONFIGS["Dinov2WithRegisters"]).save_pretrained(tmp_path)
    processor = transformers.BitImageProcessorPil(size={"shortest_edge": 32}, do_center_crop=False)
    processor.save_pretrained(tmp_path)
    with pytest.raises(FeatureError, match="does more than resize to one size"):
        ViT(str(tmp_path)).extract_one(items[0])


def test_without_a_checkpoint_the_feature_is_left_out():
    assert "set checkpoint" in ViT().lacks()
    assert ViT("some/model").lacks() == ""


def test_posters_by_the_real_encoder(real_models, real_data):
    folder = real_models / "dinov2-small"
    posters = sorted((real_data / "movie_posters").rglob("*.jpg"))[:6]
    vit = ViT(str(folder), pooling="mean", batch_size=4)
    for path, vectors in zip(
        posters, vit.extract([Item("image", path) for path in posters]), strict=True
    ):
        output = plain_output(folder, Item("image", path))
        check_alike(vectors, output.last_hidden_state[:, 1:].mean(dim=1))
