"""Extraction whose batch does not fit into memory goes on with fewer, to the same features."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from competition.features.base import Extractor, Item
from competition.features.extractors.audio import Audio
from competition.features.extractors.bert import Bert
from competition.features.extractors.regions import Regions
from competition.features.extractors.vit import ViT
from competition.features.text_towers import embed_texts
from competition.utils.errors import ModelError
from tests.made_dual import made_dual
from tests.media.made_sound import tone, write_sound
from tests.short_memory import short_memory

FITS, BATCH = 2, 6


@pytest.fixture
def items(tmp_path: Path) -> dict[str, list[Item]]:
    """Eight texts, pictures and sounds; sounds of one to eight windows of a second."""
    rng = np.random.default_rng(0)
    found: dict[str, list[Item]] = {"text": [], "image": [], "audio": []}
    for n in range(1, 9):
        picture, sound = tmp_path / f"{n}.png", tmp_path / f"{n}.wav"
        Image.fromarray(rng.integers(0, 256, (40, 30, 3), dtype=np.uint8)).save(picture)
        write_sound(sound, tone(100.0 * n, n, 16_000)[None], rate=16_000)
        found["text"].append(Item("text", " ".join(f"w{k}" for k in range(1, n + 1))))
        found["image"].append(Item("image", picture))
        found["audio"].append(Item("audio", sound))
    return found


@pytest.fixture(params=["bert", "vit", "audio"])
def made(
    request: pytest.FixtureRequest,
    tiny_bert: Path,
    tiny_vit: Path,
    tiny_wavlm: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[Callable[[], Extractor], str]:
    """An extractor as it is on a GPU, where batches hold several ads; the kind that it reads."""
    for one in (Bert, ViT, Audio):
        monkeypatch.setattr(one, "on_gpu", lambda self: True)
    makers: dict[str, tuple[Callable[[], Extractor], str]] = {
        "bert": (lambda: Bert(str(tiny_bert), batch_size=BATCH, device="cpu"), "text"),
        "vit": (lambda: ViT(str(tiny_vit), batch_size=BATCH, device="cpu"), "image"),
        "audio": (
            lambda: Audio(str(tiny_wavlm), window_ms=1000, batch_size=BATCH, device="cpu"),
            "audio",
        ),
    }
    return makers[request.param]


def test_batches_that_do_not_fit_are_halved_and_give_the_same_features(made, items):
    make, kind = made
    with short_memory(10**9) as seen:
        whole = list(make().extract(items[kind]))
    assert max(seen) == BATCH
    with short_memory(FITS) as seen:
        halved = list(make().extract(items[kind]))
    assert sum(n > FITS for n in seen) == 2  # 6 and 3, found out once
    assert len(halved) == len(whole) == 8
    for one, other in zip(halved, whole, strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(one.astype(float), other.astype(float), atol=2e-3)  # float16


def test_one_item_that_does_not_fit_ends_the_extraction_in_one_sentence(made, items):
    make, kind = made
    extractor = make()
    list(extractor.extract(items[kind][:1]))  # it is loaded, and works
    with (
        short_memory(0),
        pytest.raises(ModelError, match=r"^A single [\w ]+ does not fit into memory \(1 "),
    ):
        list(extractor.extract(items[kind]))


@pytest.mark.parametrize("name", ["bert", "vit", "regions", "audio"])
def test_checkpoint_too_large_for_one_item_is_not_called_unfit(
    name, tiny_bert, tiny_vit, tiny_wavlm, items
):
    """Networks are tried out where they are loaded; there, too, memory is what is missing."""
    makers = {
        # Settings of their own, so that no other test has loaded them already.
        "bert": (lambda: Bert(str(tiny_bert), max_tokens=7, device="cpu"), "text"),
        "vit": (lambda: ViT(str(tiny_vit), pooling="mean", device="cpu"), "image"),
        "regions": (lambda: Regions(str(tiny_vit), device="cpu"), "image"),
        "audio": (lambda: Audio(str(tiny_wavlm), device="cpu"), "audio"),
    }
    make, kind = makers[name]
    with (
        short_memory(0),
        pytest.raises(ModelError, match=r"^A single \w+ does not fit"),
    ):
        list(make().extract(items[kind]))


def test_names_of_tags_are_encoded_with_fewer_at_a_time(tmp_path):
    words = ["red", "green", "blue", "gold", "grey"]
    folder = str(made_dual(tmp_path, "CLIP", words))
    whole = embed_texts(folder, words)
    with short_memory(2) as seen:
        halved = embed_texts(folder, words)
    assert max(seen) == 5
    np.testing.assert_allclose(halved.vectors, whole.vectors, atol=1e-6)
    with short_memory(0), pytest.raises(ModelError, match="A single text does not fit into memory"):
        embed_texts(folder, words)
