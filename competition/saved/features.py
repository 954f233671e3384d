"""How the features of a saved stack are extracted, and with which checkpoints."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from competition.config.profile import Profile
from competition.oof.kept_models import digests
from competition.pipeline.run import RunResult
from competition.utils.files import file_digest

# Parameters of extractors that name files or folders.
PATHS = ("checkpoint", "weights", "pca", "path")


def features_of(
    result: RunResult, new: Path, *, with_checkpoints: bool
) -> dict[str, dict[str, Any]]:
    """Parameters of the features that are there, with paths that hold anywhere on this machine."""
    found: dict[str, dict[str, Any]] = {}
    for name, settings in result.context.profile.features.items():
        if name not in result.dataset.inputs:  # it was left out of the run
            continue
        params = dict(settings.params)
        for key in PATHS:
            value = params.get(key)
            if not isinstance(value, str) or not value or not Path(value).exists():
                continue
            params[key] = str(Path(value).resolve())
            if with_checkpoints:
                copied = Path("checkpoints") / f"{name}-{key}"
                _copy(Path(value), new / copied)
                params[key] = copied.as_posix()
        found[name] = params
    return found


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def saved_profile(profile: Profile, features: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """What of a profile new ads need: seed, kinds and features."""
    whole = profile.model_dump(mode="json")
    kept: dict[str, Any] = {name: whole[name] for name in ("seed", "kinds")}
    kept["features"] = {
        name: {**whole["features"][name], **params} for name, params in features.items()
    }
    return kept


def digests_of(params: Mapping[str, Any]) -> dict[str, str]:
    """Digests of the files that a feature is made with, by parameter and name."""
    found: dict[str, str] = {}
    for key in PATHS:
        value = params.get(key)
        if isinstance(value, str) and Path(value).is_absolute() and Path(value).exists():
            path = Path(value)
            files = digests(path) if path.is_dir() else {path.name: file_digest(path)}
            found |= {f"{key}/{name}": one for name, one in files.items()}
    return found
