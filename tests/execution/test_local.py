"""Tasks run here or in processes, with the same results."""

import os

import pytest

from competition.execution.local import run_tasks


def power(base: int, exponent: int) -> tuple[int, int]:
    return base**exponent, os.getpid()


TASKS = [(2, 3), (3, 2), (5, 1), (7, 0)]


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_every_task_is_run_once(n_jobs: int) -> None:
    results = sorted(result for result, _ in run_tasks(power, TASKS, n_jobs=n_jobs))
    assert results == [1, 5, 8, 9]


def test_one_job_runs_in_this_process_in_order() -> None:
    results = list(run_tasks(power, TASKS, n_jobs=1))
    assert results == [(base**exponent, os.getpid()) for base, exponent in TASKS]


def test_several_jobs_run_in_other_processes() -> None:
    assert os.getpid() not in {process for _, process in run_tasks(power, TASKS, n_jobs=2)}


def fail(number: int) -> int:
    raise ValueError(f"task {number}")


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_error_of_a_task_is_raised(n_jobs: int) -> None:
    with pytest.raises(ValueError, match="task 4"):
        list(run_tasks(fail, [(4,)], n_jobs=n_jobs))


def threads() -> int:
    return int(os.environ["OMP_NUM_THREADS"])


def test_processes_get_their_threads() -> None:
    assert list(run_tasks(threads, [(), ()], n_jobs=2, n_threads=3)) == [3, 3]
