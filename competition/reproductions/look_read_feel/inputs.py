"""What HMAM and its rivals are given: which features, and what they are made from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from competition.config.profile import Profile
from competition.config.stages import Level1Settings
from competition.datasets.base import AdDataset
from competition.features.encoders import load_pretrained
from competition.level1.components.word_vectors import first_words, write_vectors
from competition.level1.registry import get_model
from competition.reproductions.look_read_feel.methods import RESNETS, all_layers, checkpoint_of
from competition.utils.errors import FeatureError, ProfileError
from competition.utils.files import digest
from competition.utils.progress import Progress
from competition.utils.source_digest import source_digest

OBJECTS = ("regions", "detections", "grid")  # the first of these that can be had is HMAM's
TRAINED = {"c2ae": "resnet101", "mlgcn": "resnet101"}  # rivals that train an encoder, and which
SHIPPED = "image_ads"
FITTED = "FastText of all ads' words"


@dataclass(frozen=True)
class Given:
    """What can be had of a profile on a dataset.

    Attributes
    ----------
    extracted : Profile
        With the features that are to be extracted.
    planned : Profile
        With the models that are to be planned.
    absent : dict of str to str
        Why a feature cannot be had, by its name.
    """

    extracted: Profile
    planned: Profile
    absent: dict[str, str]


def given(profile: Profile, dataset: AdDataset, progress: Progress) -> Given:
    """Choose HMAM's objects, and leave out what has no weights.

    A checkpoint that the profile calls optional and that cannot be had is left out with a remark;
    any other one is an error when it is loaded.
    """
    absent = _absent(profile)
    for name, reason in absent.items():
        progress.remark(f"features.{name} is left out: {reason}")
    chosen = _objects(profile, dataset, absent)
    others = {name for name in OBJECTS if name != chosen}
    features = {
        name: settings
        for name, settings in profile.features.items()
        if name not in absent and name not in others
    }
    level1 = dict(profile.level1)
    hmam = level1.get("hmam")
    if hmam is not None:
        params = {**hmam.params, **({"objects": chosen} if chosen else {})}
        inputs = hmam.inputs and [name for name in hmam.inputs if name not in others]
        level1["hmam"] = Level1Settings.model_validate(
            {"model": hmam.model, "inputs": inputs, **params}
        )
    for name in RESNETS.values():
        weights = "" if name in absent else checkpoint_of(profile, name)
        if weights:
            level1[all_layers(name)] = Level1Settings.model_validate(
                {"model": "image_classifier", "checkpoint": weights}
            )
    for name, feature in TRAINED.items():
        own = level1.pop(name, Level1Settings())
        weights = "" if feature in absent else checkpoint_of(profile, feature)
        if "checkpoint" in own.params or weights:
            level1[name] = Level1Settings.model_validate(
                {"inputs": own.inputs, "checkpoint": weights, **own.params}
            )
    return Given(
        profile.model_copy(update={"features": features}),
        profile.model_copy(update={"level1": level1}),
        absent,
    )


def _absent(profile: Profile) -> dict[str, str]:
    """Why a checkpoint that the profile calls optional cannot be had, by feature."""
    from transformers import AutoConfig

    reasons, absent = dict[str, str](), dict[str, str]()
    for name in profile.features:
        checkpoint = checkpoint_of(profile, name)
        if not checkpoint or f"features.{name}.checkpoint" not in profile.optional:
            continue
        if checkpoint not in reasons:
            try:
                load_pretrained(AutoConfig.from_pretrained, checkpoint)
                reasons[checkpoint] = ""
            except FeatureError:
                reasons[checkpoint] = (
                    f"{checkpoint} cannot be had; set features.{{}}.checkpoint to a folder that "
                    "holds it"
                )
        if reasons[checkpoint]:
            absent[name] = reasons[checkpoint].format(name)
    return absent


def _objects(profile: Profile, dataset: AdDataset, absent: Mapping[str, str]) -> str | None:
    hmam = profile.level1.get("hmam", Level1Settings())

    def at_hand(name: str) -> bool:
        if name in dataset.inputs:
            return True
        feature = profile.features.get(name)
        needs = feature is not None and feature.extractor == "bottom_up"
        return feature is not None and name not in absent and not (needs and not feature.params)

    wanted = hmam.params.get("objects")
    if wanted is None:
        named = [name for name in OBJECTS if hmam.inputs is None or name in hmam.inputs]
        return next(filter(at_hand, named), None)
    if not at_hand(str(wanted)):
        there = ", ".join(filter(at_hand, OBJECTS)) or "none"
        raise ProfileError(
            f"level1.hmam.objects: {wanted} cannot be had. Of {', '.join(OBJECTS)} there is "
            f"{there}; name one of these, or give {wanted} its path or checkpoint."
        )
    return str(wanted)


def fitted_vectors(frame: pd.DataFrame, max_words: int, folder: Path, seed: int) -> str:
    """Fit FastText on the words of all ads, test ads included, unless its file is there.

    A text is no label: nothing is learned of the tags.

    Parameters
    ----------
    frame : DataFrame
        Inputs of every ad.
    max_words : int
        Most words of each text.
    folder : Path
        Receives ``vectors-<digest>.bin``.
    seed : int

    Returns
    -------
    str
        The file; "" where there is no word.
    """
    texts = [name for name in frame if any(isinstance(cell, str) for cell in frame[name])]
    words = [
        [word for cell in row if isinstance(cell, str) for word in first_words(cell, max_words)]
        for row in frame[texts].sort_index().itertuples(index=False)
    ]
    made_of = digest(words, seed, source_digest("competition.level1.components.word_vectors"))
    path = folder / f"vectors-{made_of[:16]}.bin"
    if path.is_file() or write_vectors(path, words, seed):
        return str(path)
    return ""


def made_from(
    model: str, params: Mapping[str, Any], columns: tuple[str, ...], profile: Profile
) -> str:
    """Say what a model is made from: each input with its checkpoint, program or file."""
    parts = []
    for column in columns:
        feature = profile.features.get(column)
        parts.append(f"{column} ({_what(feature.extractor, feature.params) if feature else 'own'})")
    if params.get("checkpoint"):
        parts.append(f"all layers of {_short(params['checkpoint'])}")
    if "vectors" in get_model(model).parameters and params.get("vectors"):
        name = Path(str(params["vectors"])).name
        own = name.startswith("vectors-") and name.endswith(".bin")
        parts.append(f"word vectors ({FITTED if own else name})")
    return ", ".join(parts)


def _what(extractor: str, params: Mapping[str, Any]) -> str:
    for key in ("checkpoint", "path", "engine"):
        if params.get(key):
            return _short(params[key])
    return {"regions": "colours", "ocr": "rapidocr"}.get(extractor, extractor)


def _short(name: str) -> str:
    """A hub name as it is; of a path its last part."""
    return Path(name).name if name.count("/") > 1 or Path(name).exists() else name
