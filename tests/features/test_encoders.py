"""Checkpoints are loaded safely and completely, or refused with one clear message."""

import json
import pickle
from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertModel

from competition.features.encoders import checkpoint_files, load_encoder
from competition.utils.errors import FeatureError

TINY = BertConfig(
    vocab_size=9, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8
)


def saved_by_pickle(folder: Path, weights: object) -> Path:
    """A checkpoint in the older layout, its weights in pickle form."""
    TINY.save_pretrained(folder)
    torch.save(weights, folder / "pytorch_model.bin")
    return folder


def test_weights_in_pickle_form_are_read(tmp_path):
    network = BertModel(TINY)
    loaded = load_encoder(str(saved_by_pickle(tmp_path, network.state_dict())), "cpu")
    weights = network.encoder.layer[0].output.dense.weight
    torch.testing.assert_close(
        loaded.encoder.layer[0].output.dense.weight.float(), weights, atol=1e-3, rtol=1e-2
    )


class RunsCode:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_code_in_a_pickle_is_not_run(tmp_path):
    proof = tmp_path / "proof"
    pickle.loads(pickle.dumps(RunsCode(proof)))
    assert proof.exists()
    proof.unlink()
    folder = saved_by_pickle(tmp_path / "model", {"a": RunsCode(proof)})
    with pytest.raises(FeatureError, match="cannot be loaded"):
        load_encoder(str(folder), "cpu")
    assert not proof.exists()


def test_lacking_weights_are_refused_unless_nothing_is_read_from_them(tmp_path):
    BertModel(TINY, add_pooling_layer=False).save_pretrained(tmp_path)
    with pytest.raises(FeatureError, match=r"lacks 2 of the weights .*first of them pooler\.dense"):
        load_encoder(str(tmp_path), "cpu")
    assert load_encoder(str(tmp_path), "cpu", ("pooler",)).config.hidden_size == 8


def test_network_is_ready_for_inference(tmp_path):
    BertModel(TINY).save_pretrained(tmp_path)
    network = load_encoder(str(tmp_path), "cpu")
    assert not network.training
    assert not any(weights.requires_grad for weights in network.parameters())


@pytest.mark.parametrize("model", ["/no/such/folder", "./no_such", "no/such/folder"])
def test_folder_that_is_not_there(model):
    with pytest.raises(FeatureError, match="There is no folder"):
        load_encoder(model, "cpu")


def test_folder_without_a_checkpoint(tmp_path):
    with pytest.raises(FeatureError, match=r"(?s)cannot be loaded .*config\.json"):
        load_encoder(str(tmp_path), "cpu")


def test_damaged_weights(tmp_path):
    BertModel(TINY).save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"none")
    with pytest.raises(FeatureError, match="cannot be loaded"):
        load_encoder(str(tmp_path), "cpu")


def test_files_of_a_folder_are_those_of_the_checkpoint(tmp_path):
    BertModel(TINY).save_pretrained(tmp_path)
    assert [path.name for path in checkpoint_files(str(tmp_path))] == [
        "config.json",
        "model.safetensors",
    ]


@pytest.mark.parametrize("model", ["", "google/vit-large-patch16-384"])
def test_name_on_the_hub_has_no_files_here(model):
    assert checkpoint_files(model) == ()


def test_code_that_a_checkpoint_brings_is_never_run(tmp_path, monkeypatch):
    """Not even where the user would say yes: no question is asked."""
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("a question was asked"))
    mark = tmp_path / "ran"
    folder = tmp_path / "checkpoint"
    BertModel(TINY).save_pretrained(folder)
    (folder / "own.py").write_text(
        f"from transformers import BertConfig, BertModel\nopen({str(mark)!r}, 'w').close()\n"
        "class OwnConfig(BertConfig):\n    model_type = 'own'\n"
        "class OwnModel(BertModel):\n    config_class = OwnConfig\n",
        encoding="utf-8",
    )
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["model_type"] = "own"
    config["auto_map"] = {"AutoConfig": "own.OwnConfig", "AutoModel": "own.OwnModel"}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(FeatureError, match=r"needs Python code of its own"):
        load_encoder(str(folder), "cpu")
    assert not mark.exists()
