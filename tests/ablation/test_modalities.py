"""Which models are of one modality, and which combinations are compared."""

from pathlib import Path

import numpy as np
import pandas as pd

from competition.ablation.modalities import Modality, combinations, modalities_of
from competition.datasets.base import AdDataset, Input, SubmissionSpec
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
    cards = [
        level1_card("b", "deep_frames", "visual"),
        level1_card("trees", "lightgbm", "ocr", "asr", "duration"),
        level1_card("words", "tfidf_logreg", "ocr", "asr"),
        level1_card("a", "deep_frames", "visual"),
        level1_card("chars", "tfidf_linearsvc", "ocr"),
        level1_card("reader", "deep_text", "asr"),
        level1_card("metadata", "tabular", "duration", "width"),
        external_card("brought"),
    ]
    found = {m.name: (m.family, m.models) for m in modalities_of(cards, DATASET)}
    assert found == {
        "visual": ("visual", ("b", "a")),
        "asr": ("text", ("reader",)),
        "tf-idf": ("tf-idf", ("words", "chars")),
        "ocr+asr+metadata": ("ocr+asr+metadata", ("trees",)),
        "metadata": ("metadata", ("metadata",)),
        "brought": ("brought", ("brought",)),
    }


def test_combinations_are_those_of_the_paper() -> None:
    modalities = [
        Modality("visual", "visual", "array", ("v1", "v2")),
        Modality("sound", "sound", "array", ("s",)),
        Modality("ocr", "text", "text", ("o",)),
        Modality("asr", "text", "text", ("a",)),
        Modality("tf-idf", "tf-idf", "tf-idf", ("t",)),
    ]
    assert combinations(modalities) == [
        ("visual + sound", ("v1", "v2", "s")),
        ("visual + text", ("v1", "v2", "o", "a")),
        ("visual + sound + text", ("v1", "v2", "s", "o", "a")),
        ("visual + sound + text + tf-idf", ("v1", "v2", "s", "o", "a", "t")),
    ]


def test_single_modality_has_no_combination() -> None:
    assert combinations([Modality("tf-idf", "tf-idf", "tf-idf", ("a", "b"))]) == []
