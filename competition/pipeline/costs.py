"""About how long a part of a run takes, and how much memory: from what was measured before.

Where a finished model of the same settings is stored for these ads or for fewer, its seconds count,
else those of a table that was measured on the demo. Both are scaled by ads times tags, which is
rough: an estimate may be wrong by several times.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from math import comb
from pathlib import Path
from typing import Any, Literal

from competition.level1.components.seeds import SEEDS
from competition.oof.cards import Level1Card, StackCard, read_card
from competition.pipeline.cost_table import EXTRACTORS, LEARNERS, LEVEL1
from competition.pipeline.plan import PlannedModel
from competition.utils.errors import StoreError

DEMO_ADS, DEMO_TAGS, DEMO_FOLDS, DEMO_MODELS = 500, 40, 5, 10  # of the table
Basis = Literal["measured here", "table", "not known"]


@dataclass(frozen=True)
class Cost:
    """What a part costs on one core.

    Attributes
    ----------
    seconds : float or None
        Of all of it: every fold, ad or fit; None where nothing is known.
    memory : float or None
        GiB that one process holds at most.
    basis : {"measured here", "table", "not known"}
    """

    seconds: float | None
    memory: float | None
    basis: Basis


@dataclass(frozen=True)
class Size:
    """How much there is to learn from."""

    n_ads: int
    n_tags: int
    n_folds: int

    @property
    def work(self) -> float:
        """Ads times tags, times folds."""
        return float(self.n_ads * self.n_tags * self.n_folds)


DEMO = Size(DEMO_ADS, DEMO_TAGS, DEMO_FOLDS)


class Costs:
    """What parts of a run cost, by the cards below a folder of results and by the table.

    Parameters
    ----------
    out : Path
    size : Size
        Of the run that is planned.
    """

    def __init__(self, out: Path, size: Size) -> None:
        self.size = size
        self._cards = list(_cards(out / "oof", size))

    def of_model(self, planned: PlannedModel) -> Cost:
        """What all folds of a level-1 model cost."""
        copies = int(planned.params.get(SEEDS, 1))
        _, memory = LEVEL1.get(planned.model, (None, None))
        memory = None if memory is None else self._memory(memory)
        for card, size in self._cards:
            if (
                isinstance(card, Level1Card)
                and card.level1 == planned.model
                and card.parameters == _as_json(planned.params)
                and set(card.inputs) == set(planned.columns)
            ):
                return Cost(card.seconds * self.size.work / size.work, memory, "measured here")
        if planned.model not in LEVEL1:
            return Cost(None, None, "not known")
        seconds = LEVEL1[planned.model][0] * copies * self.size.work / DEMO.work
        return Cost(seconds, memory, "table")

    def of_extractor(self, name: str, n_items: int) -> Cost:
        """What so many files or texts cost."""
        if name not in EXTRACTORS:
            return Cost(None, None, "not known")
        seconds, memory = EXTRACTORS[name]
        return Cost(seconds * n_items, memory, "table")

    def of_learner(self, name: str, n_models: int, *, alone: bool) -> Cost:
        """What the fits of a meta-learner cost: alone, or as one of several to choose among."""
        if name not in LEARNERS:
            return Cost(None, None, "not known")
        seconds, memory = LEARNERS[name]
        fits = n_fits(self.size.n_folds, alone=alone) / n_fits(DEMO_FOLDS, alone=False)
        grown = self.size.n_ads * self.size.n_tags / (DEMO_ADS * DEMO_TAGS)
        models = max(1, n_models) / DEMO_MODELS
        return Cost(seconds * fits * grown * models, self._memory(memory), "table")

    def of_stack(self, learners: tuple[str, ...], models: list[str]) -> Cost | None:
        """What a stack of the same parts has cost; None where none is stored."""
        for card, size in self._cards:
            if (
                isinstance(card, StackCard)
                and set(card.parameters) == set(learners)
                and len(card.models) == len(models)
            ):
                return Cost(card.seconds * self.size.work / size.work, None, "measured here")
        return None

    def _memory(self, of_demo: float) -> float:
        """Memory grows with ads times tags, from what Python and its libraries take on."""
        bare = 0.2
        more = max(0.0, of_demo - bare)
        grown = self.size.n_ads * self.size.n_tags / (DEMO_ADS * DEMO_TAGS)
        return bare + more * max(1.0, grown)


def n_fits(n_folds: int, *, alone: bool) -> int:
    """Fits of a meta-learner: one a fold, and to choose among several one without each pair."""
    return n_folds if alone else n_folds + comb(n_folds, 2)


def _cards(folder: Path, most: Size) -> Iterator[tuple[Any, Size]]:
    """Cards of finished models of no more ads times tags, the largest first."""
    import pyarrow.parquet as pq

    found = []
    for path in sorted(folder.glob("*/*/card.json")):
        try:
            card = read_card(path)
            table = pq.read_metadata(path.with_name("oof.parquet"))
        except (StoreError, OSError, ValueError):
            continue
        size = Size(table.num_rows, table.num_columns - 2, len(card.seconds_per_fold))
        if 0 < size.n_ads * size.n_tags <= most.n_ads * most.n_tags:
            found.append((card, size))
    yield from sorted(found, key=lambda one: -one[1].work)


def _as_json(params: dict[str, Any]) -> Any:
    return json.loads(json.dumps(params, default=str))
