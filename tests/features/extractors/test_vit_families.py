"""Checkpoints of every family of vision encoders, against their own processor and network."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import image_utils

from competition.features.base import Item
from competition.features.extractors.regions import Regions
from competition.features.extractors.vit import ViT, _loaded_encoder
from competition.level1.components.trained_encoder import Pictures
from competition.utils.errors import FeatureError

SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "image_size": 32,
    "patch_size": 8,
}
TEXT = {**SMALL, "vocab_size": 9, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2}
STAGES = {"num_channels": 3, "hidden_sizes": [8, 16], "depths": [1, 1]}
SWIN = {"image_size": 32, "patch_size": 4, "embed_dim": 8, "depths": [1, 1], "num_heads": [1, 2]}
SQUARE = {"size": {"height": 32, "width": 32}}
CROPPED = {"size": {"shortest_edge": 36}, "crop_size": {"height": 32, "width": 32}}


def dual(family: str, vision: dict[str, Any] = SMALL, **more: Any) -> Any:
    return getattr(transformers, f"{family}Config")(text_config=TEXT, vision_config=vision, **more)


# Of each family: the network, its image processor, and the tokens before those of the patches;
# None where it gives maps.
FAMILIES: dict[str, tuple[Any, Any, int | None]] = {
    "ViT": (
        transformers.ViTConfig(**SMALL),
        transformers.ViTImageProcessorPil(**SQUARE),
        1,
    ),
    "Beit": (
        transformers.BeitConfig(**SMALL, use_mean_pooling=False),
        transformers.BeitImageProcessorPil(**CROPPED, do_center_crop=True),
        1,
    ),
    "Data2VecVision": (
        transformers.Data2VecVisionConfig(**SMALL),
        transformers.BeitImageProcessorPil(**SQUARE, do_center_crop=False),
        1,
    ),
    "Dinov2": (
        transformers.Dinov2Config(**SMALL),
        transformers.BitImageProcessorPil(**CROPPED),
        1,
    ),
    "Dinov2WithRegisters": (
        transformers.Dinov2WithRegistersConfig(**SMALL, num_register_tokens=4),
        transformers.BitImageProcessorPil(**CROPPED),
        5,
    ),
    "ConvNext": (
        transformers.ConvNextConfig(**STAGES, num_stages=2),
        transformers.ConvNextImageProcessorPil(size={"shortest_edge": 32}, crop_pct=0.875),
        None,
    ),
    "ConvNextV2": (
        transformers.ConvNextV2Config(**STAGES, num_stages=2),
        transformers.ConvNextImageProcessorPil(size={"shortest_edge": 32}, crop_pct=0.875),
        None,
    ),
    "ResNet": (
        transformers.ResNetConfig(embedding_size=8, **STAGES, layer_type="basic"),
        transformers.ConvNextImageProcessorPil(size={"shortest_edge": 32}, crop_pct=0.875),
        None,
    ),
    "Swin": (
        transformers.SwinConfig(**SWIN, window_size=4),
        transformers.ViTImageProcessorPil(**SQUARE),
        0,
    ),
    "Swinv2": (
        transformers.Swinv2Config(**SWIN, window_size=4),
        transformers.ViTImageProcessorPil(**SQUARE),
        0,
    ),
    "CLIP": (
        dual("CLIP", projection_dim=12),
        transformers.CLIPImageProcessorPil(**CROPPED),
        1,
    ),
    "ChineseCLIP": (
        dual("ChineseCLIP", projection_dim=12),
        transformers.ChineseCLIPImageProcessorPil(**SQUARE, do_center_crop=False),
        1,
    ),
    "Siglip": (
        dual("Siglip"),
        transformers.SiglipImageProcessorPil(**SQUARE, resample=3),
        0,
    ),
}
DUAL = ("CLIP", "ChineseCLIP", "Siglip")
RESCALED_FIRST = {
    "image_processor_type": "DINOv3ViTImageProcessorFast",
    **SQUARE,
    "image_mean": [0.4, 0.5, 0.6],
    "image_std": [0.2, 0.3, 0.4],
    "resample": 2,
    "do_center_crop": None,
    "rescale_factor": 1 / 255,
}
NAFLEX = {**SMALL, "num_patches": 16}
NAFLEX.pop("image_size")


def save(folder: Path, family: str, config: Any, processor: Any) -> Path:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        getattr(transformers, f"{family}Model")(config).save_pretrained(folder)
    if isinstance(processor, dict):
        (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    else:
        processor.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Folder of a family's checkpoint, made once."""
    made: dict[str, Path] = {}

    def folder(family: str) -> Path:
        if family not in made:
            config, processor, _ = FAMILIES[family]
            made[family] = save(tmp_path_factory.mktemp(family), family, config, processor)
        return made[family]

    return folder


