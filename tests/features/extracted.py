"""What `extract` leaves for models, as tests compare it."""

from pathlib import Path

import pandas as pd

import competition
from competition.config.profile import load_profile
from competition.datasets.base import AdDataset
from competition.features.columns import read_columns
from competition.features.prepare import prepare_columns
from competition.pipeline.extract import Extraction
from competition.utils.progress import Progress


def extracted(
    data: Path, profile: Path, out: Path, n_jobs: int = 1
) -> tuple[AdDataset, list[Extraction], pd.DataFrame]:
    """Extract the features of a profile; the frame has the arrays of each ad, by feature."""
    dataset, found = competition.extract(data, load_profile(str(profile)), out, n_jobs=n_jobs)
    names = [one.feature for one in found if dataset.inputs[one.feature].kind == "array"]
    columns = prepare_columns(dataset, names, None, out / "cache" / "read", Progress())
    return dataset, found, read_columns(columns)
