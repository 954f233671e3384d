"""bert: what it reads, and how checkpoints are loaded."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from competition.level1.models.bert import Bert
from competition.level1.networks.texts import Tokens
from competition.testing.synthetic import made_ads
from competition.utils.errors import CompetitionError, ModelError
from tests.short_memory import short_memory


def texts(*columns: list[str]) -> pd.DataFrame:
    ids = [f"ad{i}" for i in range(len(columns[0]))]
    return pd.DataFrame({f"text{i}": c for i, c in enumerate(columns)}, index=ids)


def labels(n_ads: int) -> np.ndarray:
    return (np.arange(n_ads)[:, None] % [2, 3] == 0).astype(np.uint8)


def words(fitted: Bert, X: pd.DataFrame, ad: int = 0) -> list[str]:
    return fitted.tokenizer_.convert_ids_to_tokens(fitted.batches(X).sequences[ad])


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny BERT with random weights, saved as a checkpoint."""
    import torch
    from transformers import BertConfig, BertModel

    from competition.level1.networks.vocabulary import new_tokenizer, spaced

    folder = tmp_path_factory.mktemp("checkpoint")
    X, _ = made_ads(("text",), 60)
    tokenizer = new_tokenizer(spaced(text) for name in X for text in X[name])
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_checkpoint_is_fine_tuned_whole(checkpoint):
    X, Y = made_ads(("text",), 60)
    fitted = Bert(checkpoint=str(checkpoint), max_tokens=40, epochs=1, tuning_rate=1e-3).fit(X, Y)
    untouched = Bert(checkpoint=str(checkpoint), max_tokens=40)._pretrained(2).network.state_dict()
    trained = fitted.network_.encoder.state_dict()
    moved = [name for name in untouched if not np.array_equal(untouched[name], trained[name])]
    assert "embeddings.word_embeddings.weight" in moved
    assert "encoder.layer.0.attention.self.query.weight" in moved


def test_instruction_is_read_before_each_text(checkpoint):
    X = texts(["filler1"] * 6, ["filler2"] * 6)
    fitted = Bert(checkpoint=str(checkpoint), instruction="word1 ", epochs=1, max_tokens=40)
    fitted.fit(X, labels(6))
    assert words(fitted, X) == ["[CLS]", "word1", "filler1", "[SEP]", "word1", "filler2", "[SEP]"]


def test_files_of_a_checkpoint_are_what_a_fit_depends_on(checkpoint):
    names = {path.name for path in Bert(checkpoint=str(checkpoint)).files()}
    assert {"config.json", "model.safetensors"} <= names
    assert Bert("org/name").files() == ()


def test_folder_without_a_checkpoint_is_refused(tmp_path):
    X, Y = made_ads(("text",), 20)
    with pytest.raises(CompetitionError, match="cannot be loaded"):
        Bert(checkpoint=str(tmp_path)).fit(X, Y)


def test_rate_that_teaches_nothing_is_refused(checkpoint):
    X, Y = made_ads(("text",), 20)
    with pytest.raises(ModelError, match=r"The learning rate is 0; it must be more than 0"):
        Bert(checkpoint=str(checkpoint), max_tokens=40, tuning_rate=0).fit(X, Y)


def test_checkpoint_that_reads_fewer_tokens_is_refused(checkpoint):
    X, Y = made_ads(("text",), 20)
    with pytest.raises(
        ModelError, match=r"max_tokens is 256, but of an ad with 2 texts .* reads at most 61 tokens"
    ):
        Bert(checkpoint=str(checkpoint)).fit(X, Y)


def test_parts_that_a_processor_computes_take_the_steps_of_the_whole_batch(
    checkpoint, tmp_path, monkeypatch
):
    """1,024 tokens at a time, or here 40; a batch of 16 texts has some 300."""
    X, Y = made_ads(("text",), 40)
    config = json.loads((checkpoint / "config.json").read_text())
    undropped = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    folder = shutil.copytree(checkpoint, tmp_path / "undropped")
    (folder / "config.json").write_text(json.dumps({**config, **undropped}))
    found, whole_batches = [], []
    for most in (10**6, 40, 40):
        monkeypatch.setattr(Tokens, "on_cpu", most)
        model = Bert(checkpoint=str(folder), max_tokens=40, dropout=0.0, epochs=2)
        model.set_params(batch_size=16, tuning_rate=1e-3, device="cpu")
        with short_memory(10**9) as seen:
            found.append(model.fit(X, Y).predict_proba(X))
        whole_batches.append(seen.count(16))
    assert whole_batches[0] > whole_batches[1] == whole_batches[2] > 0  # prediction is not split
    whole, parts, again = found
    np.testing.assert_allclose(parts, whole, atol=1e-5)
    np.testing.assert_array_equal(again, parts)
    assert np.ptp(whole, axis=0).max() > 1e-3
