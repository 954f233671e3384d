"""Which modality a level-1 model belongs to, by the inputs that it reads."""

from collections.abc import Sequence
from dataclasses import dataclass

from competition.datasets.base import AdDataset, InputKind
from competition.level1.registry import find_models, get_model
from competition.oof.cards import ExternalCard, Level1Card, ModelCard
from competition.pipeline.crossfit import make_estimator

TFIDF = "tf-idf"
# The order of the winning video paper's Table 3: pictures, sound, texts, counted terms.
ORDER = ("video", "image", "array", "audio", "text", TFIDF, "several", "elsewhere")


@dataclass(frozen=True)
class Modality:
    """Level-1 models that read the same.

    Attributes
    ----------
    name : str
        The inputs that they read, joined by "+"; ``"tf-idf"`` for linear models of counted terms;
        of predictions made elsewhere, the model's own name.
    family : str
        Modalities of one family are one step of the combinations: all texts are ``"text"``, any
        other modality is a family of its own.
    kind : str
        One of `ORDER`.
    models : tuple of str
    """

    name: str
    family: str
    kind: str
    models: tuple[str, ...]


def modalities_of(cards: Sequence[ModelCard], dataset: AdDataset) -> list[Modality]:
    """Sort level-1 models, given by their cards, into modalities, in the order of the paper.

    Parameters
    ----------
    cards : sequence of Level1Card or ExternalCard
    dataset : AdDataset
        Its features included.
    """
    input_of = {column: given for given in dataset.inputs.values() for column in given.columns}
    models: dict[tuple[str, str, str], list[str]] = {}
    for card in cards:
        columns = card.inputs if isinstance(card, Level1Card) else ()
        inputs = {input_of[c].name: input_of[c].kind for c in columns if c in input_of}
        kinds = set(inputs.values())
        if isinstance(card, ExternalCard) or not inputs:
            key = ("elsewhere", card.model, card.model)
        elif kinds == {"text"} and _counts_terms(card):
            key = (TFIDF, TFIDF, TFIDF)
        else:
            name = "+".join(inputs)
            key = (_kind(kinds), "text" if kinds == {"text"} else name, name)
        models.setdefault(key, []).append(card.model)
    ordered = sorted(models, key=lambda key: ORDER.index(key[0]))
    return [Modality(key[2], key[1], key[0], tuple(models[key])) for key in ordered]


def _kind(kinds: set[InputKind]) -> str:
    (kind, *others) = sorted(kinds)
    return kind if not others and kind in ORDER else "several"


def _counts_terms(card: Level1Card) -> bool:
    """Tell whether a model that reads texts alone, given by its card, sees them as counted terms.

    One that reads other kinds too has a modality of its own, even where there are texts alone.
    """
    if card.level1 not in find_models() or get_model(card.level1).kinds != ("text",):
        return False
    return make_estimator(card.level1, card.parameters).text_terms is not None


def combinations(modalities: Sequence[Modality]) -> list[tuple[str, tuple[str, ...]]]:
    """Name the combinations of families that the paper's Table 3 compares, with their models.

    The first family with each of the next two, then one more family at a time.
    """
    families: dict[str, list[str]] = {}
    for modality in modalities:
        families.setdefault(modality.family, []).extend(modality.models)
    names = list(families)
    rows = [names[:2]] if len(names) > 1 else []
    rows += [[names[0], names[2]]] if len(names) > 2 else []
    rows += [names[:n] for n in range(3, len(names) + 1)]
    return [
        (" + ".join(row), tuple(model for family in row for model in families[family]))
        for row in rows
    ]
