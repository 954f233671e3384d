"""How the inputs of training ads were read, so that new ads are read alike."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from competition.datasets.base import AdDataset, Input
from competition.datasets.metadata import Reading
from competition.features.store import ArrayRef


def settings_of(dataset: AdDataset, given: Input) -> dict[str, Any]:
    """How an input is read from a table: as it was described, else from columns of its names."""
    described: Any = dataset.described.get("inputs", {})
    settings = dict(described.get(given.name, {"kind": given.kind}))
    if "column" not in settings and "columns" not in settings:
        settings["columns"] = list(given.columns)
        if given.kind not in ("metadata", "text"):
            settings["column"] = settings.pop("columns")[0]
    if given.kind == "metadata":
        found = {
            name: "number" if pd.api.types.is_numeric_dtype(dataset.ads[name]) else "category"
            for name in given.columns
            if name in dataset.ads
        }
        settings["types"] = {**found, **settings.get("types", {})}
    return settings


def dims_of(dataset: AdDataset) -> dict[str, int]:
    """Values in a row of each input of arrays, but those that the profile does not read."""
    found = {}
    for given in dataset.inputs.values():
        if given.kind == "array" and dataset.has(given.name):
            first = dataset.ads[given.columns[0]].dropna().iloc[0]
            if isinstance(first, ArrayRef):
                found[given.name] = first.dims
    return found


def forms_of(dataset: AdDataset, given: Input) -> dict[str, str]:
    """The forms of numbers and dates in columns of metadata."""
    readings: Mapping[str, Reading] = dataset.described.get("readings", {})
    return {name: readings[name].form for name in given.columns if name in readings}
