"""What the last run of a profile knew beside its record, kept for `report` and `stack`.

``oof/<dataset>/report/notes.json``
"""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from competition.config.profile import Profile
from competition.pipeline.extract import Extraction
from competition.utils.files import write_json


class FeatureNote(BaseModel):
    """What became of a feature."""

    model_config = ConfigDict(frozen=True)

    name: str
    extractor: str
    n_faults: int


class Notes(BaseModel):
    """What a run of a profile knew.

    Attributes
    ----------
    profile_name : str
    profile : dict
        Settings; {} where they are not known.
    features : tuple of FeatureNote
    """

    model_config = ConfigDict(frozen=True)

    profile_name: str = ""
    profile: dict[str, Any] = {}
    features: tuple[FeatureNote, ...] = ()


def read_notes(path: Path) -> Notes:
    """Read notes; none where there are none, or another version wrote them."""
    try:
        return Notes.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, ValidationError):
        return Notes()


def write_notes(path: Path, notes: Notes) -> None:
    """Write notes, unless they are there already."""
    if read_notes(path) != notes:
        write_json(path, notes.model_dump(mode="json"))


def notes_of(profile: Profile, extractions: list[Extraction]) -> Notes:
    """Return what a run of a profile knows."""
    return Notes(
        profile_name=profile.called,
        profile=profile.model_dump(mode="json"),
        features=tuple(
            FeatureNote(name=one.feature, extractor=one.extractor, n_faults=len(one.faults))
            for one in extractions
        ),
    )