@pytest.fixture(scope="module")
def item(tmp_path_factory: pytest.TempPathFactory) -> Item:
    """A picture of coloured blocks, wider than high."""
    blocks = np.random.default_rng(1).integers(0, 256, (9, 14, 3), dtype=np.uint8)
    path = tmp_path_factory.mktemp("picture") / "ad.png"
    Image.fromarray(blocks.repeat(9, axis=0).repeat(9, axis=1)).save(path)
    return Item("image", path)


def whole_pass(folder: Path, item: Item) -> Any:
    """What processor and network of transformers give, the whole of a dual encoder included."""
    processor = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil")
    network = transformers.AutoModel.from_pretrained(folder).eval()
    inputs = processor(Image.open(item.path), return_tensors="pt")
    with torch.no_grad():
        if hasattr(network, "get_image_features"):
            return network.vision_model(**inputs), network.get_image_features(**inputs)
        return network(**inputs), None


def check(vectors: np.ndarray, expected: torch.Tensor) -> None:
    assert vectors.dtype == np.float16
    assert vectors.shape == expected.shape
    assert torch.cosine_similarity(torch.from_numpy(vectors).float(), expected).min() > 0.999
    assert np.abs(vectors).max() > 0


@pytest.mark.parametrize("family", FAMILIES)
def test_mean_of_the_patches(checkpoint: Callable[[str], Path], item: Item, family: str) -> None:
    hidden = whole_pass(checkpoint(family), item)[0].last_hidden_state
    n_before = FAMILIES[family][2]
    expected = hidden.mean(dim=(2, 3)) if n_before is None else hidden[:, n_before:].mean(dim=1)
    check(ViT(str(checkpoint(family)), pooling="mean", device="cpu").extract_one(item), expected)


@pytest.mark.parametrize("family", [name for name in FAMILIES if FAMILIES[name][2]])
def test_class_token(checkpoint: Callable[[str], Path], item: Item, family: str) -> None:
    expected = whole_pass(checkpoint(family), item)[0].last_hidden_state[:, 0]
    check(ViT(str(checkpoint(family)), pooling="cls", device="cpu").extract_one(item), expected)


@pytest.mark.parametrize("family", [name for name in FAMILIES if name != "Data2VecVision"])
def test_pooler(checkpoint: Callable[[str], Path], item: Item, family: str) -> None:
    expected = whole_pass(checkpoint(family), item)[0].pooler_output.flatten(1)
    check(ViT(str(checkpoint(family)), pooling="pooler", device="cpu").extract_one(item), expected)


@pytest.mark.parametrize("family", DUAL)
def test_projection(checkpoint: Callable[[str], Path], item: Item, family: str) -> None:
    expected = whole_pass(checkpoint(family), item)[1].pooler_output
    vit = ViT(str(checkpoint(family)), pooling="projection", device="cpu")
    check(vit.extract_one(item), expected)
    assert expected.shape[1] == (16 if family == "Siglip" else 12)


