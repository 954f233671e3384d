"""Words as FastText vectors."""

import os
import subprocess
import sys

import numpy as np
import pytest

from competition.level1.components.word_vectors import (
    embed,
    first_words,
    load_vectors,
    train_vectors,
    write_vectors,
)
from competition.utils.errors import ModelError

ADS = [["wine", "cheese", "bread"], ["soldier", "war", "trench"]] * 40
CODE = """
import sys
from competition.level1.components.word_vectors import embed, train_vectors
ads = [["wine", "cheese", "bread"], ["soldier", "war", "trench"]] * 40
sys.stdout.buffer.write(embed(train_vectors(ads, seed=3), ["wine", "war", "soldjer"]).tobytes())
"""


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_lines_of_ocr_are_cut_at_bars_and_spaces():
    assert first_words("New YORK|点击下载, now|late", 5) == ["new", "york", "点击", "下载", "now"]


def test_misread_word_lies_near_the_word():
    soldier, misread, cheese = embed(train_vectors(ADS, seed=0), ["soldier", "soldler", "cheese"])
    assert cosine(soldier, misread) > cosine(soldier, cheese) + 0.2


def test_unknown_word_is_the_mean_of_its_n_grams():
    from gensim.models.fasttext_inner import compute_ngrams_bytes, ft_hash_bytes

    vectors = train_vectors(ADS, seed=0)
    hashes = [
        ft_hash_bytes(gram) % vectors.bucket for gram in compute_ngrams_bytes("soldjer", 3, 6)
    ]
    expected = vectors.vectors_ngrams[hashes].mean(axis=0)
    assert np.allclose(embed(vectors, ["soldjer"])[0], expected, atol=1e-7)


def test_no_word_gives_no_vectors():
    assert train_vectors([[], []], seed=0) is None


def test_vectors_do_not_depend_on_the_hash_seed_of_python():
    elsewhere = subprocess.run(
        [sys.executable, "-c", CODE],
        env={**os.environ, "PYTHONHASHSEED": "1"},
        capture_output=True,
        check=True,
    ).stdout
    assert elsewhere == embed(train_vectors(ADS, seed=3), ["wine", "war", "soldjer"]).tobytes()


def test_vectors_of_a_file_are_those_that_were_saved(tmp_path):
    from gensim.models import FastText
    from gensim.models.fasttext import save_facebook_model

    model = FastText(ADS, vector_size=8, min_count=1, bucket=100, seed=0, workers=1)
    save_facebook_model(model, str(tmp_path / "small.bin"))
    loaded = embed(load_vectors(str(tmp_path / "small.bin")), ["wine", "soldjer"])
    assert np.allclose(loaded, embed(model.wv, ["wine", "soldjer"]), atol=1e-6)


def test_file_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(ModelError, match=r"no file .*none.bin"):
        load_vectors(str(tmp_path / "none.bin"))


def test_file_of_something_else_is_an_error(tmp_path):
    (tmp_path / "text.bin").write_text("no vectors")
    with pytest.raises(ModelError, match=r"text.bin is no FastText model"):
        load_vectors(str(tmp_path / "text.bin"))


@pytest.mark.parametrize("header", ["", "2 3\n"], ids=["GloVe", "word2vec"])
def test_text_form_knows_its_own_words_alone(tmp_path, header):
    path = tmp_path / "vectors.vec"
    path.write_text(header + "wine 1 2 3\nwar -1 0.5 0\n", encoding="utf-8")
    found = embed(load_vectors(str(path)), ["war", "wein", "wine"])
    assert np.array_equal(found[[0, 2]], [[-1, 0.5, 0], [1, 2, 3]])
    assert np.isnan(found[1]).all()


def test_text_that_holds_no_vectors_is_an_error(tmp_path):
    (tmp_path / "letter.txt").write_text("dear reader\nno numbers here at all\n")
    with pytest.raises(ModelError, match=r"letter.txt is no word2vec text"):
        load_vectors(str(tmp_path / "letter.txt"))


def test_written_vectors_are_those_that_were_trained(tmp_path):
    assert write_vectors(tmp_path / "own.bin", ADS, seed=0)
    loaded = embed(load_vectors(str(tmp_path / "own.bin")), ["wine", "soldjer"])
    assert np.allclose(loaded, embed(train_vectors(ADS, seed=0), ["wine", "soldjer"]), atol=1e-6)
    assert not write_vectors(tmp_path / "none.bin", [[], []], seed=0)
    assert not (tmp_path / "none.bin").exists()
