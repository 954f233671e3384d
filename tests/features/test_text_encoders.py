"""Text encoders of each family give what a plain pass gives, or are refused with the reason."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from competition.features.base import Item
from competition.features.extractors.bert import Bert
from competition.features.text_encoders import load_text_encoder
from competition.level1.models.bert import Bert as FineTuned
from competition.testing.synthetic import made_ads
from competition.utils.errors import CompetitionError, FeatureError
from tests.conftest import PLOTS
from tests.made_checkpoints import FINE_TUNED, N_POSITIONS, WORDS, made_checkpoint, made_clip

FAMILIES = (*FINE_TUNED, "T5", "Bart")
TEXTS = [*PLOTS.values(), "Film"]


@pytest.mark.parametrize("family", FAMILIES)
def test_vectors_are_those_of_a_plain_pass(tmp_path: Path, family: str) -> None:
    folder = made_checkpoint(tmp_path, family)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    network = transformers.AutoModel.from_pretrained(folder).eval()
    plain = network.get_encoder() if network.config.is_encoder_decoder else network

    found = list(
        Bert(str(folder), max_tokens=20, device="cpu").extract([Item("text", t) for t in TEXTS])
    )

    for text, vector in zip(TEXTS, found, strict=True):
        with torch.no_grad():
            expected = plain(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(0)
        assert torch.cosine_similarity(torch.from_numpy(vector[0]).float(), expected, 0) > 0.999


@pytest.mark.parametrize("family", FINE_TUNED)
def test_longest_text_that_is_allowed_is_encoded(tmp_path: Path, family: str) -> None:
    """RoBERTa counts its positions from the one after that of the padding."""
    folder = made_checkpoint(tmp_path, family)
    first = {"Roberta": 2, "XLMRoberta": 2}.get(family, 0)
    most = N_POSITIONS - first - 2
    long = Item("text", " ".join(WORDS * 9))

    assert np.isfinite(Bert(str(folder), max_tokens=most, device="cpu").extract_one(long)).all()
    with pytest.raises(FeatureError, match=rf"max_tokens = {most + 1}, but .* reads 1 to {most} "):
        Bert(str(folder), max_tokens=most + 1, device="cpu").extract_one(long)


def without_tokenizer(folder: Path, family: str) -> Path:
    made_checkpoint(folder, family)
    for path in folder.glob("*token*"):
        path.unlink()
    return folder


@pytest.mark.parametrize(
    ("family", "files"),
    [
        ("Bert", "vocab.txt or tokenizer.json"),
        ("Roberta", "vocab.json or merges.txt or tokenizer.json"),
        ("DebertaV2", "spm.model or tokenizer.json"),
        ("XLMRoberta", "sentencepiece.bpe.model or tokenizer.json"),
        ("T5", "spiece.model or tokenizer.json"),
        ("ModernBert", "tokenizer"),
    ],
)
def test_without_a_tokenizer_its_files_are_named(tmp_path: Path, family: str, files: str) -> None:
    folder = without_tokenizer(tmp_path, family)
    with pytest.raises(FeatureError, match=files):
        load_text_encoder(str(folder), "cpu")


@pytest.mark.parametrize(("n_words", "what"), [(4, "ids up to"), (400, "knows")])
def test_the_tokenizer_of_another_network_is_refused(
    tmp_path: Path, n_words: int, what: str
) -> None:
    folder = made_checkpoint(tmp_path, "Bert", vocab_size=n_words)
    with pytest.raises(FeatureError, match=f"the tokenizer of another network: .*{what}"):
        load_text_encoder(str(folder), "cpu")


def vit(folder: Path) -> Path:
    transformers.ViTModel(
        transformers.ViTConfig(
            hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
        )
    ).save_pretrained(folder)
    return folder


def gpt2(folder: Path) -> Path:
    return made_checkpoint(folder, "GPT2", n_embd=16, n_layer=1, n_head=2)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (made_clip, "no text encoder but a CLIPModel, which reads image and text"),
        (vit, "no text encoder but a ViTModel, which reads image"),
    ],
)
def test_other_networks_are_refused_by_extractor_and_model(tmp_path: Path, make, reason) -> None:
    folder = str(make(tmp_path))
    with pytest.raises(FeatureError, match=reason):
        Bert(folder, device="cpu").extract_one(Item("text", "a ship"))
    X, Y = made_ads(("text",), 20)
    with pytest.raises(CompetitionError, match=reason):
        FineTuned(checkpoint=folder, device="cpu").fit(X, Y)


def test_weights_of_other_shapes_are_refused_by_name(tmp_path: Path) -> None:
    folder = made_checkpoint(tmp_path, "Bert")
    config = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, "intermediate_size": 24}), "utf-8")
    with pytest.raises(
        FeatureError, match=r"other shapes .*intermediate\.dense\.bias, is 32 in pl"
    ):
        load_text_encoder(str(folder), "cpu")


@pytest.mark.parametrize(
    ("n_layers", "reason"), [(1, "has more layers than"), (3, "lacks 16 of the weights")]
)
def test_another_number_of_layers_is_refused(tmp_path: Path, n_layers: int, reason: str) -> None:
    folder = made_checkpoint(tmp_path, "Bert", "ForMaskedLM")
    config = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(
        json.dumps({**config, "num_hidden_layers": n_layers}), "utf-8"
    )
    with pytest.raises(FeatureError, match=reason):
        load_text_encoder(str(folder), "cpu")


@pytest.mark.parametrize("text", ["", "{}", "[]", "{"])
def test_a_broken_config_is_refused(tmp_path: Path, text: str) -> None:
    folder = made_checkpoint(tmp_path, "Bert")
    (folder / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises(FeatureError, match=r"cannot be loaded .*config\.json"):
        load_text_encoder(str(folder), "cpu")


@pytest.mark.parametrize("kept", [0, 7, 500, -500, None])
def test_weights_cut_short_or_absent_are_refused(tmp_path: Path, kept: int | None) -> None:
    weights = made_checkpoint(tmp_path, "Bert") / "model.safetensors"
    content = weights.read_bytes()
    weights.unlink()
    if kept is not None:
        weights.write_bytes(content[:kept])
    with pytest.raises(FeatureError, match=r"cannot be loaded .*model\.safetensors"):
        load_text_encoder(str(tmp_path), "cpu")
