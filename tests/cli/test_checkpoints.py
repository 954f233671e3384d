"""Checkpoints that users name are fine-tuned in every fold, or refused in one message."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import transformers

from tests.cli.calling import called
from tests.features.test_text_encoders import without_tokenizer
from tests.features.test_vision_encoders import made_vit
from tests.made_checkpoints import CAUSAL, FINE_TUNED, add_modules, made_checkpoint, made_clip

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


@pytest.mark.parametrize("family", [*FINE_TUNED, "Qwen3"])
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


def stored(out: Path, extractor: str) -> list[np.ndarray]:
    """Arrays of a feature, by the digest of what they were extracted from."""
    (folder,) = (out / "cache" / "features").glob(f"{extractor}-*")
    found = {}
    for path in folder.glob("*.parquet"):
        values = np.load(path.with_suffix(".npy"))
        for key, row in pd.read_parquet(path).iterrows():
            size = int(row["rows"] * row["dims"])
            start = int(row["start"])
            found[key] = values[start : start + size].reshape(int(row["rows"]), -1)
    return [found[key] for key in sorted(found)]


@pytest.mark.parametrize("family", [*CAUSAL, "Bert"])
def test_an_embedding_model_gives_the_vectors_of_its_card_on_the_command_line(
    shared_table: Path, tmp_path: Path, family: str
) -> None:
    folder = made_checkpoint(tmp_path / "model", family)
    prompts = {"prompts": {"query": "a long war "}, "default_prompt_name": None}
    add_modules(folder, {"pooling_mode": "lasttoken"}, "Normalize", prompts=prompts)
    more = 'instruction = "a long war "\nmax_tokens = 40'
    feature = FEATURE.format(extractor="bert", input="story", folder=folder, more=more)
    profile = profile_of(tmp_path / "p.toml", feature)

    done = called(
        *("run", "--data", shared_table, "--out", tmp_path, "--profile", profile, "--jobs", 1),
        *("--set", "folds.n=2", "--set", "level2.model=mean", "--device", "cpu"),
    )

    assert done.status == 0, done.err
    assert "model" in done.row("probe_vectors")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    network = transformers.AutoModel.from_pretrained(folder).eval()
    ads = pd.concat([pd.read_csv(shared_table / f"{name}.csv") for name in ("train", "test")])
    texts = sorted({f"{ad.title}\n{ad.plot}" for ad in ads.itertuples()})
    expected = []
    for text in texts:
        with torch.no_grad():
            tokens = tokenizer("a long war " + text, return_tensors="pt")
            last = network(**tokens).last_hidden_state[0, -1].numpy()
        expected.append(last / np.linalg.norm(last))
    found = np.concatenate(stored(tmp_path, "bert")).astype(np.float32)
    assert len(found) == len(expected)
    cosines = found @ np.array(expected).T
    assert (cosines.max(axis=0) > 0.999).all()
    assert (cosines.max(axis=1) > 0.999).all()
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=2e-3)


@pytest.mark.parametrize("table", ["features.vectors", "level1.bert_story"])
def test_former_name_of_the_instruction_is_refused_with_the_new_one(
    shared_table: Path, tmp_path: Path, table: str
) -> None:
    feature = FEATURE.format(extractor="bert", input="story", folder=tmp_path, more="")
    level1 = '[level1.bert_story]\nmodel = "bert"\ninputs = ["story"]\ncheckpoint = "org/name"\n'
    profile = profile_of(tmp_path / "p.toml", feature + level1)
    done = called(
        *("run", "--data", shared_table, "--out", tmp_path, "--profile", profile),
        *("--set", f"{table}.prefix=query: "),
    )
    assert done.status == 2
    assert f"{table}.prefix: that key is now instruction." in " ".join(done.err.split())
