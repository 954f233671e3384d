"""Profiles written as the TOML that `load_profile` reads."""

import json
import re
from typing import Any

from competition.config.profile import Profile


def profile_toml(profile: Profile) -> str:
    """Write a profile as the TOML that `load_profile` reads; what is None is left out."""
    data = profile.model_dump(exclude_none=True)
    named = {
        f"{part}.{_toml_key(name)}": table
        for part in ("features", "level1")
        for name, table in data.pop(part).items()
    }
    tables = {"folds": data.pop("folds"), **named, "level2": data.pop("level2")}
    lines = _toml_lines(data)
    for name, table in tables.items():
        lines += ["", f"[{name}]", *_toml_lines(table)]
    return "\n".join(lines) + "\n"


def _toml_lines(table: dict[str, Any]) -> list[str]:
    return [f"{_toml_key(key)} = {_toml_value(value)}" for key, value in table.items()]


def _toml_key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _toml_value(key)


def _toml_value(value: Any) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml_value, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(_toml_lines(value))}}}"
    return repr(value)  # numbers, written as TOML writes them
