"""Vectors of several layers are those of a plain pass, side by side; the last alone is as ever."""

import copy
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from PIL import Image

from competition.features.base import Item
from competition.features.extractors import bert
from competition.features.extractors.bert import Bert
from competition.features.extractors.vit import ViT, _loaded_encoder
from competition.features.registry import get_extractor
from competition.features.store import Digests, feature_settings
from competition.features.text_encoders import load_text_encoder
from competition.text.tokens import encode, padded
from competition.utils.errors import FeatureError
from competition.utils.files import digest
from tests.cli.calling import called
from tests.cli.test_checkpoints import FEATURE, profile_of, stored
from tests.conftest import PLOTS
from tests.features.extractors.test_vit_families import FAMILIES, NAFLEX, dual, save
from tests.made_checkpoints import add_dense, add_modules, made_checkpoint, made_clip

TEXT = Item("text", next(iter(PLOTS.values())))
POOLED = {
    "cls": lambda states: states[0],
    "mean": lambda states: states.mean(0),
    "last": lambda states: states[-1],
}


def text_states(folder: Path) -> list[torch.Tensor]:
    """What a plain pass gives after each layer, each (n_tokens, dims)."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    network = transformers.AutoModel.from_pretrained(folder).eval()
    network = network.get_encoder() if network.config.is_encoder_decoder else network
    with torch.no_grad():
        output = network(**tokenizer(TEXT.value, return_tensors="pt"), output_hidden_states=True)
    return [one[0] for one in (*output.hidden_states[:-1], output.last_hidden_state)]


def of_text(folder: Path, **params: Any) -> np.ndarray:
    bert._loaded.cache_clear()  # the folder may hold other files by now
    return Bert(str(folder), max_tokens=20, device="cpu", **params).extract_one(TEXT)[0]


def assert_alike(found: np.ndarray, *expected: torch.Tensor) -> None:
    """Compare a vector with those that it is made of, as far as bfloat16 goes."""
    assert found.dtype == np.float16
    assert len(found) == sum(map(len, expected))
    for ours, one in zip(
        torch.from_numpy(found).float().split([*map(len, expected)]), expected, strict=True
    ):
        assert (ours - one).norm() < 0.05 * one.norm()


@pytest.mark.parametrize(
    ("family", "pooling"),
    [
        *product(["Bert", "ModernBert", "T5", "Bart"], POOLED),
        *product(["Qwen3"], ["mean", "last"]),
    ],
)
def test_vectors_of_texts_are_those_of_the_hidden_states(
    tmp_path: Path, family: str, pooling: Any
) -> None:
    wide = {"T5": "initializer_factor", "Bart": "init_std"}.get(family, "initializer_range")
    folder = made_checkpoint(tmp_path, family, **{wide: 0.5})  # so that layers differ
    _, first, last = [POOLED[pooling](states) for states in text_states(folder)]
    for layers in ((-2, -1), (1, 2)):
        found = of_text(folder, pooling=pooling, layers=layers)
        assert_alike(found, first, last)
    assert_alike(of_text(folder, pooling=pooling, layers=[-1, 1]), last, first)
    assert_alike(of_text(folder, pooling=pooling, layers=[1]), first)


def test_layers_of_padded_texts_are_those_of_texts_alone(tmp_path: Path) -> None:
    encoder = load_text_encoder(str(made_checkpoint(tmp_path, "Bert")), "cpu")
    rows = encode(encoder.tokenizer, [*PLOTS.values(), "Film"], 20, "first")
    together = encoder.vectors(*padded(rows, encoder.padding, encoder.longest), (-2, -1))
    for row, vector in zip(rows, together, strict=True):
        ids = torch.tensor([row])
        alone = encoder.vectors(ids, torch.ones_like(ids), (-2, -1))[0]
        torch.testing.assert_close(vector, alone, atol=0.02, rtol=0.02)


def test_modules_of_a_checkpoint_are_applied_to_the_last_layer_alone(tmp_path: Path) -> None:
    folder = made_checkpoint(tmp_path, "Bert")
    add_modules(folder, {"pooling_mode": "mean"}, "Dense", "Normalize")
    add_dense(folder / "2_Dense", 16, 8, "safetensors")
    found = of_text(folder, layers=(1, 2))
    assert found.shape == (16 + 8,)
    assert_alike(found[:16], text_states(folder)[1].mean(0))
    assert found[16:].tobytes() == of_text(folder).tobytes()
    assert np.linalg.norm(found[16:].astype(float)) == pytest.approx(1, abs=2e-3)
    assert of_text(folder, layers=(1,)).tobytes() == found[:16].tobytes()


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Item:
    colours = np.random.default_rng(1).integers(0, 256, (9, 14, 3), dtype=np.uint8)
    path = tmp_path_factory.mktemp("picture") / "ad.png"
    Image.fromarray(colours.repeat(9, axis=0).repeat(9, axis=1)).save(path)
    return Item("image", path)


def picture_states(folder: Path, picture: Item) -> list[torch.Tensor]:
    """What a plain pass gives after each layer, each (n_tokens, dims) or a map."""
    processor = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil")
    network = transformers.AutoModel.from_pretrained(folder).eval()
    network = getattr(network, "vision_model", network)
    with torch.no_grad():
        inputs = processor(Image.open(picture.path), return_tensors="pt")
        output = network(**inputs, output_hidden_states=True)
    return [one[0] for one in (*output.hidden_states[:-1], output.last_hidden_state)]


@pytest.mark.parametrize("family", FAMILIES)
def test_vectors_of_pictures_are_those_of_the_hidden_states(
    tmp_path: Path, picture: Item, family: str
) -> None:
    config, processor, n_before = FAMILIES[family]
    config = copy.deepcopy(config)
    for part in (config, getattr(config, "vision_config", config)):
        part.initializer_range = 0.5  # so that layers differ
    folder = save(tmp_path, family, config, processor)
    _, first, last = picture_states(folder, picture)

    def found(pooling: Any, layers: Any) -> np.ndarray:
        return ViT(str(folder), pooling=pooling, layers=layers, device="cpu").extract_one(picture)[
            0
        ]

    if n_before is None:
        expected = [maps.mean(dim=(1, 2)) for maps in (first, last)]
    else:
        expected = [states[n_before:].mean(0) for states in (first, last)]
    assert_alike(found("mean", (-2, -1)), *expected)
    assert_alike(found("mean", [2, 1]), *expected[::-1])
    if n_before:
        assert_alike(found("cls", (-2, -1)), first[0], last[0])


def test_padding_of_naflex_counts_in_no_layer(tmp_path: Path, picture: Item) -> None:
    processor = transformers.Siglip2ImageProcessorPil(patch_size=8, max_num_patches=23)
    folder = save(tmp_path, "Siglip2", dual("Siglip2", NAFLEX), processor)
    _, first, last = picture_states(folder, picture)
    vit = ViT(str(folder), pooling="mean", layers=(1, 2), device="cpu")
    n_there = 4 * 5  # patches of the picture; the last three are padding
    expected = first[:n_there].mean(0), last[:n_there].mean(0)
    assert_alike(vit.extract_one(picture)[0], *expected)


def test_the_last_layer_is_what_it_is_without_layers(
    tiny_bert: Path, tmp_path: Path, picture: Item
) -> None:
    """Its vector is the same to the last bit, whatever stands beside it."""
    folder = made_clip(tmp_path)
    for pooling in ("cls", "mean"):
        vit = {"checkpoint": str(folder), "pooling": pooling, "device": "cpu"}
        alone = ViT(**vit).extract_one(picture)
        assert alone.shape == (1, 16)
        assert ViT(**vit, layers=[-1]).extract_one(picture).tobytes() == alone.tobytes()
        both = ViT(**vit, layers=[1, -1]).extract_one(picture)
        assert both[:, 16:].tobytes() == alone.tobytes()
        text = {"pooling": pooling, "device": "cpu"}
        word = Item("text", "w1 w2")
        alone = Bert(str(tiny_bert), **text).extract_one(word)
        assert Bert(str(tiny_bert), **text, layers=[-1]).extract_one(word).tobytes() == (
            alone.tobytes()
        )
        both = Bert(str(tiny_bert), **text, layers=[-4, -1]).extract_one(word)
        assert both[:, 16:].tobytes() == alone.tobytes()


@pytest.mark.parametrize(("layers", "asked"), [((-1,), False), ((1, -1), True)])
def test_all_hidden_states_are_asked_for_only_where_they_are_needed(
    tmp_path: Path, picture: Item, layers: tuple[int, ...], asked: bool
) -> None:
    folder = str(made_clip(tmp_path))
    encoder = _loaded_encoder(folder, "cpu", "mean", layers)
    given: list[dict[str, Any]] = []
    hook = encoder.network.register_forward_pre_hook(
        lambda network, args, named: given.append(named), with_kwargs=True
    )
    ViT(folder, pooling="mean", layers=layers, device="cpu").extract_one(picture)
    hook.remove()
    assert [named.get("output_hidden_states", False) for named in given] == [asked]


FEWER = "has 2 layers. Name some from 1 to 2, or from -2 to -1"
WRONG = {
    "below the first": ([-3, -1], FEWER),
    "what goes into the first": ([0], FEWER),
    "above the last": ([3], FEWER),
    "none": ([], FEWER),
    "one by two numbers": ([2, -1], "has 2, so that 2 and -1 are the same one. Name it once"),
}


@pytest.mark.parametrize(("layers", "reason"), WRONG.values(), ids=WRONG.keys())
def test_layers_that_a_network_lacks_are_refused(
    tmp_path: Path, picture: Item, layers: list[int], reason: str
) -> None:
    with pytest.raises(FeatureError, match=f"but the network, a BertModel, {reason}"):
        of_text(made_checkpoint(tmp_path / "bert", "Bert"), layers=layers)
    config, processor, _ = FAMILIES["ViT"]
    folder = save(tmp_path / "vit", "ViT", config, processor)
    with pytest.raises(FeatureError, match=f"but the network, a ViTModel, {reason}"):
        ViT(str(folder), layers=layers, device="cpu").extract_one(picture)


def test_the_only_layer_is_counted_in_the_singular(tiny_vit: Path, picture: Item) -> None:
    with pytest.raises(FeatureError, match=r"has 1 layer\. Name some from 1 to 1, or"):
        ViT(str(tiny_vit), layers=(-2, -1), device="cpu").extract_one(picture)


@pytest.mark.parametrize("pooling", ["pooler", "projection"])
def test_poolings_of_the_last_layer_alone_go_with_no_other(
    tmp_path: Path, picture: Item, pooling: Any
) -> None:
    vit = ViT(str(made_clip(tmp_path)), pooling=pooling, layers=(-2, -1), device="cpu")
    with pytest.raises(FeatureError, match=f"'{pooling}' is made of the last layer alone"):
        vit.extract_one(picture)
    assert len(vit.set_params(layers=[-1]).extract_one(picture)) == 1


@pytest.mark.parametrize("name", ["bert", "vit"])
def test_features_of_the_last_layer_stay_those_of_before(tmp_path: Path, name: str) -> None:
    entry, digests = get_extractor(name), Digests(tmp_path / "digests.parquet")

    def settings(**params: Any) -> dict[str, Any]:
        return feature_settings(entry, entry.make("org/name", **params), digests, "text")

    assert "layers" not in settings()["parameters"]
    assert digest(settings(layers=[-1])) == digest(settings())
    assert settings(layers=[-2, -1])["parameters"]["layers"] == [-2, -1]


def extracted(table: Path, out: Path, folder: Path, *settings: str) -> Any:
    text = FEATURE.format(extractor="bert", input="story", folder=folder, more="max_tokens = 20")
    profile = profile_of(out.with_suffix(".toml"), text)
    given = ["--data", table, "--profile", profile, "--out", out, "--jobs", 1, "--device", "cpu"]
    return called("extract", *given, *(word for one in settings for word in ("--set", one)))


def test_layers_are_set_on_the_command_line(shared_table: Path, tmp_path: Path) -> None:
    folder = made_checkpoint(tmp_path / "model", "Bert")
    alone, both = tmp_path / "alone", tmp_path / "both"
    assert extracted(shared_table, alone, folder).status == 0
    assert extracted(shared_table, both, folder, "features.vectors.layers=[-2,-1]").status == 0
    last, pairs = (np.concatenate(stored(out, "bert")) for out in (alone, both))
    assert last.shape == (len(pairs), 16)
    assert pairs.shape == (len(pairs), 32)
    assert (pairs[:, 16:] == last).all()
    assert not (pairs[:, :16] == last).any(axis=1).all()


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("[-3,-1]", f"features.vectors: layers = [-3, -1], but the network, a BertModel, {FEWER}."),
        ("[2,-1]", "features.vectors: layers = [2, -1], but the network, a BertModel, has 2, so"),
        ("[0]", "features.vectors.layers = [0]: no layer is number 0; 1 is the first one, -1 the"),
        ("[-1,-1]", "features.vectors.layers = [-1, -1]: -1 stands twice; name it once."),
        ("[]", "features.vectors.layers = []: a list of whole numbers with 1 or more entries is"),
        ("-1", "features.vectors.layers = -1: a list of whole numbers with 1 or more entries is"),
        ("[1.5]", "features.vectors.layers = [1.5]: a list of whole numbers with 1 or more entri"),
    ],
)
def test_wrong_layers_are_refused_in_one_message(
    shared_table: Path, tmp_path: Path, value: str, reason: str
) -> None:
    folder = made_checkpoint(tmp_path / "model", "Bert")
    setting = f"features.vectors.layers={value}"
    done = extracted(shared_table, tmp_path / "out", folder, setting)
    assert done.status == 2
    assert reason in " ".join(done.err.split())
    assert "Traceback" not in done.err
