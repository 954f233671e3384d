"""The tokenizer of networks from scratch: words, and pieces of rarer ones."""

import pickle

import pytest

from competition.level1.networks.vocabulary import SPECIAL, new_tokenizer, spaced

TEXTS = ["点击 链接 点击 链接 免费 free", "免费 链接 点 once free", "击 鼓"]


def tokens(tokenizer, text: str) -> list[str]:
    return tokenizer.convert_ids_to_tokens(tokenizer(text)["input_ids"])


def test_text_is_cut_into_words_of_either_script():
    assert spaced("点击视频下方链接|Only 9.9元!") == "点击 视频 下方 链接 only 9.9 元"


def test_common_word_is_one_token():
    assert tokens(new_tokenizer(TEXTS), "点击 free") == ["[CLS]", "点击", "free", "[SEP]"]


def test_rare_word_is_cut_into_common_pieces():
    assert tokens(new_tokenizer(TEXTS), "链点击") == ["[CLS]", "链", "点击", "[SEP]"]


def test_what_training_texts_do_not_hold_is_unknown():
    assert tokens(new_tokenizer(TEXTS), "猫 鼓 cat") == ["[CLS]"] + 3 * ["[UNK]"] + ["[SEP]"]


def test_vocabulary_is_what_occurs_twice_most_frequent_first():
    vocabulary = new_tokenizer(TEXTS).get_vocab()
    ranked = sorted(vocabulary, key=vocabulary.get)
    assert tuple(ranked[:4]) == SPECIAL
    assert set(ranked[4:]) == {*"点击链接免费fre", "点击", "链接", "免费", "free"}
    assert ranked[4] == "e"


@pytest.mark.parametrize("texts", [[], [""], ["[PAD] [UNK] [PAD] [UNK]"]])
def test_texts_without_words_still_make_a_tokenizer(texts):
    assert tokens(new_tokenizer(texts), "word") == ["[CLS]", "[UNK]", "[SEP]"]


def test_tokenizer_survives_pickling():
    tokenizer = new_tokenizer(TEXTS)
    again = pickle.loads(pickle.dumps(tokenizer))
    assert again(TEXTS)["input_ids"] == tokenizer(TEXTS)["input_ids"]
