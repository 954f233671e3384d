"""Which models are of one modality, and which combinations are compared."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from competition.ablation.modalities import Modality, combinations, modalities_of
from competition.config.stages import FeatureSettings
from competition.datasets.base import AdDataset, Input, SubmissionSpec
from competition.oof.cards import ModelCard
from tests.made_cards import external_card, level1_card

INPUTS = (
    Input("sound", "array", ("sound",)),
    Input("visual", "array", ("visual",)),
    Input("ocr", "text", ("ocr",)),
    Input("asr", "text", ("asr",)),
    Input("metadata", "metadata", ("duration", "width")),
)
DATASET = AdDataset(
    name="made",
    root=Path(),
    ads=pd.DataFrame(),
    tags=(),
    labels=np.zeros((0, 0), dtype=np.uint8),
    inputs={given.name: given for given in INPUTS},
    submission=SubmissionSpec(),
)


def test_models_that_read_the_same_are_one_modality() -> None:
    cards: list[ModelCard] = [
        level1_card("b", "deep_frames", "visual"),
        level1_card("trees", "lightgbm", "ocr", "asr", "duration"),
        level1_card("words", "tfidf_logreg", "ocr", "asr"),
        level1_card("a", "deep_frames", "visual"),
        level1_card("chars", "tfidf_linearsvc", "ocr"),
        level1_card("reader", "deep_text", "asr"),
        level1_card("metadata", "tabular", "duration", "width"),
        external_card("brought"),
    ]
    found = {m.name: (m.family, m.models) for m in modalities_of(cards, DATASET, {})}
    assert found == {
        "visual": ("visual", ("b", "a")),
        "asr": ("text", ("reader",)),
        "tf-idf": ("tf-idf", ("words", "chars")),
        "ocr+asr+metadata": ("ocr+asr+metadata", ("trees",)),
        "metadata": ("metadata", ("metadata",)),
        "brought": ("brought", ("brought",)),
    }


def test_an_array_is_of_the_family_of_what_it_is_made_from() -> None:
    names = ("thumbs", "loud", "vectors", "Youtube8M_video", "audio_vggish", "numbers")
    inputs = {name: Input(name, "array", (name,)) for name in names}
    dataset = replace(DATASET, inputs=inputs)
    features = {
        "thumbs": FeatureSettings(extractor="thumbnails"),
        "loud": FeatureSettings(extractor="logmel"),
        "vectors": FeatureSettings(extractor="bert"),
    }
    cards: list[ModelCard] = [level1_card(f"of_{name}", "deep_frames", name) for name in names]
    families = {m.name: m.family for m in modalities_of(cards, dataset, features)}
    assert families == {
        "thumbs": "visual",
        "Youtube8M_video": "visual",
        "loud": "sound",
        "audio_vggish": "sound",
        "vectors": "text",
        "numbers": "numbers",
    }
    assert list(families.values()) == ["visual", "visual", "sound", "sound", "text", "numbers"]


def test_released_arrays_are_the_papers_picture_and_sound() -> None:
    names = ("youtube8m", "vggish", "audio_of_video")
    dataset = replace(DATASET, inputs={name: Input(name, "array", (name,)) for name in names})
    features = {
        name: FeatureSettings(extractor="npy", input=name, use="dataset") for name in names[:2]
    }
    cards: list[ModelCard] = [level1_card(f"of_{name}", "deep_frames", name) for name in names]
    found = modalities_of(cards, dataset, features)
    assert {one.name: one.family for one in found} == {
        "youtube8m": "visual",
        "vggish": "sound",
        "audio_of_video": "sound",
    }
    assert combinations(found, metadata=False)[0].name == "visual + sound"


MODALITIES = [
    Modality("visual", "visual", ("v1", "v2")),
    Modality("sound", "sound", ("s",)),
    Modality("ocr", "text", ("o",)),
    Modality("asr", "text", ("a",)),
    Modality("tf-idf", "tf-idf", ("t",)),
]


def rows(modalities: list[Modality], metadata: bool) -> list[tuple[str, str]]:
    found = combinations(modalities, metadata)
    for one in found:
        assert one.name.endswith("metadata") == one.metadata
    return [(one.name, " ".join(one.models)) for one in found]


def test_combinations_are_those_of_the_paper_in_its_order() -> None:
    assert rows(MODALITIES, True) == [
        ("visual + sound", "v1 v2 s"),
        ("visual + text", "v1 v2 o a"),
        ("visual + sound + text", "v1 v2 s o a"),
        ("visual + sound + text + tf-idf", "v1 v2 s o a t"),
        ("visual + sound + text + tf-idf + metadata", "v1 v2 s o a t"),
    ]


def test_what_the_paper_lacks_follows_its_rows() -> None:
    trees = Modality("ocr+media", "ocr+media", ("trees",))
    brought = Modality("brought", "brought", ("brought",))
    assert rows([MODALITIES[0], MODALITIES[4], trees, brought], True) == [
        ("visual + tf-idf", "v1 v2 t"),
        ("visual + tf-idf + metadata", "v1 v2 t"),
        ("visual + tf-idf + ocr+media", "v1 v2 t trees"),
        ("visual + tf-idf + ocr+media + brought", "v1 v2 t trees brought"),
        ("visual + tf-idf + ocr+media + brought + metadata", "v1 v2 t trees brought"),
    ]


def test_rows_that_data_do_not_allow_are_left_out() -> None:
    without_sound = [one for one in MODALITIES if one.family != "sound"]
    assert [name for name, _ in rows(without_sound, False)] == [
        "visual + text",
        "visual + text + tf-idf",
    ]
    assert rows(MODALITIES[4:], False) == [("tf-idf", "t")]
    assert rows(MODALITIES[4:], True) == [("tf-idf + metadata", "t")]
