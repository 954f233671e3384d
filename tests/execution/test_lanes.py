"""Which tasks run side by side, and that what was planned is what happens."""

import os
import time
from itertools import pairwise
from pathlib import Path

import pytest

from competition.execution.lanes import next_to_start, run_in_lanes
from competition.execution.needs import Need
from competition.utils.errors import ProcessError

BERT, FRAMES, WORDS = Need("bert", True), Need("frames", True), Need("words", False)
GIB = 2**30


@pytest.mark.parametrize(
    ("waiting", "running", "memory", "expected"),
    [
        ([WORDS, BERT], [], {}, 1),  # the card first
        ([BERT, WORDS], [BERT], {}, 1),  # how much it takes is not known: alone on the card
        ([BERT], [BERT], {}, None),
        ([FRAMES, WORDS], [BERT], {"bert": 5 * GIB}, 1),  # of one of two is not known
        ([FRAMES, WORDS], [BERT], {"bert": 5 * GIB, "frames": 5 * GIB}, 0),
        ([BERT, FRAMES], [BERT], {"bert": 7 * GIB, "frames": 2 * GIB}, 1),  # the first that fits
        ([FRAMES], [FRAMES] * 4, {"frames": 2 * GIB}, 0),
        ([FRAMES], [FRAMES] * 5, {"frames": 2 * GIB}, None),
        ([BERT], [], {"bert": 99 * GIB}, 0),  # too large by itself: that is for the task to say
        ([WORDS], [WORDS] * 9, {}, 0),
        ([], [BERT], {}, None),
    ],
)
def test_next_task(waiting, running, memory, expected):
    assert next_to_start(waiting, running, memory, 10 * GIB) == expected


def work(name: str, seconds: float) -> tuple[str, float, float, int]:
    start = time.time()
    time.sleep(seconds)
    return name, start, time.time(), os.getpid()


def test_tasks_for_the_card_run_one_at_a_time_beside_others():
    needs = [BERT, BERT, FRAMES, WORDS, WORDS]
    tasks = [(need.kind, 0.3) for need in needs]
    done = list(run_in_lanes(work, tasks, needs, n_jobs=2, capacity=-1))
    assert sorted(name for name, *_ in done) == sorted(need.kind for need in needs)
    card = sorted((start, end) for name, start, end, _ in done if name != "words")
    assert all(end <= start for (_, end), (start, _) in pairwise(card))
    words = [(start, end) for name, start, end, _ in done if name == "words"]
    assert any(a < d and c < b for a, b in words for c, d in card)  # meanwhile
    assert os.getpid() not in {process for *_, process in done}


def wait_for_three(folder: Path) -> tuple[float, float]:
    """The first to come works for a moment; others until there are three, a minute at most."""
    start, is_first = time.time(), not any(folder.iterdir())
    (folder / str(time.time_ns())).touch()
    while time.time() < start + (0.3 if is_first else 60) and len(list(folder.iterdir())) < 3:
        time.sleep(0.02)
    return start, time.time()


def test_tasks_whose_memory_fits_share_the_card(tmp_path: Path):
    tasks = [(tmp_path,)] * 3
    done = list(run_in_lanes(wait_for_three, tasks, [BERT] * 3, n_jobs=2, capacity=GIB))
    (_, end_of_first), *others = sorted(done)
    assert all(start >= end_of_first for start, _ in others)  # the first shows what it takes
    assert others[1][0] < others[0][1]


def fail(number: int) -> int:
    raise ValueError(f"task {number}")


def end_process() -> None:
    os._exit(3)


def test_error_of_a_task_is_raised():
    with pytest.raises(ValueError, match="task 4"):
        list(run_in_lanes(fail, [(4,)] * 3, [WORDS] * 3, n_jobs=2, capacity=0))


def test_process_that_is_ended_from_outside_is_told():
    with pytest.raises(ProcessError, match="ended from outside"):
        list(run_in_lanes(end_process, [()], [BERT], n_jobs=2, capacity=0))
