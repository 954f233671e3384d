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
    handlers_kept,
    quiet,
    within,
)
from competition.execution.ray_watch import LOOKS_EVERY, Watch
from competition.execution.sites import Outcome, Site, guarded
from competition.utils.errors import CompetitionError, ProcessError
from competition.utils.progress import Progress
from competition.utils.registry import WithPlugins

R = TypeVar("R")

TRIES = 4  # of a task whose process or machine is lost, or whose disk is full


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
        self.address = os.environ.get(ADDRESS, "")
        self.progress = progress
        if self.address:
            check_joinable(self.address)
        import ray

        if ray.is_initialized():
            raise ProcessError(
                "This process uses Ray already: call ray.shutdown() first, or run in another one."
            )
        what = f"been joined at {self.address}" if self.address else "started on this machine"
        self.ray = ray
        with handlers_kept(), quiet():
            try:
                with within(ray_joining.ANSWERS_IN, what):
                    self._join(n_jobs)
                self.site = Site.of(out, data)
                self.watch = Watch(ray, self.address or "this machine", progress)
            except CompetitionError:
                ray.shutdown()
                raise
            except Exception as bad:
                ray.shutdown()
                raise ProcessError(f"Ray has not {what}: {first_line(bad)}") from bad
        self.call = ray.remote(_call)
        cores = int(self._total("CPU"))
        where = f"at {self.address}" if self.address else "started on this machine"
        n_nodes = len([node for node in ray.nodes() if node["Alive"]])
        progress.remark(f"Ray {ray.__version__} {where}: {n_nodes} node(s), {cores} core(s)")

    def _join(self, n_jobs: int | None) -> None:
        if self.address:
            self.ray.init(address=self.address, log_to_driver=False, logging_level=logging.CRITICAL)
            return
        self.ray.init(
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
        with_plugins = WithPlugins(function)
        call = self.ray.put(with_plugins)
        kept = _Kept(self.ray)
        waiting = deque(
            _Running(kept.put(arguments), need)
            for arguments, need in zip(tasks, needs, strict=True)
        )
        actors = _Actors(self, (with_plugins, shared)) if shared is not None else None
        running: dict[Any, _Running] = {}
        watch = self.watch
        watch.went_on()
        try:
            while waiting or running:
                most = self._most(actors, needs[0]) if watch.answers() else 0
                while waiting and len(running) < most:
                    one = waiting.popleft()
                    if actors is not None and one.actor is None:
                        one = replace(one, actor=actors.take(one.need, one.not_on))
                    running[self._start(call, one)] = one
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
                    outcome = self._outcome(ref)
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

    def _most(self, actors: "_Actors | None", need: Need) -> int:
        """How many tasks Ray has at a time: each actor one, else somewhat more than run."""
        at_once = max(1, self.n_cores // need.cores)
        return at_once if actors is not None else 2 * at_once + 2

    def _start(self, call: Any, one: _Running) -> Any:
        if one.actor is not None:
            return one.actor.call.remote(self.site, call, *one.arguments)
        options = {**resources(one.need, self.has_gpu), **self._away_from(one.not_on)}
        task = self.call.options(max_retries=TRIES - 1, **options)
        return task.remote(self.site, call, *one.arguments)

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
                f"The disk of {outcome.host} is full, and no other node could do the task: "
                f"{outcome.full} What is finished is kept, and the same command goes on."
            )
        self.progress.remark(f"{outcome.host}: {outcome.full} Its task goes to another node.")
        full = one.not_on | {outcome.node}
        return replace(one, tries=one.tries + 1, not_on=full, actor=None)

    def _outcome(self, ref: Any) -> Outcome:
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
                f"A task was lost {TRIES} times, as it is where a node leaves or its memory runs "
                f"out ({first_line(bad)}). What is finished is kept, and the same command goes on."
            ) from bad
        except exceptions.RayTaskError as bad:
            raise bad.cause from bad
        except exceptions.RayError as bad:
            raise ProcessError(f"Ray could not run a task: {first_line(bad)}") from bad
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


class _Actors:
    """Processes that hold what is shared, each with one task at a time."""

    def __init__(self, engine: RayEngine, shared: tuple[WithPlugins, Any]) -> None:
        self.engine = engine
        self.shared = shared  # after what loads its class, where that is a user's own
        self.idle: list[Any] = []
        self.all: list[Any] = []

    def take(self, need: Need, not_on: frozenset[str]) -> Any:
        """Return an idle one, or start one."""
        if self.idle and not not_on:
            return self.idle.pop()
        options = {**resources(need, self.engine.has_gpu), **self.engine._away_from(not_on)}
        make = self.engine.ray.remote(_Holder)
        actor = make.options(max_restarts=-1, max_task_retries=TRIES - 1, **options)
        self.all.append(actor.remote(self.shared))
        return self.all[-1]

    def give_back(self, actor: Any, *, needed: bool) -> None:
        """Let another task have it, or end it, so that its cores are free for the others."""
        if needed:
            self.idle.append(actor)
        else:
            self.drop(actor)

    def drop(self, actor: Any) -> None:
        """End one."""
        self.all.remove(actor)
        self.engine.ray.kill(actor)

    def end(self) -> None:
        """End all."""
        for actor in [*self.all]:
            self.drop(actor)


class _Holder:
    """Holds what is shared in a process of its own."""

    def __init__(self, shared: tuple[WithPlugins, Any]) -> None:
        _, self.shared = shared

    def call(self, site: Site, function: Callable[..., Any], *arguments: Any) -> Outcome:
        """Call a function with what is shared, and with the rest."""
        return _call(site, function, self.shared, *arguments)


def _call(site: Site, function: Callable[..., Any], *arguments: Any) -> Outcome:
    import ray

    return replace(guarded(site, function, arguments), node=ray.get_runtime_context().get_node_id())


class _Kept:
    """Arguments that several tasks have in common, sent once."""

    def __init__(self, ray: Any) -> None:
        self.ray = ray
        self.sent: dict[int, tuple[Any, Any]] = {}  # the argument too: its number is not used again

    def put(self, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return references in the place of all that is not small."""
        return tuple(
            one if isinstance(one, str | int | float | Path | None) else self._put(one)
            for one in arguments
        )

    def _put(self, argument: Any) -> Any:
        if id(argument) not in self.sent:
            self.sent[id(argument)] = argument, self.ray.put(argument)
        return self.sent[id(argument)][1]


def resources(need: Need, has_gpu: bool) -> dict[str, Any]:
    """What Ray is asked for a task."""
    share = need.gpu if need.on_gpu and has_gpu else 0
    return {"num_cpus": need.cores, "memory": need.memory, "num_gpus": share}


def _fits(node: dict[str, float], need: Need) -> bool:
    return node.get("memory", 0) >= need.memory
