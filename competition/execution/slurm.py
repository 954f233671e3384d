"""Tasks as jobs of Slurm, by submitit, or as processes of this machine by its local executor.

A job is asked for by what its task needs. One that is pre-empted is queued again; one that is lost
is submitted again; each finds what is stored already. Partition, account and the like come from
the variables that sbatch itself reads (SBATCH_PARTITION, SBATCH_ACCOUNT, ...).
"""

import shutil
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

from competition.execution.devices import n_cores
from competition.execution.needs import GIB, Need
from competition.execution.sites import Outcome, Site, guarded
from competition.utils.errors import ProcessError
from competition.utils.progress import Progress
from competition.utils.registry import WithPlugins

R = TypeVar("R")

LOOKS_EVERY = 0.5  # seconds
AT_ONCE = 256  # jobs of an array that run at a time
TOLD_EVERY = 600.0  # seconds after which what is waited for is said again
LONGEST = 72 * 3600.0  # seconds in which some job must end
SETTLES_IN = 20.0  # seconds until a result that was written elsewhere is seen
TRIES = 4


@dataclass(frozen=True, eq=False)
class _Submitted:
    arguments: tuple[Any, ...]
    need: Need
    tries: int = 1
    job: Any = None


class SlurmEngine:
    """Runs tasks as jobs.

    Parameters
    ----------
    out : Path
        Folder of the results, which all machines see.
    n_jobs : int or None
        Processes at a time, where they run here.
    progress : Progress
        Hears what is waited for.
    here : bool
        Use submitit's local executor: processes of this machine.

    Raises
    ------
    ProcessError
        If this machine cannot submit jobs.
    """

    has_gpu = True  # a job that needs one asks for it

    def __init__(self, out: Path, n_jobs: int | None, progress: Progress, *, here: bool) -> None:
        if not here and shutil.which("sbatch") is None:
            raise ProcessError(
                "--on slurm needs sbatch, which is not on this machine: run the command on a login "
                "node, or try it with --on slurm:local."
            )
        self.here, self.progress = here, progress
        self.n_cores = (n_jobs or n_cores()) if here else AT_ONCE
        self.has_gpu = not here
        self.site = Site.of(out)
        self.folder = Path(tempfile.mkdtemp(dir=self.site.marker.parent))

    def close(self) -> None:
        """Remove what was written for the jobs."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.site.remove()

    def run(
        self,
        function: Callable[..., R],
        tasks: Sequence[tuple[Any, ...]],
        needs: Sequence[Need],
        shared: Any = None,
    ) -> Iterator[R]:
        """Do what `competition.execution.engines.run_tasks` does."""
        kept = _Kept(self.folder)
        call = kept.put(WithPlugins(function))
        given = [arguments if shared is None else (shared, *arguments) for arguments in tasks]
        waiting = deque(
            _Submitted((self.site, call, *map(kept.put, arguments)), need)
            for arguments, need in sorted(
                zip(given, needs, strict=True), key=lambda pair: _asked(pair[1])
            )
        )
        running: list[_Submitted] = []
        since = told = time.monotonic()
        try:
            while waiting or running:
                room = self.n_cores - len(running)
                running += self._submit([waiting.popleft() for _ in range(min(room, len(waiting)))])
                ended = [one for one in running if one.job.done()]
                running = [one for one in running if one not in ended]
                for one in ended:
                    outcome = self._outcome(one)
                    if outcome is None or outcome.full:
                        waiting.append(self._again(one, outcome))
                        continue
                    if outcome.error is not None:
                        raise outcome.error
                    yield outcome.result
                now = time.monotonic()
                if ended:
                    since = told = now
                    continue
                waited = f"{len(running)} job(s): {_states(running)}" if running else "room"
                if now - since > LONGEST:
                    raise ProcessError(
                        f"No job has ended in {LONGEST / 3600:.0f} hours; waited for {waited}. The "
                        "same command goes on with what is finished."
                    )
                if now - told > TOLD_EVERY:
                    told = now
                    self.progress.remark(f"waiting for {waited}")
                time.sleep(LOOKS_EVERY)
        finally:
            for one in running:
                one.job.cancel(check=False)

    def _submit(self, some: list[_Submitted]) -> list[_Submitted]:
        """Submit tasks, those of the same needs as one array."""
        import submitit

        found = []
        for _, group in groupby(some, key=lambda one: _asked(one.need)):
            of_need = list(group)
            need = of_need[0].need
            executor = submitit.AutoExecutor(
                folder=self.folder / "jobs", cluster="local" if self.here else "slurm"
            )
            executor.update_parameters(
                name=need.kind.replace(" ", "-"),
                timeout_min=need.minutes,
                cpus_per_task=need.cores,
                mem_gb=max(1, -(-need.memory // GIB)),
                gpus_per_node=1 if need.on_gpu and self.has_gpu else 0,
                slurm_array_parallelism=AT_ONCE,
                stderr_to_stdout=True,
            )
            with executor.batch():
                jobs = [executor.submit(_Task(), *one.arguments) for one in of_need]
            found += [replace(one, job=job) for one, job in zip(of_need, jobs, strict=True)]
        return found

    def _outcome(self, one: _Submitted) -> Outcome | None:
        """Return what a job has left; None where it was lost."""
        import submitit

        until = time.monotonic() + (0 if self.here else SETTLES_IN)
        while not one.job.paths.result_pickle.exists():
            if time.monotonic() >= until:
                return None
            time.sleep(LOOKS_EVERY)
        bad = one.job.exception()
        if isinstance(bad, submitit.core.utils.UncompletedJobError):
            return None
        if bad is not None:
            raise ProcessError(
                f"A job ({one.need.kind}) has failed: {_last_line(str(bad))}. Its log is "
                f"{one.job.paths.stdout}."
            ) from bad
        outcome: Outcome = one.job.result()
        return outcome

    def _again(self, one: _Submitted, outcome: Outcome | None) -> _Submitted:
        what = outcome.full if outcome is not None else "it was ended before its result was there"
        if one.tries >= TRIES:
            raise ProcessError(
                f"A job ({one.need.kind}) was lost {TRIES} times: {what}. What is finished is "
                "kept, and the same command goes on."
            )
        self.progress.remark(f"job {one.job.job_id} ({one.need.kind}): {what}; submitted again")
        return replace(one, tries=one.tries + 1, job=None)


class _Task:
    """What a job calls; pre-empted, it is queued again and starts anew."""

    def __call__(self, site: Site, function: Any, *arguments: Any) -> Outcome:
        given = [one.read() if isinstance(one, _File) else one for one in (function, *arguments)]
        return guarded(site, given[0], tuple(given[1:]))

    def checkpoint(self, *arguments: Any) -> Any:
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, *arguments)


@dataclass(frozen=True)
class _File:
    """An argument that lies in a file."""

    path: Path

    def read(self) -> Any:
        return _read(self.path)


@cache
def _read(path: Path) -> Any:
    import cloudpickle

    with path.open("rb") as file:
        return cloudpickle.load(file)


class _Kept:
    """Arguments that several tasks have in common, written once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.written: dict[int, tuple[Any, _File]] = {}

    def put(self, argument: Any) -> Any:
        """Return a file in the place of all that is not small."""
        import cloudpickle

        if isinstance(argument, str | int | float | Path | None):
            return argument
        if id(argument) not in self.written:
            number, path = tempfile.mkstemp(dir=self.folder, suffix=".argument")
            with open(number, "wb") as file:
                cloudpickle.dump(argument, file)
            self.written[id(argument)] = argument, _File(Path(path))
        return self.written[id(argument)][1]


def _asked(need: Need) -> tuple[str, bool, int, int, int]:
    return need.kind, need.on_gpu, need.cores, need.memory, need.minutes


def _states(running: list[_Submitted]) -> str:
    states = sorted(str(one.job.state) for one in running)
    return ", ".join(f"{len(list(group))} {state}" for state, group in groupby(states))


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.strip().splitlines() if line.strip("- ")]
    return lines[-1] if lines else "without a word"
