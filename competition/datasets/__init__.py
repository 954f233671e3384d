"""Read a folder of ads, in any layout, into an `AdDataset`."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from competition.datasets import pitt_ads, taac2021, table
from competition.datasets.base import AdDataset
from competition.datasets.description import described
from competition.datasets.metadata import Reading
from competition.datasets.problems import Problems
from competition.datasets.remote import CACHE, local_folder
from competition.datasets.table_config import CONFIG
from competition.utils.errors import DatasetError
from competition.utils.files import PathLike
from competition.utils.progress import Progress

__all__ = ["load_dataset", "read_dataset"]


def read_dataset(
    root: Path, problems: Problems, known: Mapping[str, Reading] | None = None
) -> AdDataset:
    """Read a folder in the layout that its files show; add its faults to `problems`.

    Ads are in the order of their ids, training ads first. Columns of metadata are read as `known`
    says, where it names them.

    Raises
    ------
    DatasetError
        If the folder has no known layout, or its competition.toml or dataset.json is malformed.
    """
    readings = dict(known or {})
    dataset = described(_read_layout(root, problems, readings)).sorted_by_id()
    return replace(dataset, described={**dataset.described, "readings": readings})


def _read_layout(root: Path, problems: Problems, readings: dict[str, Reading]) -> AdDataset:
    if root.exists() and not root.is_dir():
        raise DatasetError(f"{root} is a file. Pass the folder of the ads.")
    if not root.is_dir():
        raise DatasetError(f"There is no folder {root}. Pass the folder of the ads.")
    if (root / CONFIG).is_file():
        return table.read(root, problems, readings)
    if (root / taac2021.TAG_LIST).is_file() or (root / taac2021.GROUND_TRUTH).is_file():
        return taac2021.read(root, problems, readings)
    if any((root / path).is_file() for path in pitt_ads.VOTES.values()):
        return pitt_ads.read(root, problems)
    hint = ""
    if (root / "dataset" / taac2021.TAG_LIST).is_file():
        hint = f" Did you mean {root / 'dataset'}?"
    raise DatasetError(
        f"{root} has no known layout: it holds neither {CONFIG}, nor {taac2021.TAG_LIST} "
        f"and {taac2021.GROUND_TRUTH}, nor {' and '.join(map(str, pitt_ads.VOTES.values()))}."
        f"{hint} The README shows how to write a {CONFIG}."
    )


def load_dataset(
    root: PathLike | AdDataset,
    progress: Progress | None = None,
    readings: Mapping[str, Reading] | None = None,
    cache: PathLike = CACHE,
) -> AdDataset:
    """Read a folder of ads; a dataset that is read already stays as it is.

    Parameters
    ----------
    root : path, str or AdDataset
        A folder, or ``s3://BUCKET/FOLDER``.
    progress : Progress, optional
        Is told the warnings that are not of a single ad, and how many files are not there.
    readings : dict of str to Reading, optional
        How columns of metadata are read, where their cells alone should not say it.
    cache : path
        Folder that receives a copy of what lies under a URL.

    Raises
    ------
    DatasetError
        If the folder has a fault that stops a run; the message shows the first ones.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from competition import load_dataset, make_demo
    >>> with TemporaryDirectory() as folder:
    ...     make_demo(folder, 20, films=False)
    ...     ads = load_dataset(folder)
    >>> list(ads.inputs), ads.labels.shape, len(ads.test_ids)
    (['ocr', 'asr'], (20, 40), 4)
    """
    if isinstance(root, AdDataset):
        return root
    root = local_folder(root, cache, progress)
    problems = Problems()
    dataset = read_dataset(root, problems, readings)
    problems.raise_errors(f"{root} has", f"`python -m competition check {root}` lists all of them.")
    for problem in problems.found:
        if progress is not None and problem.level == "warning" and not problem.ad:
            progress.remark(f"Warning: {problem}")
    problems.tell_absent_files(progress)
    return dataset
