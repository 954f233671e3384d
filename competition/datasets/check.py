"""`competition check`: everything that is wrong with a folder of ads, in one reading."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from competition.datasets import read_dataset
from competition.datasets.base import AdDataset
from competition.datasets.problems import Problems
from competition.watch import Watch


def check_dataset(root: Path, n_folds: int, watch: Watch) -> tuple[AdDataset, Problems]:
    """Read a dataset and open every file that can be checked without a decoder.

    Parameters
    ----------
    root : Path
    n_folds : int
        A tag with fewer positives than folds is absent from some held-out fold.
    watch : Watch

    Returns
    -------
    (AdDataset, Problems)
    """
    problems = Problems()
    dataset = read_dataset(root, problems)
    _check_files(dataset, problems, watch)
    _check_tags(dataset, n_folds, problems)
    return dataset, problems


def _check_files(dataset: AdDataset, problems: Problems, watch: Watch) -> None:
    files = [
        (ad, given.kind, path)
        for given in dataset.inputs.values()
        if given.kind in FAULT_OF
        for ad, path in dataset.ads[given.columns[0]].dropna().items()
    ]
    for done, (ad, kind, relative) in enumerate(files, start=1):
        fault = FAULT_OF[kind](dataset.root / relative)
        if fault:
            text = f"broken {kind}: {fault}. Replace the file, or remove it."
            problems.warning("broken file", relative, text, str(ad))
        watch.at("checking files", done, len(files))


def _image_fault(path: Path) -> str:
    from PIL import Image

    try:
        with Image.open(path) as image:
            image.load()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as bad:
        return str(bad) or type(bad).__name__
    return ""


def _array_fault(path: Path) -> str:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as bad:
        return str(bad)
    if array.ndim != 2 or array.dtype.kind != "f":
        return f"expected numbers of shape (frames, dims), found {array.dtype} of {array.shape}"
    return ""


def _container_fault(path: Path) -> str:
    return "" if path.stat().st_size else "the file is empty"


FAULT_OF: dict[str, Callable[[Path], str]] = {
    "image": _image_fault,
    "array": _array_fault,
    "video": _container_fault,
    "audio": _container_fault,
}


def _check_tags(dataset: AdDataset, n_folds: int, problems: Problems) -> None:
    units = len(dataset.labels) if dataset.groups is None else len(set(dataset.groups))
    if units < n_folds:
        what = "training ads" if dataset.groups is None else "groups"
        text = f"{units} {what} are too few for {n_folds} folds."
        problems.error("too few for the folds", dataset.name, text)
    if not dataset.inputs:
        text = "no input is described: no model can be trained, only predictions stacked."
        problems.warning("no inputs", dataset.name, text)
    positives = dataset.labels.sum(axis=0, dtype=int)
    for tag, count in zip(dataset.tags, positives, strict=True):
        if count < n_folds:
            problems.warning(
                "rare tag",
                f"tag {tag.name}",
                f"{count} training ad(s) carry it, fewer than the {n_folds} folds: some held-out "
                "folds have none, and where no training fold has one, its prior is predicted.",
            )
        elif count == len(dataset.labels):
            problems.warning("constant tag", f"tag {tag.name}", "every training ad carries it.")