@pytest.mark.parametrize("pooling", ["mean", "projection"])
@pytest.mark.parametrize("family", DUAL)
def test_texts_are_not_loaded(
    checkpoint: Callable[[str], Path], item: Item, tmp_path: Path, family: str, pooling: Any
) -> None:
    folder = checkpoint(family)
    network = _loaded_encoder(str(folder), "cpu", pooling).network
    names = [name for name, _ in network.named_parameters()]
    assert names
    assert not [name for name in names if "text" in name or "logit" in name]
    # A checkpoint without those weights gives the same.
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    weights = load_file(folder / "model.safetensors")
    pictures = {name: weights[name] for name in weights if name.startswith("vis")}
    save_file(pictures, tmp_path / "model.safetensors", {"format": "pt"})
    found = ViT(str(tmp_path), pooling=pooling, device="cpu").extract_one(item)
    same = ViT(str(folder), pooling=pooling, device="cpu").extract_one(item)
    assert found.tobytes() == same.tobytes()


@pytest.mark.parametrize("family", ["CLIP", "Siglip", "Swin"])
def test_names_of_weights_that_do_not_fill_the_tower_are_refused(
    checkpoint: Callable[[str], Path], item: Item, tmp_path: Path, family: str
) -> None:
    for path in checkpoint(family).iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    weights = load_file(tmp_path / "model.safetensors")
    other = {f"model.visual.{name}": values for name, values in weights.items()}
    save_file(other, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(FeatureError, match=r"lacks \d+ of the weights .* they would be random"):
        ViT(str(tmp_path), pooling="mean", device="cpu").extract_one(item)


def test_projection_that_is_missing_is_refused(
    checkpoint: Callable[[str], Path], item: Item, tmp_path: Path
) -> None:
    for path in checkpoint("CLIP").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    weights = load_file(tmp_path / "model.safetensors")
    del weights["visual_projection.weight"]
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(FeatureError, match=r"lacks 1 of the weights .*visual_projection"):
        ViT(str(tmp_path), pooling="projection", device="cpu").extract_one(item)
    assert ViT(str(tmp_path), device="cpu").extract_one(item).shape == (1, 16)


@pytest.mark.parametrize("family", ["ViT", "ResNet"])
def test_projection_of_an_encoder_of_pictures_alone_is_refused(
    checkpoint: Callable[[str], Path], item: Item, family: str
) -> None:
    with pytest.raises(FeatureError, match="no encoder of pictures and texts, so that it has no"):
        ViT(str(checkpoint(family)), pooling="projection", device="cpu").extract_one(item)


# --- SigLIP 2, NaFlex ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def naflex(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(
        tmp_path_factory.mktemp("naflex"),
        "Siglip2",
        dual("Siglip2", NAFLEX),
        transformers.Siglip2ImageProcessorPil(patch_size=8, max_num_patches=23),
    )


@pytest.mark.parametrize("pooling", ["mean", "pooler", "projection"])
def test_naflex_with_its_mask_and_shape(naflex: Path, item: Item, pooling: Any) -> None:
    processor = transformers.AutoImageProcessor.from_pretrained(naflex, backend="pil")
    inputs = processor(Image.open(item.path), return_tensors="pt")
    n_there = int(inputs["pixel_attention_mask"].sum())
    assert inputs["spatial_shapes"].tolist() == [[4, 5]]
    assert 0 < n_there < 23  # some of it is padding
    output, projected = whole_pass(naflex, item)
    expected = {
        "mean": output.last_hidden_state[:, :n_there].mean(dim=1),
        "pooler": output.pooler_output,
        "projection": projected.pooler_output,
    }
    check(ViT(str(naflex), pooling=pooling, device="cpu").extract_one(item), expected[pooling])


def test_naflex_of_two_shapes_in_one_batch(naflex: Path, item: Item, tmp_path: Path) -> None:
    Image.open(item.path).rotate(90, expand=True).save(tmp_path / "upright.png")
    upright = Item("image", tmp_path / "upright.png")
    encoder = _loaded_encoder(str(naflex), "cpu", "pooler")
    frames = [encoder.pictures.prepare(np.array(Image.open(one.path))) for one in (item, upright)]
    together = encoder.start(frames).get()
    alone = [ViT(str(naflex), pooling="pooler").extract_one(one)[0] for one in (item, upright)]
    np.testing.assert_allclose(together, alone, atol=2e-2)


