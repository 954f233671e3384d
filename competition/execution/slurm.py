"""Tasks as jobs of Slurm, by submitit, or as processes of this machine by its local executor.

A job is asked for by what its task needs. One that is pre-empted is queued again; one that is lost
is submitted again; each finds what is stored already. Partition, account and the like come from
the variables that sbatch itself reads (SBATCH_PARTITION, SBATCH_ACCOUNT, ...).
"""

import os
import pickle
import shutil
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

from competition.execution.devices import n_cores
from competition.execution.needs import GIB, Need
from competition.execution.sites import Outcome, Site, guarded
from competition.execution.terminal import no_terminal
from competition.utils.errors import ProcessError
from competition.utils.files import told_as_write_error
from competition.utils.progress import Progress
from competition.utils.registry import WithPlugins

R = TypeVar("R")

LOOKS_EVERY = 0.5  # seconds
AT_ONCE = 256  # jobs of an array that run at a time
TOLD_EVERY = 600.0  # seconds after which what is waited for is said again
LONGEST = 72 * 3600.0  # seconds in which some job must end
SETTLES_IN = 20.0  # seconds until a result that was written elsewhere is seen
TRIES = 4
MOST_JOBS = 64  # that the tasks of a stage are dealt out to
JOBS_A_CORE = 4
DASHES = "-" * 22
LOST = "it was ended before its result was there"


@dataclass(frozen=True, eq=False)
class _Job:
    content: Path  # of a file: what is called, and the arguments of each call
    need: Need
    tries: int = 1
    job: Any = None


def check_sbatch() -> None:
    """Raise a ProcessError if this machine cannot submit jobs."""
    if shutil.which("sbatch") is None:
        raise ProcessError(
            "--on slurm needs sbatch, which is not on this machine: run the command on a login "
            "node, or try it with --on slurm:local."
        )


