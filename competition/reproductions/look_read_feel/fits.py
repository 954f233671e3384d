"""One fit after another, each scored once and kept."""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from competition.datasets.base import AdDataset
from competition.evaluation.metrics import f1_overall, f1_per_class, mean_average_precision
from competition.features.columns import Column, read_columns
from competition.level1.base import Level1Model
from competition.level1.registry import get_model
from competition.pipeline.crossfit import ModelDefaults, make_estimator
from competition.reproductions.look_read_feel.methods import Method
from competition.reproductions.look_read_feel.results import Outcome, Scores
from competition.reproductions.look_read_feel.split import LabelledAds, Split
from competition.utils.errors import StoreError
from competition.utils.files import digest, file_digest, write_json
from competition.utils.source_digest import source_digest

GIVEN = ("random_state", "n_jobs", "device", "dimensions")  # by the run, not by the profile
METRICS = {"map": mean_average_precision, "f1_c": f1_per_class, "f1_o": f1_overall}


class Fits:
    """Fits models and keeps their scores as JSON, one file for a fit, named by what it is made of.

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

    def outcome(self, method: Method) -> Outcome:
        """Fit a method, or read what it scored; one model for each task unless it is joint."""
        if method.lacks:
            return Outcome(method, {}, 0.0)
        together = [self.tasks] if method.joint else [(task,) for task in self.tasks]
        cards = [self._card(method, tasks) for tasks in together]
        scores = {task: found for card in cards for task, found in card["scores"].items()}
        return Outcome(method, scores, sum(card["seconds"] for card in cards))

    def _card(self, method: Method, tasks: Sequence[str]) -> dict[str, Any]:
        made_of = self._made_of(method, tasks)
        fingerprint = digest(made_of)
        path = self.folder / f"{method.model}-{fingerprint[:16]}.json"
        if path.is_file():
            try:
                return json.loads(path.read_bytes())
            except ValueError as bad:
                raise StoreError(
                    f"{path} cannot be read ({bad}). Remove it and run again."
                ) from bad
        card = {**self._scores(method, tasks), **made_of}
        write_json(path, card)
        self.n_fitted += 1
        return card

    def _made_of(self, method: Method, tasks: Sequence[str]) -> dict[str, Any]:
        estimator = self._estimator(method, tasks)
        return {
            "model": method.model,
            "params": _parameters(method),
            "tasks": list(tasks),
            "seed": self.defaults.seed,
            "inputs": {name: self.columns[name].fingerprint for name in method.columns},
            "files": digest([[path.name, file_digest(path)] for path in estimator.files()]),
            "split": self.split.fingerprint,
            "source": source_digest(__name__, type(estimator).__module__),
        }

    def _scores(self, method: Method, tasks: Sequence[str]) -> dict[str, Any]:
        start = time.perf_counter()
        tags = np.isin(self.dimensions, tasks)
        frame = read_columns([self.columns[name] for name in method.columns])
        model = self._estimator(method, tasks)
        model.fit(frame.loc[self.split.train.ids], self.split.train.labels[:, tags])
        scores: Scores = {task: {} for task in tasks}
        for name, ads in (("validation", self.split.validation), ("test", self.split.test)):
            probabilities = model.predict_proba(frame.loc[ads.ids])
            for task in tasks:
                own = self.dimensions[tags] == task
                scores[task][name] = task_scores(
                    ads, self.dimensions == task, probabilities[:, own]
                )
        return {"scores": scores, "seconds": time.perf_counter() - start}

    def _estimator(self, method: Method, tasks: Sequence[str]) -> Level1Model:
        dimensions = tuple(self.dimensions[np.isin(self.dimensions, tasks)])
        defaults = ModelDefaults(self.defaults.seed, self.defaults.device, dimensions)
        return make_estimator(method.model, dict(method.params), defaults, self.n_threads)


def _parameters(method: Method) -> dict[str, Any]:
    """All that is set of a model, defaults included: alike models are fitted once."""
    defaults = get_model(method.model).parameters
    given = {**defaults, **method.params}
    return {name: value for name, value in given.items() if name not in GIVEN}


def task_scores(ads: LabelledAds, tags: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Return mAP, F1-C and F1-O of the tags of one task."""
    labels = ads.labels[:, tags]
    return {name: metric(labels, probabilities) for name, metric in METRICS.items()}