def test_naflex_has_no_class_token(naflex: Path, item: Item) -> None:
    with pytest.raises(FeatureError, match=r"'cls' does not suit .* has no class token"):
        ViT(str(naflex), device="cpu").extract_one(item)


def test_naflex_is_refused_where_patches_are_not_read(naflex: Path, item: Item) -> None:
    with pytest.raises(FeatureError, match=r"reads pictures as patches \(NaFlex\)"):
        Regions(str(naflex), device="cpu").extract_one(item)
    with pytest.raises(FeatureError, match=r"reads pictures as patches \(NaFlex\)"):
        Pictures(str(naflex))


# --- DINOv3 -------------------------------------------------------------------------------------

DINOV3 = {
    "DINOv3ViT": transformers.DINOv3ViTConfig(**SMALL, num_register_tokens=4),
    "DINOv3ConvNext": transformers.DINOv3ConvNextConfig(**STAGES, image_size=32),
}


@pytest.fixture(scope="module", params=DINOV3)
def dinov3(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(request.param)
    return save(folder, request.param, DINOV3[request.param], RESCALED_FIRST)


def written_out(item: Item) -> torch.Tensor:
    """Rescale, resize (by Pillow, in floats) and normalise, as DINOv3 has it."""
    colours = np.asarray(Image.open(item.path).convert("RGB"), dtype=np.float32) / 255
    channels = [
        np.asarray(Image.fromarray(colours[..., c]).resize((32, 32), Image.Resampling.BILINEAR))
        for c in range(3)
    ]
    mean, deviation = (
        np.array(RESCALED_FIRST[name], dtype=np.float32)[:, None, None]
        for name in ("image_mean", "image_std")
    )
    return torch.from_numpy((np.stack(channels) - mean) / deviation)[None]


@pytest.mark.parametrize("pooling", ["cls", "mean", "pooler"])
def test_dinov3_rescales_before_it_resizes(dinov3: Path, item: Item, pooling: Any) -> None:
    network = transformers.AutoModel.from_pretrained(dinov3).eval()
    with torch.no_grad():
        output = network(pixel_values=written_out(item))
    n_before = 5 if "ViT" in type(network).__name__ else 1
    expected = {
        "cls": output.last_hidden_state[:, 0],
        "mean": output.last_hidden_state[:, n_before:].mean(dim=1),
        "pooler": output.pooler_output,
    }
    check(ViT(str(dinov3), pooling=pooling, device="cpu").extract_one(item), expected[pooling])


def test_dinov3_keeps_what_a_byte_would_round(dinov3: Path, item: Item) -> None:
    """The numbers are those of the processor for floats, not of one that resizes bytes."""
    pictures = _loaded_encoder(str(dinov3), "cpu", "pooler").pictures
    found = pictures.prepare(np.array(Image.open(item.path)))
    np.testing.assert_allclose(found, written_out(item)[0], atol=1e-4)
    bytes_first = transformers.ViTImageProcessorPil(
        **SQUARE, image_mean=RESCALED_FIRST["image_mean"], image_std=RESCALED_FIRST["image_std"]
    )(Image.open(item.path), return_tensors="pt")["pixel_values"][0]
    assert np.abs(found - bytes_first.numpy()).max() > 1e-3


def test_dinov3_against_its_own_processor(dinov3: Path, item: Item) -> None:
    pytest.importorskip("torchvision", reason="DINOv3's own processor needs torchvision")
    processor = transformers.AutoImageProcessor.from_pretrained(dinov3)
    expected = processor(Image.open(item.path), return_tensors="pt")["pixel_values"][0]
    pictures = _loaded_encoder(str(dinov3), "cpu", "pooler").pictures
    found = pictures.prepare(np.array(Image.open(item.path)))
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": {"shortest_edge": 32}}, "says size = .* read are a height and a width"),
        ({"resample": 1}, "resample = 1; read are .* by bilinear"),
        ({"do_center_crop": True}, "says do_center_crop = true"),
    ],
)
def test_dinov3_settings_that_nobody_reads_are_refused(
    tmp_path: Path, item: Item, changes: dict[str, Any], message: str
) -> None:
    folder = save(tmp_path, "DINOv3ViT", DINOV3["DINOv3ViT"], {**RESCALED_FIRST, **changes})
    with pytest.raises(FeatureError, match=message):
        ViT(str(folder), device="cpu").extract_one(item)


