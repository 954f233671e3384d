"""A saved stack that answers requests: from rows of ads to what is told of each."""

import itertools
from pathlib import Path
from typing import Any

import pandas as pd

from competition import __version__
from competition.saved.answer import Answer
from competition.saved.manifest import NAME
from competition.saved.stack import load_stack
from competition.serving.batches import Batches, Told
from competition.serving.form import FILES, AdForm, Row
from competition.serving.settings import ServiceSettings
from competition.utils.files import file_digest

_WARMING = "a 字"  # a text that starts all that reads texts


class Service:
    """A stack, loaded, with its queue.

    Parameters
    ----------
    settings : ServiceSettings
    work : Path
        An empty folder that receives uploads, and what is made of them.

    Raises
    ------
    StoreError
        If the stack cannot be loaded.
    """

    def __init__(self, settings: ServiceSettings, work: Path) -> None:
        self.settings = settings
        self.work = work
        self.stack = load_stack(
            settings.stack, device=settings.device, n_jobs=1, plugins=settings.plugins
        )
        self.form = AdForm(self.stack.manifest, settings.files, settings.max_ads)
        if self.form.files is not None:
            (work / FILES).symlink_to(self.form.files)
        self._numbers = itertools.count()
        self.stack.load()
        texts = {key.column for key in self.form.keys.values() if key.kind == "text"}
        self.predict([dict.fromkeys(texts, _WARMING)], explain=False)
        self.batches = Batches(self.predict, settings.max_batch)

    def upload_folder(self) -> Path:
        """Name a folder for the uploads of one request."""
        return self.work / str(next(self._numbers))

    def predict(self, rows: list[Row], explain: bool) -> list[Told]:
        """Tell tags, probabilities and doubts of each ad."""
        ids = [str(number) for number in range(len(rows))]
        cells = {
            column: pd.Series([row.get(column, "") for row in rows], ids, dtype=object)
            for column in self.form.columns
        }
        answer = self.stack.answer(pd.DataFrame(cells), self.work, explain=explain)
        explained = _explanations(answer, ids)
        return [
            {**self._told(answer, row), **({"explanation": explained[ad]} if explain else {})}
            for row, ad in enumerate(answer.probabilities.index)
        ]

    def _told(self, answer: Answer, row: int) -> Told:
        decided, lacks = answer.decided, answer.missing.to_numpy()[row]
        probabilities = answer.probabilities.to_numpy()[row].tolist()
        return {
            "tags": list(decided["tags"].iloc[row]),
            "probabilities": dict(zip(self.stack.tags, probabilities, strict=True)),
            "unsure": bool(decided["unsure"].iloc[row]),
            "why": str(decided["why"].iloc[row]),
            "missing": answer.missing.columns[lacks].tolist(),
            "faults": [
                {"file": file, "reason": reason.replace(f"{self.work}/", "")}
                for ad, file, reason in answer.faults
                if ad == answer.probabilities.index[row]
            ],
        }

    def schema(self) -> dict[str, Any]:
        """Tell what an ad may hold, and which tags there are."""
        manifest, keys = self.stack.manifest, self.form.keys
        return {
            "id": self.form.id,
            "inputs": [
                {
                    "name": name,
                    "kind": given.kind,
                    "keys": {
                        key: one.type or ("text" if one.kind == "text" else "file")
                        for key, one in keys.items()
                        if one.input == name
                    },
                }
                for name, given in manifest.inputs.items()
            ],
            "tags": [{"name": tag.name, "dimension": tag.dimension} for tag in manifest.tags],
            "limits": {
                "mb": self.settings.max_mb,
                "ads": self.settings.max_ads,
                "seconds": self.settings.timeout,
            },
            "files": self.form.files is not None,
        }

    def version(self) -> dict[str, Any]:
        """Tell the version of this package and of the stack."""
        manifest = self.stack.manifest
        return {
            "competition": __version__,
            "stack": {
                "dataset": manifest.dataset,
                "format": manifest.format,
                "digest": file_digest(self.stack.folder / NAME),
                "saved_by": manifest.versions,
            },
        }


def _explanations(answer: Answer, ids: list[str]) -> dict[str, dict[str, dict[str, Told]]]:
    """Of each ad, model and tag: the model's probability, and its effect on the log odds."""
    found: dict[str, dict[str, dict[str, Told]]] = {ad: {} for ad in ids}
    if answer.explanation is not None:
        names = ["id", "model", "tag", "probability", "effect"]
        for ad, model, tag, probability, effect in zip(
            *(answer.explanation[name].tolist() for name in names), strict=True
        ):
            of_model = found[ad].setdefault(model, {})
            of_model[tag] = {"probability": probability, "effect": effect}
    return found
