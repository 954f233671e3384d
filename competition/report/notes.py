"""What the last run told beside its cards, kept so that `report` can show it again.

``oof/<dataset>/report/notes.json``
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from competition.config.profile import Profile
from competition.evaluation.metrics import Scores
from competition.pipeline.extract import Extraction
from competition.pipeline.submit import Submitted
from competition.utils.files import write_json


class FeatureNote(BaseModel):
    """What became of a feature."""

    model_config = ConfigDict(frozen=True)

    name: str
    extractor: str
    source: str
    n_ads: int
    n_faults: int
    shape: str


class Notes(BaseModel):
    """What a run told.

    Attributes
    ----------
    stack : str or None
        Name of the stack in the store.
    profile_name : str
    profile : dict
        Settings; {} where they are not known.
    features : tuple of FeatureNote
    remarks : tuple of str
        What was said on the way, such as what was left out and why.
    submission : str or None
        Path of the file below ``submissions/``.
    test, holdout : dict or None
        Scores on test ads, and on training ads that were held out.
    """

    model_config = ConfigDict(frozen=True)

    stack: str | None = None
    profile_name: str = ""
    profile: dict[str, Any] = {}
    features: tuple[FeatureNote, ...] = ()
    remarks: tuple[str, ...] = ()
    submission: str | None = None
    test: dict[str, Any] | None = None
    holdout: dict[str, Any] | None = None


def read_notes(path: Path) -> Notes:
    """Read notes; none where there are none, or another version wrote them."""
    try:
        return Notes.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, ValidationError):
        return Notes()


def write_notes(path: Path, notes: Notes) -> None:
    """Write notes."""
    write_json(path, notes.model_dump(mode="json"))


def outcome(
    stack: str, submitted: Submitted | None, holdout: Scores | None, remarks: list[str]
) -> dict[str, Any]:
    """Return what a run or a stack ends with, as values of `Notes`."""
    scores = submitted.scores if submitted else None
    return {
        "stack": stack,
        "submission": submitted.path.name if submitted else None,
        "test": asdict(scores) if scores else None,
        "holdout": asdict(holdout) if holdout else None,
        "remarks": tuple(remarks),
    }


def of_profile(profile: Profile, extractions: list[Extraction]) -> dict[str, Any]:
    """Return what a run of a profile knows, as values of `Notes`."""
    return {
        "profile_name": profile.called,
        "profile": profile.model_dump(mode="json"),
        "features": tuple(
            FeatureNote(
                name=one.feature,
                extractor=one.extractor,
                source=one.source,
                n_ads=one.n_ads,
                n_faults=len(one.faults),
                shape=one.shape,
            )
            for one in extractions
        ),
    }