# --- what is not installed, or cannot be an encoder -----------------------------------------------


def test_what_needs_torchvision_says_so(
    checkpoint: Callable[[str], Path], item: Item, tmp_path: Path
) -> None:
    if image_utils.is_torchvision_available():
        pytest.skip("torchvision is installed")
    for path in checkpoint("ViT").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    only = {"image_processor_type": "Sam2ImageProcessorFast"}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(only))
    with pytest.raises(FeatureError, match="needs the package torchvision, which is not installed"):
        ViT(str(tmp_path), device="cpu").extract_one(item)


def test_torchvision_is_part_of_a_feature_only_where_it_prepares(
    checkpoint: Callable[[str], Path], item: Item, tmp_path: Path
) -> None:
    assert "torchvision" not in ViT(str(checkpoint("ViT"))).prepared_by("image")
    torchvision = pytest.importorskip("torchvision", reason="torchvision is not installed")
    for path in checkpoint("ViT").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    only = {"image_processor_type": "Sam2ImageProcessorFast", **SQUARE}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(only))
    vit = ViT(str(tmp_path), device="cpu")
    assert vit.prepared_by("image")["torchvision"] == torchvision.__version__.partition("+")[0]


TIMM = {
    "architecture": "vit_tiny_patch16_224",
    "num_classes": 0,
    "model_args": {"img_size": 32, "embed_dim": 16, "depth": 1, "num_heads": 2},
    "pretrained_cfg": {
        "input_size": [3, 32, 32],
        "mean": [0.5, 0.5, 0.5],
        "std": [0.5, 0.5, 0.5],
        "interpolation": "bicubic",
        "crop_pct": 1.0,
    },
}


def test_what_needs_timm_says_so(item: Item, tmp_path: Path) -> None:
    if transformers.utils.is_timm_available():
        pytest.skip("timm is installed")
    (tmp_path / "config.json").write_text(json.dumps(TIMM))
    with pytest.raises(FeatureError, match="needs the package timm, which is not installed"):
        ViT(str(tmp_path), device="cpu").extract_one(item)


@pytest.mark.parametrize("pooling", ["cls", "mean", "pooler"])
def test_timm_against_its_own_processor(item: Item, tmp_path: Path, pooling: Any) -> None:
    timm = pytest.importorskip("timm", reason="timm is not installed")
    pytest.importorskip("torchvision", reason="timm's transforms need torchvision")
    network = timm.create_model(TIMM["architecture"], num_classes=0, **TIMM["model_args"]).eval()
    save_file(network.state_dict(), tmp_path / "model.safetensors", {"format": "pt"})
    (tmp_path / "config.json").write_text(json.dumps(TIMM))
    config = timm.data.resolve_data_config(TIMM["pretrained_cfg"], model=network)
    pixels = timm.data.create_transform(**config)(Image.open(item.path))[None]
    with torch.no_grad():
        hidden = network.forward_features(pixels)
        pooled = network.forward_head(hidden)
    expected = {"cls": hidden[:, 0], "mean": hidden[:, 1:].mean(dim=1), "pooler": pooled}
    check(ViT(str(tmp_path), pooling=pooling, device="cpu").extract_one(item), expected[pooling])


def test_encoder_that_hides_patches_at_random_is_refused(tmp_path: Path, item: Item) -> None:
    config = transformers.ViTMAEConfig(**SMALL, mask_ratio=0.5)
    folder = save(tmp_path, "ViTMAE", config, transformers.ViTImageProcessorPil(**SQUARE))
    with pytest.raises(FeatureError, match="differently each time: it hides patches at random"):
        ViT(str(folder), device="cpu").extract_one(item)
