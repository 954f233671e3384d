"""Texts are encoded as a plain pass of the network would, whatever batch they are in."""

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from competition.features.base import Item
from competition.features.extractors.bert import Bert
from competition.utils.errors import FeatureError, MediaError

TEXTS = ["w1 w2 w3", "w4", "w5 w6 w7 w8 w9 w10 w11", "w1 w1", "w19 w18 w17 w16 w15"]


def items(texts: list[str]) -> list[Item]:
    return [Item("text", text) for text in texts]


def plain_pass(folder, text: str, pooling: str) -> np.ndarray:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    network = AutoModel.from_pretrained(folder, add_pooling_layer=False).eval()
    with torch.no_grad():
        hidden = network(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
    return (hidden.mean(0) if pooling == "mean" else hidden[0]).numpy()


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a.astype(np.float64).ravel(), b.astype(np.float64).ravel()
    return a @ b / np.sqrt((a @ a) * (b @ b))


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_vectors_are_those_of_a_plain_pass(tiny_bert, pooling):
    bert = Bert(str(tiny_bert), pooling=pooling, batch_size=2)
    for text, vector in zip(TEXTS, bert.extract(items(TEXTS)), strict=True):
        assert vector.shape == (1, 16)
        assert vector.dtype == np.float16
        assert cosine(vector, plain_pass(tiny_bert, text, pooling)) > 0.999


def test_instruction_is_put_before_each_text(tiny_bert):
    with_instruction = Bert(str(tiny_bert), instruction="w3 w3 ").extract_one(Item("text", "w1"))
    assert (with_instruction == Bert(str(tiny_bert)).extract_one(Item("text", "w3 w3 w1"))).all()


def test_tokens_beyond_those_kept_do_not_matter(tiny_bert):
    bert = Bert(str(tiny_bert), max_tokens=4, keep="first_last")
    one, other = bert.extract(items(["w1 w2 w3 w4 w5 w6", "w1 w2 w9 w5 w6"]))
    assert (one == other).all()


def test_empty_text_is_missing_and_harms_no_other(tiny_bert):
    bert = Bert(str(tiny_bert))
    empty, blank, full = bert.extract(items(["", " \n", "w1"]))
    assert isinstance(empty, MediaError)
    assert isinstance(blank, MediaError)
    assert (full == bert.extract_one(Item("text", "w1"))).all()


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"pooling": "max"}, "pooling = 'max' is unknown. Choose one of mean, cls, last"),
        ({"keep": "last"}, "keep = 'last' is unknown. Choose one of first, first_last"),
        ({"max_tokens": 299}, "max_tokens = 299, but .* reads 1 to 298"),
        ({"max_tokens": 0}, "max_tokens = 0"),
    ],
)
def test_wrong_settings_are_refused(tiny_bert, params, message):
    bert = Bert(**{"checkpoint": str(tiny_bert), **params})
    with pytest.raises(FeatureError, match=message):
        bert.extract_one(Item("text", "w1"))


def test_without_a_checkpoint_the_feature_is_left_out():
    assert "set checkpoint" in Bert().lacks()
    assert Bert("some/model").lacks() == ""


def test_real_encoder_gives_what_a_plain_pass_gives_and_tells_texts_apart(real_models):
    folder = real_models / "me5-small-zh"
    texts = ["手机游戏下载", "好玩的手游，马上下载", "今晚的红烧肉怎么做", "红烧肉的做法，家常菜"]
    vectors = list(Bert(str(folder), instruction="query: ").extract(items(texts)))
    for text, vector in zip(texts, vectors, strict=True):
        assert cosine(vector, plain_pass(folder, f"query: {text}", "mean")) > 0.999
    alike = min(cosine(vectors[0], vectors[1]), cosine(vectors[2], vectors[3]))
    assert alike > max(cosine(vectors[i], vectors[j]) for i in (0, 1) for j in (2, 3))