class SlurmEngine:
    """Runs tasks as jobs.

    Parameters
    ----------
    out : Path
        Folder of the results, which all machines see.
    data : Path or None
        Folder of the ads, which they see too.
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

    def __init__(
        self,
        out: Path,
        data: Path | None,
        n_jobs: int | None,
        progress: Progress,
        *,
        here: bool,
    ) -> None:
        if not here:
            check_sbatch()
        self.here, self.progress = here, progress
        self.n_cores = (n_jobs or n_cores()) if here else AT_ONCE
        self.has_gpu = not here
        self.site = Site.of(out, data, progress)
        self.folder = self.site.marker.with_suffix("")  # where `orphans` looks
        self.folder.mkdir(mode=0o700)

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
        given = [arguments if shared is None else (shared, *arguments) for arguments in tasks]
        waiting = deque(self._jobs(function, given, needs))
        running: list[_Job] = []
        since = told = time.monotonic()
        try:
            while waiting or running:
                room = self.n_cores - len(running)
                for _, some in groupby(
                    [waiting.popleft() for _ in range(min(room, len(waiting)))],
                    key=lambda one: _asked(one.need),
                ):
                    running += self._submit(list(some))
                ended = [one for one in running if one.job.done()]
                running = [one for one in running if one not in ended]
                # Results of all are waited for together, not of one lost job after another.
                until = time.monotonic() + (0 if self.here else SETTLES_IN)
                for one in ended:
                    outcomes = self._outcomes(one, until)
                    lost = next((outcome.full for outcome in outcomes if outcome.full), "")
                    if lost or not outcomes:
                        waiting.append(self._again(one, lost or LOST))
                        continue
                    for outcome in outcomes:
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

    def _jobs(
        self,
        function: Callable[..., Any],
        tasks: list[tuple[Any, ...]],
        needs: Sequence[Need],
    ) -> Iterator[_Job]:
        """Deal tasks of the same needs out to jobs: a few a core, each with one task or several.

        What several tasks of a job have in common is written once.
        """
        at_most = -(-len(tasks) // min(MOST_JOBS, JOBS_A_CORE * self.n_cores))
        both = sorted(zip(needs, tasks, strict=True), key=lambda pair: _asked(pair[0]))
        for _, group in groupby(both, key=lambda pair: _asked(pair[0])):
            alike = list(group)
            for start in range(0, len(alike), at_most):
                some = alike[start : start + at_most]
                yield _Job(self._written(function, [task for _, task in some]), some[0][0])

    def _written(self, function: Callable[..., Any], tasks: list[tuple[Any, ...]]) -> Path:
        """Write what a job calls beside what submitit loads: it is read after the check alone."""
        import cloudpickle

        with told_as_write_error(self.folder):
            number, path = tempfile.mkstemp(".calls", dir=self.folder)
            with os.fdopen(number, "wb") as file:
                cloudpickle.dump((WithPlugins(function), tasks), file)
        return Path(path)

    def _submit(self, some: list[_Job]) -> list[_Job]:
        """Submit tasks of the same needs as one array."""
        import submitit

        need = some[0].need
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
        try:
            # Ended early, processes that are started here show a traceback.
            with no_terminal() if self.here else nullcontext(), executor.batch():
                jobs = [executor.submit(_Tasks(), self.site, one.content) for one in some]
        except (
            submitit.core.utils.FailedJobError,
            submitit.core.utils.FailedSubmissionError,
        ) as bad:
            raise ProcessError(
                f"sbatch takes no job ({need.kind}: {need.cores} core(s), {need.memory / GIB:.1f} "
                f"GiB, {need.minutes} minutes): {_last_line(str(bad))}. Partition, account and the "
                "like come from SBATCH_PARTITION, SBATCH_ACCOUNT, ..."
            ) from bad
        return [replace(one, job=job) for one, job in zip(some, jobs, strict=True)]

    def _outcomes(self, one: _Job, until: float) -> list[Outcome]:
        """Return what a job has left; nothing where it was lost, as nothing is there in time."""
        import submitit

        while not one.job.paths.result_pickle.exists():
            if time.monotonic() >= until:
                return []
            time.sleep(LOOKS_EVERY)
        bad = one.job.exception()
        if isinstance(bad, submitit.core.utils.FailedJobError):  # the task itself has raised it
            raise ProcessError(f"A job ({one.need.kind}) has failed: {_last_line(str(bad))}.")
        if bad is not None:
            return []
        outcomes: list[Outcome] = one.job.result()
        return outcomes

    def _again(self, one: _Job, why: str) -> _Job:
        what = why.rstrip(".")
        if one.tries >= TRIES:
            raise ProcessError(
                f"A job ({one.need.kind}) was lost {TRIES} times: {what}. What is finished is "
                "kept, and the same command goes on."
            )
        one.job.cancel(check=False)  # where Slurm has queued it again itself
        self.progress.remark(f"job {one.job.job_id} ({one.need.kind}): {what}; submitted again")
        return replace(one, tries=one.tries + 1, job=None)


class _Tasks:
    """What a job calls; pre-empted, it is queued again and starts anew."""

    def __call__(self, site: Site, content: Path) -> list[Outcome]:
        loaded = guarded(site, _load, (content,))
        if loaded.result is None:
            return [loaded]
        function, tasks = loaded.result
        return [guarded(site, function, arguments) for arguments in tasks]

    def checkpoint(self, *arguments: Any) -> Any:
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, *arguments)


def _load(content: Path) -> tuple[Callable[..., Any], list[tuple[Any, ...]]]:
    with content.open("rb") as file:
        loaded: tuple[Callable[..., Any], list[tuple[Any, ...]]] = pickle.load(file)
    return loaded


def _asked(need: Need) -> tuple[str, bool, int, int, int]:
    return need.kind, need.on_gpu, need.cores, need.memory, need.minutes


def _states(running: list[_Job]) -> str:
    states = sorted(str(one.job.state) for one in running)
    return ", ".join(f"{len(list(group))} {state}" for state, group in groupby(states))


def _last_line(text: str) -> str:
    """Last line of the traceback that submitit quotes between dashes, or of all that is said."""
    quoted = text.split(f"\n{DASHES}\n")
    said = quoted[1] if len(quoted) > 2 else text
    lines = [line.strip() for line in said.splitlines() if line.strip("- ")]
    return lines[-1].rstrip(".") if lines else "without a word"
