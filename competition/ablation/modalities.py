"""Which modality a level-1 model belongs to, by the inputs that it reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from competition.config.stages import FeatureSettings
from competition.datasets.base import AdDataset, Input
from competition.features.registry import get_extractor
from competition.level1.registry import find_models, get_model
from competition.oof.cards import ExternalCard, Level1Card, ModelCard
from competition.pipeline.crossfit import make_estimator

VISUAL, SOUND, TEXT, TFIDF = "visual", "sound", "text", "tf-idf"
# The combinations of the winning video paper's Table 3, in its order.
PAPER_ROWS = (
    (VISUAL, SOUND),
    (VISUAL, TEXT),
    (VISUAL, SOUND, TEXT),
    (VISUAL, SOUND, TEXT, TFIDF),
)
PAPER = (VISUAL, SOUND, TEXT, TFIDF)
# What the name of an array that came with the ads says about it. Sound is looked for first: the
# sound of a video is sound.
NAMED = {
    SOUND: ("sound", "audio", "vggish", "speech", "music"),
    VISUAL: ("visual", "video", "image", "picture", "frame", "vit", "youtube8m"),
}


@dataclass(frozen=True)
class Combination:
    """Level-1 models that are stacked together.

    Attributes
    ----------
    name : str
    models : tuple of str
    metadata : bool
        Whether the meta-learner sees the metadata too.
    """

    name: str
    models: tuple[str, ...]
    metadata: bool


@dataclass(frozen=True)
class Modality:
    """Level-1 models that read the same.

    Attributes
    ----------
    name : str
        The inputs that they read, joined by "+"; ``"tf-idf"`` for linear models of counted terms;
        of predictions made elsewhere, the model's own name.
    family : str
        Modalities of one family are one step of the combinations: ``"visual"``, ``"sound"``,
        ``"text"`` or ``"tf-idf"``, as in the paper; else the modality's name.
    models : tuple of str
    """

    name: str
    family: str
    models: tuple[str, ...]


def modalities_of(
    cards: Sequence[ModelCard], dataset: AdDataset, features: Mapping[str, FeatureSettings]
) -> list[Modality]:
    """Sort level-1 models, given by their cards, into modalities, in the order of the paper.

    Parameters
    ----------
    cards : sequence of Level1Card or ExternalCard
    dataset : AdDataset
        Its features included.
    features : mapping of str to FeatureSettings
        Those of the profile: an array is of the family of what it was extracted from.
    """
    input_of = {column: given for given in dataset.inputs.values() for column in given.columns}
    models: dict[tuple[str, str], list[str]] = {}
    for card in cards:
        columns = card.inputs if isinstance(card, Level1Card) else ()
        inputs = {input_of[c].name: input_of[c] for c in columns if c in input_of}
        families = {_family(given, features) for given in inputs.values()}
        name = "+".join(inputs)
        if isinstance(card, ExternalCard) or not inputs:
            key = (card.model, card.model)
        elif families == {TEXT} and _counts_terms(card):
            key = (TFIDF, TFIDF)
        else:
            key = (families.pop() if len(families) == 1 else name, name)
        models.setdefault(key, []).append(card.model)
    found = [Modality(name, family, tuple(own)) for (family, name), own in models.items()]
    return sorted(found, key=lambda one: PAPER.index(one.family) if one.family in PAPER else 9)


def _family(given: Input, features: Mapping[str, FeatureSettings]) -> str:
    """Return what an input shows of an ad: "visual", "sound", "text", else the input's name."""
    if given.kind == "text":
        return TEXT
    if given.kind in ("image", "video"):
        return VISUAL
    if given.kind == "audio":
        return SOUND
    if given.kind == "array" and given.name in features:
        kinds = get_extractor(features[given.name].extractor).kinds
        for family, kind in ((SOUND, "audio"), (VISUAL, "image"), (TEXT, "text")):
            if kind in kinds:
                return family
    if given.kind == "array":
        for family, words in NAMED.items():
            if any(word in given.name.lower() for word in words):
                return family
    return given.name


def _counts_terms(card: Level1Card) -> bool:
    """Tell whether a model that reads texts alone, given by its card, sees them as counted terms.

    One that reads other kinds too has a modality of its own, even where there are texts alone.
    """
    if card.level1 not in find_models() or get_model(card.level1).kinds != ("text",):
        return False
    return make_estimator(card.level1, card.parameters).text_terms is not None


def combinations(modalities: Sequence[Modality], metadata: bool) -> list[Combination]:
    """Name the combinations of families that are compared, with their models.

    Those of the paper's Table 3 that the families allow, in its order, the last of them with the
    metadata too; then one more family at a time; at last everything.

    Parameters
    ----------
    modalities : sequence of Modality
    metadata : bool
        Whether the meta-learner has any.
    """
    families: dict[str, list[str]] = {}
    for modality in modalities:
        families.setdefault(modality.family, []).extend(modality.models)
    of_paper = [tuple(f for f in row if f in families) for row in PAPER_ROWS]
    others = [family for family in families if family not in PAPER]
    last = of_paper[-1]
    further = [(*last, *others[: n + 1]) for n in range(len(others))]
    rows = [(row, False) for row in of_paper if len(row) > 1]
    rows += [(last, True)] if last and metadata else []
    rows += [(row, False) for row in further if len(row) > 1]
    rows.append((further[-1] if further else last, metadata))
    return [
        Combination(
            " + ".join([*row, *(["metadata"] if with_metadata else [])]),
            tuple(model for family in row for model in families[family]),
            with_metadata,
        )
        for row, with_metadata in dict.fromkeys(rows)
    ]
