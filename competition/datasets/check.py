"""`competition check`: all faults of a folder of ads, found in one pass."""

from pathlib import Path

from competition.datasets import read_dataset
from competition.datasets.base import AdDataset, files_of
from competition.datasets.problems import Problems
from competition.datasets.remote import CACHE, local_folder
from competition.execution.devices import n_cores
from competition.execution.local import run_tasks
from competition.media.faults import CHECKED, Fault, find_faults
from competition.utils.progress import Progress

AT_ONCE = 16  # files of a task


def check_dataset(
    root: Path, n_folds: int, progress: Progress, n_jobs: int | None = None
) -> tuple[AdDataset, Problems]:
    """Read a dataset and look for faults in its files and tags.

    Parameters
    ----------
    root : Path
    n_folds : int
        Number of folds of a run: a tag with fewer ads is absent from some held-out fold.
    progress : Progress
    n_jobs : int or None
        Processes that look into files; None takes one per core.

    Returns
    -------
    (AdDataset, Problems)
    """
    problems = Problems()
    dataset = read_dataset(local_folder(root, CACHE, progress), problems)
    _check_files(dataset, problems, progress, n_jobs or n_cores())
    _check_tags(dataset, n_folds, problems)
    return dataset, problems


def _check_files(dataset: AdDataset, problems: Problems, progress: Progress, n_jobs: int) -> None:
    files = [
        (str(ad), given.kind, path)
        for given in dataset.inputs.values()
        if given.kind in CHECKED
        for ad, cell in dataset.ads[given.columns[0]].dropna().items()
        for path in files_of(cell)
    ]
    tasks = [
        (start, [(dataset.root / path, kind) for _, kind, path in files[start : start + AT_ONCE]])
        for start in range(0, len(files), AT_ONCE)
    ]
    found: dict[int, list[list[Fault]]] = {}
    done = 0
    progress.update("checking files", done, len(files))
    for start, some in run_tasks(_faults_of, tasks, n_jobs=max(1, min(n_jobs, len(tasks)))):
        found[start] = some
        done += len(some)
        progress.update("checking files", done, len(files))
    of_files = [of_file for start in sorted(found) for of_file in found[start]]
    for (ad, kind, path), faults in zip(files, of_files, strict=True):
        for fault in faults:
            if fault.extent == "whole":
                text = f"broken {kind}: {fault.text}. Replace the file, or remove it."
                problems.warning("broken file", path, text, ad)
            elif fault.extent == "part":
                text = f"{fault.text}; a run uses those. Replace the file if you can."
                problems.warning("damaged file", path, text, ad)
            else:
                problems.note("no sound", path, f"{fault.text}.", ad)


def _faults_of(start: int, files: list[tuple[Path, str]]) -> tuple[int, list[list[Fault]]]:
    return start, [find_faults(path, kind) for path, kind in files]


def _check_tags(dataset: AdDataset, n_folds: int, problems: Problems) -> None:
    units = len(dataset.labels) if dataset.groups is None else len(set(dataset.groups))
    if units < n_folds:
        what = "training ads" if dataset.groups is None else "groups"
        text = f"{units} {what} are too few for {n_folds} folds. Lower folds.n or add {what}."
        problems.error("too few for the folds", dataset.name, text)
    warning = dataset.warning_of_giant_group(n_folds)
    if warning:
        problems.warning("giant group", dataset.name, warning)
    if not dataset.inputs:
        text = "it describes no input, so a run can only stack predictions made elsewhere."
        problems.warning("no inputs", dataset.name, text)
    positives = dataset.labels.sum(axis=0, dtype=int)
    for tag, count in zip(dataset.tags, positives, strict=True):
        if count < n_folds:
            problems.warning(
                "rare tag",
                f"tag {tag.name}",
                f"{count} training ad(s) carry it, fewer than the {n_folds} folds: some held-out "
                "folds have none, and a model whose training folds have none predicts the prior.",
            )
        elif count == len(dataset.labels):
            problems.warning("constant tag", f"tag {tag.name}", "every training ad carries it.")
