"""How a task reaches a process of Ray's: by references, which are loaded after the check alone.

Ray loads what a task is given before it calls it, but of a tuple only the references in it. So a
process of another version says so, rather than what it cannot load.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from competition.execution.needs import Need
from competition.execution.sites import Outcome, Site, guarded

TRIES = 4  # of a task whose process or machine is lost, or whose disk is full


class Actors:
    """Processes that hold what is shared, each with one task at a time."""

    def __init__(
        self,
        ray: Any,
        shared: Any,
        options: Callable[[Need, frozenset[str]], dict[str, Any]],
    ) -> None:
        self.ray, self.options = ray, options
        self.shared = (ray.put(shared),)  # with each call: an actor that Ray restarts has it too
        self.idle: list[Any] = []
        self.all: list[Any] = []

    def take(self, need: Need, not_on: frozenset[str]) -> Any:
        """Return an idle one, or start one."""
        if self.idle and not not_on:
            return self.idle.pop()
        make = self.ray.remote(Holder)
        actor = make.options(
            max_restarts=-1, max_task_retries=TRIES - 1, **self.options(need, not_on)
        )
        self.all.append(actor.remote())
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
        self.ray.kill(actor)

    def end(self) -> None:
        """End all."""
        for actor in [*self.all]:
            self.drop(actor)


class Holder:
    """Holds what is shared in a process of its own."""

    def __init__(self) -> None:
        self.loaded: list[Any] = []

    def call(self, site: Site, shared: tuple[Any, ...], sent: tuple[Any, ...]) -> Outcome:
        """Call a function with what is shared, and with the rest."""
        return _checked_call(site, self._shared_call, (shared, *sent))

    def _shared_call(self, shared: tuple[Any, ...], *sent: Any) -> Any:
        function, *arguments = _fetched(sent)  # loads what the class of the shared one needs
        self.loaded = self.loaded or _fetched(shared)
        return function(*self.loaded, *arguments)


def call(site: Site, sent: tuple[Any, ...]) -> Outcome:
    """Call, in a process of Ray's, what comes first with what comes after it."""
    return _checked_call(site, _plain_call, sent)


def _checked_call(site: Site, call: Callable[..., Any], sent: tuple[Any, ...]) -> Outcome:
    import ray

    return replace(guarded(site, call, sent), node=ray.get_runtime_context().get_node_id())


def _plain_call(*sent: Any) -> Any:
    function, *arguments = _fetched(sent)
    return function(*arguments)


def _fetched(sent: tuple[Any, ...]) -> list[Any]:
    """Load what was sent, in this order: Ray itself loads no more than references, in a tuple."""
    import ray

    return [ray.get(one) if isinstance(one, ray.ObjectRef) else one for one in sent]


class Kept:
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
