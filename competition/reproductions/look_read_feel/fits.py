"""One fit after another, each scored once and kept with its predictions."""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from competition.datasets.base import AdDataset
from competition.evaluation.metrics import (
    average_precisions,
    f1_of_means,
    f1_overall,
    f1_per_class,
    mean_average_precision,
)
from competition.features.columns import Column, read_columns
from competition.level1.base import Level1Model
from competition.level1.components.chosen_epoch import ChosenEpochModel
from competition.level1.registry import get_model
from competition.pipeline.crossfit import ModelDefaults, make_estimator
from competition.reproductions.look_read_feel.methods import Method
from competition.reproductions.look_read_feel.results import Run, Scores
from competition.reproductions.look_read_feel.split import LabelledAds, Split
from competition.utils.errors import StoreError
from competition.utils.files import digest, file_digest, write_json, written_whole
from competition.utils.source_digest import source_digest

GIVEN = (
    "random_state",
    "n_jobs",
    "device",
    "dimensions",
    "tag_names",
)  # by the run, not by the profile
METRICS = {
    "map": mean_average_precision,
    "f1_c": f1_per_class,
    "cf1": f1_of_means,
    "f1_o": f1_overall,
}


class Fits:
    """Fits models on one split and keeps what they predict, named by what it is made of.

    ``<model>-<fingerprint>.npz`` holds the probabilities of the validation and the test ads, and
    the .json beside it, written last, the scores.

    Parameters
    ----------
    dataset : AdDataset
    split : Split
    columns : dict of str to Column
        Inputs by name.
    folder : Path
    defaults : ModelDefaults
    n_threads : int
    """

    def __init__(
        self,
        dataset: AdDataset,
        split: Split,
        columns: Mapping[str, Column],
        folder: Path,
        defaults: ModelDefaults,
        n_threads: int,
    ) -> None:
        self.dataset = dataset
        self.split = split
        self.columns = columns
        self.folder = folder
        self.defaults = defaults
        self.n_threads = n_threads
        self.dimensions = np.array([tag.dimension for tag in dataset.tags], dtype=object)
        self.tasks = tuple(dict.fromkeys(self.dimensions))
        self.n_fitted = 0

    def run(self, method: Method) -> Run:
        """Fit a method, or read what it scored; one model for each task unless it is joint."""
        scores: Scores = {}
        predictions: dict[str, Path] = {}
        seconds, epochs = 0.0, []
        for tasks in self._together(method):
            path = self._path(method, tasks)
            card = self._card(path, method, tasks)
            scores |= card["scores"]
            seconds += card["seconds"]
            epochs += card["epochs"]
            predictions |= {task: path.with_suffix(".npz") for task in tasks}
        return Run(scores, seconds, tuple(epochs), predictions)

    def pending(self, method: Method) -> dict[Path, str]:
        """Files of the fits that are still to be made, each with its model."""
        if method.lacks:
            return {}
        paths = [self._path(method, tasks) for tasks in self._together(method)]
        return {path: method.model for path in paths if not _is_done(path)}

    def _together(self, method: Method) -> list[tuple[str, ...]]:
        return [self.tasks] if method.joint else [(task,) for task in self.tasks]

    def _path(self, method: Method, tasks: Sequence[str]) -> Path:
        return self.folder / f"{method.model}-{digest(self._made_of(method, tasks))[:16]}.json"

    def _card(self, path: Path, method: Method, tasks: Sequence[str]) -> dict[str, Any]:
        if _is_done(path):
            try:
                return json.loads(path.read_bytes())
            except ValueError as bad:
                raise StoreError(
                    f"{path} cannot be read ({bad}). Remove it and run again."
                ) from bad
        card = {
            **self._fitted(path.with_suffix(".npz"), method, tasks),
            **self._made_of(method, tasks),
        }
        write_json(path, card)
        self.n_fitted += 1
        return card

    def _made_of(self, method: Method, tasks: Sequence[str]) -> dict[str, Any]:
        estimator = self._estimator(method, tasks)
        places = {str(place) for path in estimator.files() for place in (path, path.parent)}
        return {
            "model": method.model,
            # The content of a file or checkpoint counts, not where it lies.
            "params": {
                name: "its files" if str(value) in places else value
                for name, value in _parameters(method).items()
            },
            "tasks": list(tasks),
            "tags": [tag.name for tag in self.dataset.tags],
            "seed": self.defaults.seed,
            "inputs": {name: self.columns[name].fingerprint for name in method.columns},
            "files": digest([[path.name, file_digest(path)] for path in estimator.files()]),
            "split": self.split.fingerprint,
            "source": source_digest(__name__, type(estimator).__module__),
        }

    def _fitted(self, path: Path, method: Method, tasks: Sequence[str]) -> dict[str, Any]:
        """Fit, choose the epoch on the validation ads, store the predictions, score them."""
        start = time.perf_counter()
        tags = np.isin(self.dimensions, tasks)
        split = self.split
        frame = read_columns([self.columns[name] for name in method.columns])
        model = self._estimator(method, tasks)
        given = (frame.loc[split.train.ids], split.train.labels[:, tags])
        if isinstance(model, ChosenEpochModel):
            labels = split.validation.labels[:, tags]
            model.fit_validated(
                *given,
                frame.loc[split.validation.ids],
                lambda probabilities: average_precisions(labels, probabilities),
            )
        else:
            model.fit(*given)
        scores: Scores = {task: {} for task in tasks}
        stored: dict[str, Any] = {}
        for name, ads in (("validation", split.validation), ("test", split.test)):
            probabilities = model.predict_proba(frame.loc[ads.ids])
            stored[f"{name} ids"] = np.array(list(ads.ids), dtype=str)
            for task in tasks:
                own = probabilities[:, self.dimensions[tags] == task]
                stored[f"{name} {task}"] = own
                scores[task][name] = task_scores(ads, self.dimensions == task, own)
        with written_whole(path) as temporary, temporary.open("wb") as file:
            np.savez(file, **stored)
        epochs = [int(epoch) for epoch in getattr(model, "epochs_", [])]
        return {"scores": scores, "seconds": time.perf_counter() - start, "epochs": epochs}

    def _estimator(self, method: Method, tasks: Sequence[str]) -> Level1Model:
        tags = np.isin(self.dimensions, tasks)
        names = np.array(self.dataset.tag_names, dtype=object)[tags]
        defaults = ModelDefaults(
            self.defaults.seed,
            self.defaults.device,
            tuple(self.dimensions[tags]),
            tuple(names),
        )
        return make_estimator(method.model, dict(method.params), defaults, self.n_threads)


def _is_done(path: Path) -> bool:
    return path.is_file() and path.with_suffix(".npz").is_file()


def _parameters(method: Method) -> dict[str, Any]:
    """All that is set of a model, defaults included: alike models are fitted once."""
    defaults = get_model(method.model).parameters
    given = {**defaults, **method.params}
    return {name: value for name, value in given.items() if name not in GIVEN}


def task_scores(ads: LabelledAds, tags: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Return mAP, F1-C and F1-O of the tags of one task."""
    labels = ads.labels[:, tags]
    return {name: metric(labels, probabilities) for name, metric in METRICS.items()}
