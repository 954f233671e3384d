"""Tasks on a Ray cluster: the one at RAY_ADDRESS, or one that is started on this machine.

Ray finds a place for each task by what it needs, and starts it again where a process or a machine
was lost. Nothing here waits without a limit: Ray must answer, must have a machine that is large
enough, and must go on.
"""

import atexit
import logging
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from competition.execution import ray_joining
from competition.execution.needs import GIB, Need
from competition.execution.ray_joining import (
    ADDRESS,
    check_joinable,
    end_without_ray,
    first_line,
    first_sentence,
    handlers_kept,
    logs_hidden,
    quiet,
    within,
)
from competition.execution.ray_tasks import TRIES, Actors, Kept, call, resources
from competition.execution.ray_watch import LOOKS_EVERY, Watch
from competition.execution.sites import Outcome, Site
from competition.utils.errors import CompetitionError, ProcessError
from competition.utils.progress import Progress
from competition.utils.registry import WithPlugins

R = TypeVar("R")


@dataclass(frozen=True, eq=False)
class _Running:
    """A task that Ray has."""

    arguments: tuple[Any, ...]
    need: Need
    tries: int = 1
    not_on: frozenset[str] = frozenset()  # nodes whose disk is full
    actor: Any = None


class RayEngine:
    """Runs tasks on a Ray cluster.

    Parameters
    ----------
    out : Path
        Folder of the results, which all nodes see.
    data : Path or None
        Folder of the ads, which they see too.
    n_jobs : int or None
        Cores of a cluster that is started here; None takes all.
    progress : Progress
        Hears what is waited for.

    Raises
    ------
    ProcessError
        If Ray cannot be reached or does not start.
    """

    def __init__(
        self, out: Path, data: Path | None, n_jobs: int | None, progress: Progress
    ) -> None:
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported anywhere
        os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".*")  # of what Ray prints by itself
        self.address = os.environ.get(ADDRESS, "")
        self.progress = progress
        self.site = Site.of(out, data, progress)  # before Ray: where nothing can be written, stop
        try:
            self.ray = self._ray(n_jobs)
        except BaseException:
            self.site.remove()
            raise
        ray = self.ray
        self.call = ray.remote(call)
        cores = int(self._total("CPU"))
        where = f"at {self.address}" if self.address else "started on this machine"
        n_nodes = len([node for node in ray.nodes() if node["Alive"]])
        progress.remark(f"Ray {ray.__version__} {where}: {n_nodes} node(s), {cores} core(s)")

    def _ray(self, n_jobs: int | None) -> Any:
        """Join a cluster, or start one; return the module."""
        if self.address:
            check_joinable(self.address)
        import ray

        if ray.is_initialized():
            raise ProcessError(
                "This process uses Ray already: call ray.shutdown() first, or run in another one."
            )
        what = f"been joined at {self.address}" if self.address else "started on this machine"
        with handlers_kept(), quiet():
            try:
                with within(ray_joining.ANSWERS_IN, what):
                    self._join(ray, n_jobs)
                self.watch = Watch(ray, self.address or "this machine", self.progress)
            except CompetitionError:
                ray.shutdown()
                raise
            except Exception as bad:
                ray.shutdown()
                raise ProcessError(f"Ray has not {what}: {first_line(bad)}") from bad
        return ray

    def _join(self, ray: Any, n_jobs: int | None) -> None:
        if self.address:
            with logs_hidden():
                ray.init(address=self.address, log_to_driver=False, logging_level=logging.CRITICAL)
            return
        ray.init(
            num_cpus=n_jobs,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.CRITICAL,
            _node_ip_address="127.0.0.1",
        )

    @property
    def n_cores(self) -> int:
        """Cores of all nodes."""
        return max(1, int(self._total("CPU")))

    @property
    def has_gpu(self) -> bool:
        """Whether a node has a GPU."""
        return self._total("GPU") > 0

    def close(self) -> None:
        """Leave the cluster; one that was started here ends."""
        self.site.remove()
        if self.watch.is_gone:  # to leave it in order would be to wait for it
            atexit.register(end_without_ray)
        else:
            self.ray.shutdown()

    def run(
        self,
        function: Callable[..., R],
        tasks: Sequence[tuple[Any, ...]],
        needs: Sequence[Need],
        shared: Any = None,
    ) -> Iterator[R]:
        """Do what `competition.execution.engines.run_tasks` does.

        Where something is shared, processes that hold it stay until no task is left (actors).
        """
        for need in set(needs):
            self._check_room(need)
        called = self.ray.put(WithPlugins(function))
        kept = Kept(self.ray)
        waiting = deque(
            _Running(kept.put(arguments), need)
            for arguments, need in zip(tasks, needs, strict=True)
        )
        actors: Actors | None = None
        if shared is not None:
            actors = Actors(self.ray, shared, self._options)
        running: dict[Any, _Running] = {}
        watch = self.watch
        watch.went_on()
        try:
            while waiting or running:
                most = 0
                if watch.answers():
                    watch.look_at_nodes()
                    most = self._most(actors, needs[0])
                while waiting and len(running) < most:
                    one = waiting.popleft()
                    if actors is not None and one.actor is None:
                        one = replace(one, actor=actors.take(one.need, one.not_on))
                    running[
                        self._start(called, one, actors.shared if actors is not None else ())
                    ] = one
                if not running:
                    time.sleep(1)
                    continue
                done, _ = self.ray.wait(list(running), timeout=LOOKS_EVERY)
                if not done and watch.answers():
                    watch.look(next(iter(running.values())).need, len(running))
                if not done:
                    continue
                watch.went_on()
                for ref in done:
                    one = running.pop(ref)
                    outcome = self._outcome(ref, one.need)
                    if outcome.full:
                        if actors is not None:
                            actors.drop(one.actor)
                        waiting.appendleft(self._again(one, outcome))
                        continue
                    if outcome.error is not None:
                        raise outcome.error
                    if actors is not None:
                        actors.give_back(one.actor, needed=bool(waiting))
                    yield outcome.result
        finally:
            if not watch.is_gone:
                for ref, one in running.items():
                    if one.actor is None:
                        self.ray.cancel(ref, force=True)
                if actors is not None:
                    actors.end()

    def _most(self, actors: Actors | None, need: Need) -> int:
        """How many tasks Ray has at a time: each actor one, else somewhat more than run."""
        at_once = max(1, self.n_cores // need.cores)
        return at_once if actors is not None else 2 * at_once + 2

    def _start(self, called: Any, one: _Running, shared: tuple[Any, ...]) -> Any:
        if one.actor is not None:
            return one.actor.call.remote(self.site, shared, (called, *one.arguments))
        options = self._options(one.need, one.not_on)
        task = self.call.options(max_retries=TRIES - 1, **options)
        return task.remote(self.site, (called, *one.arguments))

    def _options(self, need: Need, not_on: frozenset[str]) -> dict[str, Any]:
        return {**resources(need, self.has_gpu), **self._away_from(not_on)}

    def _away_from(self, full: frozenset[str]) -> dict[str, Any]:
        """Where else a task may run than on some nodes: on the first other one, while it lives."""
        if not full:
            return {}
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        others = [
            node["NodeID"]
            for node in self.ray.nodes()
            if node["Alive"] and node["NodeID"] not in full and node["Resources"].get("CPU")
        ]
        if not others:
            return {}
        return {"scheduling_strategy": NodeAffinitySchedulingStrategy(others[0], soft=True)}

    def _again(self, one: _Running, outcome: Outcome) -> _Running:
        """Give a task that a full disk has stopped to another node."""
        if one.tries >= TRIES:
            raise ProcessError(
                f"{one.need.named}: the disk of {outcome.host} is full, and no other had room: "
                f"{outcome.full} What is finished is kept, and the same command goes on."
            )
        self.progress.remark(f"{outcome.host}: {outcome.full} Its task goes to another node.")
        full = one.not_on | {outcome.node}
        return replace(one, tries=one.tries + 1, not_on=full, actor=None)

    def _outcome(self, ref: Any, need: Need) -> Outcome:
        from ray import exceptions

        lost = (
            exceptions.WorkerCrashedError,
            exceptions.NodeDiedError,
            exceptions.ActorDiedError,
            exceptions.ActorUnavailableError,
            exceptions.OutOfMemoryError,
            exceptions.ObjectLostError,
        )
        try:
            outcome: Outcome = self.ray.get(ref, timeout=ray_joining.ANSWERS_IN)
        except lost as bad:
            raise ProcessError(
                f"{need.named}: its process was lost {TRIES} times, as it is where a node leaves "
                f"or its memory runs out ({first_sentence(bad)}). What is finished is kept, and "
                "the same command goes on."
            ) from bad
        except exceptions.RayTaskError as bad:
            if isinstance(bad.cause, exceptions.RaySystemError):  # it cannot load what it is given
                raise ProcessError(
                    f"{need.named}: a node of Ray cannot load it "
                    f"({first_line(bad.cause).removeprefix('System error: ')}). Install this "
                    "package there, of the same version and with the same libraries."
                ) from bad
            raise bad.cause from bad
        except exceptions.RayError as bad:
            raise ProcessError(f"{need.named}: Ray could not run it: {first_line(bad)}") from bad
        return outcome

    def _total(self, resource: str) -> float:
        return float(self.ray.cluster_resources().get(resource, 0))

    def _check_room(self, need: Need) -> None:
        """Raise a ProcessError if no node is large enough for a task."""
        nodes = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
        if any(node.get("CPU", 0) >= need.cores and _fits(node, need) for node in nodes):
            return
        largest = max((node.get("memory", 0) for node in nodes), default=0)
        cores = max((node.get("CPU", 0) for node in nodes), default=0)
        raise ProcessError(
            f"No node of the Ray cluster is large enough: a task ({need.kind}) needs {need.cores} "
            f"core(s) and {need.memory / GIB:.1f} GiB, the largest nodes have {cores:.0f} core(s) "
            f"and {largest / GIB:.1f} GiB. Add a larger node."
        )


def _fits(node: dict[str, float], need: Need) -> bool:
    return node.get("memory", 0) >= need.memory
