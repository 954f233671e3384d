"""What is left out of a run for its time, by what was measured."""

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from competition.pipeline.plan import PlannedModel
from competition.pipeline.timed_level1 import _Candidate, _left_out


def candidate(name: str, fold: float, n_folds: int, seeds: int = 1) -> _Candidate:
    params: dict[str, Any] = {"seeds": seeds} if seeds > 1 else {}
    job: Any = SimpleNamespace(name=name)
    planned = PlannedModel(name, name, (), params)
    return _Candidate(planned, job, list(range(n_folds)), 0.0, None, fold)


def test_cheapest_models_stay_and_the_others_are_named() -> None:
    gone: dict[str, str] = {}
    tried = [candidate("dear", 30, 4), candidate("cheap", 1, 4), candidate("middle", 10, 4)]
    assert _left_out(tried, gone, 5, 1, time.monotonic() + 60) == {}
    assert gone == {"dear": "it takes about 2 min more"}


def test_model_that_fits_with_one_copy_gets_one() -> None:
    gone: dict[str, str] = {}
    tried = [candidate("copies", 30, 4, seeds=3), candidate("cheap", 1, 4)]
    assert _left_out(tried, gone, 5, 1, time.monotonic() + 80) == {"copies": 1}
    assert gone == {}


def test_tasks_at_a_time_share_the_time() -> None:
    gone: dict[str, str] = {}
    assert _left_out([candidate("dear", 10, 8)], gone, 9, 4, time.monotonic() + 30) == {}
    assert gone == {}
    _left_out([candidate("dear", 10, 8)], gone, 9, 1, time.monotonic() + 30)
    assert set(gone) == {"dear"}


def test_workers_stop_what_is_late(tmp_path: Path) -> None:
    from competition.execution.within import StoppableWorkers

    workers = StoppableWorkers(1)
    start = time.monotonic()
    found = list(workers.run(time.sleep, [(0.01,), (60,), (0.01,)], start + 8))
    assert found == [(0, None)]
    assert time.monotonic() - start < 20
    assert list(workers.run(abs, [(-3,)], time.monotonic() + 30)) == [(0, 3)]
    workers.close()
