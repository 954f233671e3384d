"""What is left out of a run for its time, by what was measured."""

import sys
import time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from competition.config.profile import load_profile
from competition.datasets import load_dataset
from competition.execution.within import StoppableWorkers
from competition.level2.data import Ads
from competition.pipeline.context import open_context
from competition.pipeline.plan import PlannedModel
from competition.pipeline.time_limit.level1 import _Candidate, _left_out
from competition.pipeline.time_limit.watch import watching
from competition.utils.errors import ProfileError


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
    workers = StoppableWorkers(1)
    start = time.monotonic()
    found = list(workers.run(time.sleep, [(0.01,), (60,), (0.01,)], start + 8))
    assert found == [(0, None)]
    assert time.monotonic() - start < 20
    assert list(workers.run(abs, [(-3,)], time.monotonic() + 30)) == [(0, 3)]
    workers.close()


def workers_of_this_process() -> set[str]:
    tasks = Path("/proc/self/task").iterdir()
    children = [one for task in tasks for one in (task / "children").read_text().split()]
    found = set()
    for one in children:
        with suppress(OSError):  # it has just ended
            if b"popen_loky" in Path(f"/proc/{one}/cmdline").read_bytes():
                found.add(one)
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="processes are counted as Linux does it")
def test_processes_end_where_a_run_cannot_be_planned(shared_table: Path, tmp_path: Path) -> None:
    """No model fits the ads, which is found out once the processes have started."""
    profile = load_profile("text", ["time_limit=10m", 'models=["frames"]', 'kinds=["video"]'])
    context = open_context(load_dataset(shared_table), profile, tmp_path, n_jobs=1)
    before = workers_of_this_process()  # other tests may have some
    with pytest.raises(ProfileError), watching(context, None, time.monotonic()):
        pass
    assert workers_of_this_process() <= before


def test_predictions_in_a_file_travel_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "predictions"
    values = np.random.default_rng(0).random((50, 3, 4)).astype(np.float32)
    values.tofile(path)
    mapped = np.memmap(path, np.float32, "r", shape=values.shape)
    ads = Ads(mapped, pd.DataFrame(index=range(50)), np.zeros((50, 1), bool))
    workers, until = StoppableWorkers(1), time.monotonic() + 60
    tasks = [(mapped, "filename"), (ads.take(np.arange(9))._array, "filename")]
    assert dict(workers.run(getattr, tasks, until)) == {0: str(path), 1: str(path)}
    ((_, read),) = workers.run(Ads.read, [(ads.take(np.arange(40, 50)), slice(0, 5))], until)
    assert np.array_equal(read, values[40:45])
    ((_, part),) = workers.run(np.array, [(mapped[10:20],)], until)
    assert np.array_equal(part, values[10:20])
    workers.close()


def test_tasks_that_share_a_device_run_one_at_a_time() -> None:
    workers, until = StoppableWorkers(2), time.monotonic() + 60
    list(workers.run(abs, [(1,), (2,)], until))
    start, ended = time.monotonic(), {}
    for place, _ in workers.run(time.sleep, [(1,), (1,), (0.1,)], until, one_at_a_time={0, 1}):
        ended[place] = time.monotonic() - start
    assert ended[1] >= 2
    assert ended[2] < ended[1]
    workers.close()


def test_networks_that_share_a_card_are_given_the_time_of_one_after_another() -> None:
    gone: dict[str, str] = {}
    network = candidate("network", 10, 8)
    network.on_gpu = True
    _left_out([network], gone, 9, 4, time.monotonic() + 30)
    assert set(gone) == {"network"}
