"""Checkpoints that users name are fine-tuned in every fold, or refused in one message."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from tests.cli.calling import called
from tests.features.test_text_encoders import without_tokenizer
from tests.features.test_vision_encoders import made_vit
from tests.made_checkpoints import FINE_TUNED, made_checkpoint, made_clip

PROFILE = 'kinds = ["text", "array"]\nmodels = []\n'
FINE_TUNING = (
    PROFILE
    + """
[folds]
n = 2
[level1.bert_story]
model = "bert"
inputs = ["story"]
checkpoint = "{}"
max_tokens = 20
epochs = 1
batch_size = 4
tuning_rate = 1e-3
[level2]
model = "mean"
"""
)
FEATURE = (
    PROFILE
    + """
[features.vectors]
extractor = "{extractor}"
input = "{input}"
checkpoint = "{folder}"
{more}
[level1.probe_vectors]
model = "probe"
inputs = ["vectors"]
"""
)


def profile_of(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("family", FINE_TUNED)
def test_run_fine_tunes_all_weights_in_every_fold(
    shared_table: Path, tmp_path: Path, family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = made_checkpoint(tmp_path / "model", family)
    before = transformers.AutoModel.from_pretrained(folder).state_dict()
    trained = trained_networks(monkeypatch)
    profile = profile_of(tmp_path / "p.toml", FINE_TUNING.format(folder))

    done = called(
        "run", "--data", shared_table, "--out", tmp_path, "--profile", profile, "--jobs", 1
    )

    assert done.status == 0, done.err
    assert [unmoved(network, before) for network in trained] == [[], []]
    assert card_of(tmp_path)["parameters"]["checkpoint"] == str(folder)


def unmoved(network: Any, before: dict[str, torch.Tensor]) -> list[str]:
    """Names of weights as they were.

    Left out are the pooler, which nothing is read from, and the bias of keys, which moves all
    scores of a query alike, so that its gradient is 0.
    """
    return [
        name
        for name, weights in network.encoder.named_parameters()
        if torch.equal(weights, before[name])
        and not re.search(r"^pooler\.|key\.bias$|key_proj\.bias$", name)
    ]


def card_of(out: Path) -> dict[str, Any]:
    card = out / "oof" / "films" / "bert_story" / "card.json"
    return json.loads(card.read_text(encoding="utf-8"))


def trained_networks(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Networks after their training, as the run makes them."""
    from competition.level1.models.bert import Bert

    found: list[Any] = []
    fit = Bert._fit

    def fit_and_keep(self, X, Y):
        fit(self, X, Y)
        found.append(self.network_)

    monkeypatch.setattr(Bert, "_fit", fit_and_keep)
    return found


def made_bert(folder: Path, **changes: Any) -> Path:
    return made_checkpoint(folder, "Bert", **changes)


def without_weights(folder: Path) -> Path:
    (made_bert(folder) / "model.safetensors").unlink()
    return folder


def with_layers_that_are_not_there(folder: Path) -> Path:
    config = made_bert(folder) / "config.json"
    read = json.loads(config.read_text("utf-8"))
    config.write_text(json.dumps({**read, "num_hidden_layers": 5}), encoding="utf-8")
    return folder


REFUSED = {
    "no tokenizer": (lambda folder: without_tokenizer(folder, "Bert"), "lacks the files of a tok"),
    "dual encoder": (made_clip, "no text encoder but a CLIPModel"),
    "pictures": (made_vit, "no text encoder but a ViTModel"),
    "no weights": (without_weights, "cannot be loaded"),
    "missing layers": (with_layers_that_are_not_there, "lacks 48 of the weights"),
    "few positions": (
        lambda folder: made_checkpoint(folder, "Roberta", max_position_embeddings=20),
        "max_tokens",
    ),
}


@pytest.mark.parametrize(("make", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_refused_in_one_message_as_feature_and_as_model(
    shared_table: Path, tmp_path: Path, make: Any, reason: str
) -> None:
    folder = make(tmp_path / "model")
    feature = FEATURE.format(extractor="bert", input="story", folder=folder, more="max_tokens = 20")
    for name, text in (("feature", feature), ("model", FINE_TUNING.format(folder))):
        profile = profile_of(tmp_path / f"{name}.toml", text)
        done = called(
            *("run", "--data", shared_table, "--out", tmp_path / name, "--profile", profile),
            *("--jobs", 1),
        )
        assert done.status == 2, name
        assert reason in " ".join(done.err.split())
        assert "Traceback" not in done.err
