"""What a saved stack says of itself: `manifest.json`."""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from competition.datasets.base import InputKind, SubmissionFormat
from competition.datasets.metadata import Reading
from competition.evaluation.metrics import Scores
from competition.saved.records import (
    Record,
    SavedBudget,
    SavedCalibration,
    SavedDecision,
    SavedDistillation,
    SavedInput,
    SavedModel,
    SavedStackPart,
    SavedTag,
    SavedWords,
)
from competition.utils.errors import StoreError, some
from competition.utils.files import file_digest

FORMAT = 1
NAME = "manifest.json"
WORDS = "words"  # the words of the training ads
_AGAIN = "Copy the whole folder again, or save the stack again."
BLENDS = "blends"  # below level2/: how the meta-learners of each fold are mixed


class Manifest(Record):
    """All of a saved stack but its weights.

    Attributes
    ----------
    format : int
    dataset : str
    license : str
        What the training ads' dataset.json says of their use.
    made_from : str
        Fingerprint of the stack; "" where an early version left it out.
    tags : tuple of SavedTag
    submission, top_k, id_column
        How a leaderboard file is written.
    inputs : dict of str to SavedInput
        What the training ads came with.
    null_words : tuple of str or None
        Cells that stand for nothing; None where an early version left the usual ones out.
    dims : dict of str to int
        Values in a row of each input of arrays; an ad whose array has others lacks it.
    kinds : dict of str to str
        The kind of every column that a model reads.
    plugins : tuple of str
        Names of the files of plug-ins that what is saved was made with.
    profile : dict
        Seed, kinds and features, as a profile has them.
    checkpoints : dict of str to dict
        Of each feature, digests of the files of its checkpoint by their names.
    keep : {"folds", "refit"}
        Whether the level-1 models are those of the folds, or one that was fitted on all ads.
    models : dict of str to SavedModel
        In the order in which the meta-learners take them.
    level2 : SavedStackPart
    decision : SavedDecision
    calibration : SavedCalibration or None
        None in stacks that were saved before there was one.
    words : SavedWords or None
        None where no model reads texts.
    budget : SavedBudget or None
        None where all models of the run are kept.
    distillation : SavedDistillation or None
        None where the stack is not one network that imitates another.
    ms_per_ad : float or None
        Milliseconds that an ad takes by itself on the machine that saved the stack, on a
        processor, features extracted anew; None in stacks that were saved before it was measured.
    scores : Scores
        Of the stack's out-of-fold predictions.
    n_train : int
        Ads that it learned from.
    versions : dict of str to str
        Of this package and of libraries.
    files : dict of str to str
        SHA-256 of each file, by its path in the folder.
    seal : str
        Of all else here (`seal_of`); "" where an early version left it out.
    """

    format: int
    dataset: str
    license: str = ""
    made_from: str = ""
    tags: tuple[SavedTag, ...]
    submission: SubmissionFormat
    top_k: int
    id_column: str
    inputs: dict[str, SavedInput]
    null_words: tuple[str, ...] | None
    dims: dict[str, int] = Field(default_factory=dict)
    kinds: dict[str, InputKind]
    plugins: tuple[str, ...]
    profile: dict[str, Any]
    checkpoints: dict[str, dict[str, str]]
    keep: Literal["folds", "refit"]
    models: dict[str, SavedModel]
    level2: SavedStackPart
    decision: SavedDecision
    calibration: SavedCalibration | None = None
    words: SavedWords | None = None
    budget: SavedBudget | None = None
    distillation: SavedDistillation | None = None
    ms_per_ad: float | None = None
    scores: Scores
    n_train: int
    versions: dict[str, str]
    files: dict[str, str]
    seal: str = ""

    @property
    def readings(self) -> dict[str, Reading]:
        """How columns of metadata are read."""
        return {
            name: Reading(of_type, one.forms.get(name, ""))  # type: ignore[arg-type]
            for one in self.inputs.values()
            for name, of_type in one.types.items()
        }

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if len(self.decision.thresholds) != len(self.tags) or not self.tags:
            raise ValueError("there is not one threshold for each tag")
        if not self.level2.learners or not all(self.level2.learners):
            raise ValueError("a fold has no meta-learner")
        names = [*self.models, *(name for one in self.level2.learners for name in one)]
        if not self.models or not all(re.fullmatch(r"\w+", name) for name in names):
            raise ValueError("there is no model, or one of an impossible name")
        read = {column for model in self.models.values() for column in model.columns}
        if not read <= set(self.kinds):
            raise ValueError(f"{min(read - set(self.kinds))} is read, and has no kind")
        if not isinstance(self.profile.get("features"), dict):
            raise ValueError("the profile has no features")
        if self.distillation is not None and len(self.models) > 1:
            raise ValueError("more than one model imitates another stack")
        return self


def seal_of(values: Mapping[str, Any]) -> str:
    """SHA-256 of what a manifest holds beside its seal, however it is laid out."""
    others = {name: value for name, value in values.items() if name != "seal"}
    return hashlib.sha256(json.dumps(others, sort_keys=True).encode()).hexdigest()


def read_manifest(folder: Path) -> Manifest:
    """Read what a saved stack says of itself, and compare its files with it.

    Raises
    ------
    StoreError
        If the folder holds no saved stack, one of another format, or a file of it is absent, was
        changed or does not belong to it.
    """
    path = folder / NAME
    if not path.is_file():
        raise StoreError(
            f"{folder} holds no saved stack: there is no {NAME}. `competition run --save FOLDER` "
            "makes one."
        )
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(values, dict):
            raise ValueError("it is no JSON object")
    except (ValueError, RecursionError) as bad:
        raise StoreError(f"{path} is damaged ({bad}). {_AGAIN}") from None
    form = values.get("format")
    if form != FORMAT:
        raise StoreError(
            f"{path} has the format {form!r}, and this version reads {FORMAT}. Install the version "
            "that saved it, or save the stack again."
        )
    if values.get("seal") not in (None, "", seal_of(values)):
        raise StoreError(f"{path} is not what was saved. {_AGAIN}")
    try:
        manifest = Manifest.model_validate(values)
    except ValidationError as bad:
        mistake = bad.errors(include_url=False)[0]
        where = ".".join(map(str, mistake["loc"]))
        what = mistake["msg"].removeprefix("Value error, ")
        said = f"{where}: {what}" if where else what
        raise StoreError(f"{path}: {said}. {_AGAIN}") from None
    _check_files(folder, manifest)
    return manifest


def _check_files(folder: Path, manifest: Manifest) -> None:
    there = {
        one.relative_to(folder).as_posix()
        for one in folder.rglob("*")
        if one.is_file() and one != folder / NAME
    }
    absent = sorted(set(manifest.files) - there)
    if absent:
        raise StoreError(f"{folder} lacks {some(absent)}, which {NAME} lists. {_AGAIN}")
    foreign = sorted(there - set(manifest.files))
    if foreign:
        raise StoreError(
            f"{folder} holds {some(foreign)}, which {NAME} does not list. Nothing was read: remove "
            "what does not belong there."
        )
    for name, expected in manifest.files.items():
        if file_digest(folder / name) != expected:
            raise StoreError(f"{folder / name} is not what was saved. {_AGAIN}")
