"""One fit after another, each scored once and kept."""

import json
import time
from collections.abc import Mapping, Sequence
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from competition.datasets.base import AdDataset
from competition.evaluation.metrics import f1_overall, f1_per_class, mean_average_precision
from competition.features.columns import Column, read_columns
from competition.features.encoders import checkpoint_files
from competition.features.store import Digests
from competition.level1.registry import get_model
from competition.pipeline.crossfit import ModelDefaults, make_estimator
from competition.reproductions.look_read_feel.fine_tuned import FineTuned
from competition.reproductions.look_read_feel.methods import FINE_TUNED, Method
from competition.reproductions.look_read_feel.parts import Part, Parts
from competition.reproductions.look_read_feel.results import Outcome, Scores
from competition.utils.errors import ModelError, StoreError
from competition.utils.files import digest, file_digest, write_json
from competition.utils.source_digest import source_digest

GIVEN = ("random_state", "n_jobs", "device", "dimensions")  # by the run, not by the profile
METRICS = {"map": mean_average_precision, "f1_c": f1_per_class, "f1_o": f1_overall}


class Fits:
    """Fits models and keeps their scores as JSON, one file for a fit, named by what it is made of.

    Parameters
    ----------
    dataset : AdDataset
    parts : Parts
    columns : dict of str to Column
        Inputs by name.
    digests : Digests
        Of image files.
    folder : Path
    defaults : ModelDefaults
    n_threads : int
    """

    def __init__(
        self,
        dataset: AdDataset,
        parts: Parts,
        columns: Mapping[str, Column],
        digests: Digests,
        folder: Path,
        defaults: ModelDefaults,
        n_threads: int,
    ) -> None:
        self.dataset = dataset
        self.parts = parts
        self.columns = columns
        self.digests = digests
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
        inputs = {name: self.columns[name].fingerprint for name in method.columns}
        if method.model == FINE_TUNED:
            make: Any = FineTuned
            inputs = {
                "pictures": digest([self.digests.of(Path(f)) for f in self._pictures() if f]),
                "checkpoint": digest(
                    [file_digest(f) for f in checkpoint_files(method.params["checkpoint"])]
                ),
            }
        else:
            make = get_model(method.model).make
        return {
            "model": method.model,
            "params": _parameters(make, method.params),
            "tasks": list(tasks),
            "seed": self.defaults.seed,
            "inputs": inputs,
            "parts": self.parts.fingerprint,
            "source": source_digest(make.__module__),
        }

    def _scores(self, method: Method, tasks: Sequence[str]) -> dict[str, Any]:
        start = time.perf_counter()
        tags = np.isin(self.dimensions, tasks)
        frame = self._frame(method)
        model = self._estimator(method, tuple(self.dimensions[tags]))
        model.fit(frame.loc[self.parts.train.ids], self.parts.train.labels[:, tags])
        scores: Scores = {task: {} for task in tasks}
        for name, part in (("validation", self.parts.validation), ("test", self.parts.test)):
            probabilities = model.predict_proba(frame.loc[part.ids])
            for task in tasks:
                own = self.dimensions[tags] == task
                scores[task][name] = task_scores(
                    part, self.dimensions == task, probabilities[:, own]
                )
        return {"scores": scores, "seconds": time.perf_counter() - start}

    def _estimator(self, method: Method, dimensions: tuple[str, ...]) -> Any:
        if method.model == FINE_TUNED:
            return FineTuned(
                **method.params,
                random_state=self.defaults.seed,
                n_jobs=self.n_threads,
                device=self.defaults.device,
            )
        defaults = ModelDefaults(self.defaults.seed, self.defaults.device, dimensions)
        return make_estimator(method.model, dict(method.params), defaults, self.n_threads)

    def _frame(self, method: Method) -> pd.DataFrame:
        if method.model == FINE_TUNED:
            return pd.DataFrame({"picture": self._pictures()}, dtype=object)
        return read_columns([self.columns[name] for name in method.columns])

    def _pictures(self) -> pd.Series:
        """Path of each ad's image, None where it has none."""
        images = [given for given in self.dataset.inputs.values() if given.kind == "image"]
        if not images:
            raise ModelError(f"{self.dataset.name} has no images that a network could be tuned on.")
        column = self.dataset.ads[images[0].columns[0]]
        root = self.dataset.root
        return column.map(lambda cell: None if pd.isna(cell) else str(root / cell))


def _parameters(make: Any, params: Mapping[str, Any]) -> dict[str, Any]:
    """All that is set of a model, defaults included: alike models are fitted once."""
    defaults = {name: given.default for name, given in signature(make).parameters.items()}
    return {name: params.get(name, defaults[name]) for name in defaults if name not in GIVEN}


def task_scores(part: Part, tags: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Return mAP, F1-C and F1-O of the tags of one task."""
    labels = part.labels[:, tags]
    return {name: metric(labels, probabilities) for name, metric in METRICS.items()}
