"""A look at a Ray cluster while none of its tasks ends."""

import time
from typing import Any

from competition.execution.needs import Need
from competition.execution.ray_joining import answers
from competition.utils.errors import ProcessError
from competition.utils.progress import Progress

LOOKS_EVERY = 5.0  # seconds between two looks at the cluster while a task is waited for
GONE_AFTER = 30.0  # seconds without an answer after which a cluster is gone
STALLED_AFTER = 120.0  # seconds in which nothing at all runs
TOLD_EVERY = 300.0  # seconds after which what is waited for is said again
LONGEST = 24 * 3600.0  # seconds in which some task must end


class Watch:
    """Looks at the cluster while no task ends.

    Parameters
    ----------
    ray : module
        Joined already.
    where : str
        How messages name the cluster.
    progress : Progress
        Hears what is waited for.

    Attributes
    ----------
    is_gone : bool
        Whether the cluster has not answered for long.
    """

    def __init__(self, ray: Any, where: str, progress: Progress) -> None:
        self.ray, self.where, self.progress = ray, where, progress
        self.host, _, port = ray.get_runtime_context().gcs_address.rpartition(":")
        self.port, self.is_gone = int(port), False
        self.nodes, self.looked = self._living(), time.monotonic()
        self.went_on()

    def went_on(self) -> None:
        """A task has ended."""
        now = time.monotonic()
        self.since = self.told = self.answered = self.busy = now

    def answers(self) -> bool:
        """Whether the cluster's head answers; Ray itself would wait for it, and end this process.

        Raises
        ------
        ProcessError
            If it has not answered for long.
        """
        now = time.monotonic()
        if answers(self.host, self.port, LOOKS_EVERY):
            self.answered = now
            return True
        if now - self.answered > GONE_AFTER:
            self.is_gone = True
            raise ProcessError(
                f"Ray at {self.host}:{self.port} has not answered for {GONE_AFTER:.0f} s. What is "
                "finished is kept: start the cluster again, and the same command goes on."
            )
        return False

    def look_at_nodes(self) -> None:
        """Say which nodes have gone since the last look."""
        if time.monotonic() - self.looked < LOOKS_EVERY:
            return
        before, self.nodes, self.looked = self.nodes, self._living(), time.monotonic()
        for name in [name for node, name in before.items() if node not in self.nodes]:
            self.progress.remark(
                f"Ray at {self.where}: the node {name} has gone; its tasks run on the others"
            )

    def _living(self) -> dict[str, str]:
        return {one["NodeID"]: one["NodeName"] for one in self.ray.nodes() if one["Alive"]}

    def look(self, need: Need, n_tasks: int) -> None:
        """Say what is waited for: tasks that Ray has, and what one of them needs.

        Raises
        ------
        ProcessError
            If the cluster does not start what there is room for, or nothing has ended for very
            long.
        """
        now, where = time.monotonic(), self.where
        free = self.ray.available_resources().get("CPU", 0)
        total = self.ray.cluster_resources().get("CPU", 0)
        if free < total:  # something runs, and what waits may wait for memory, a card or a core
            self.busy = now
        waited = f"{n_tasks} task(s) ({need.kind}); {total - free:.0f} of {total:.0f} core(s)"
        if now - self.busy > STALLED_AFTER:
            raise ProcessError(
                f"Ray at {where} starts no task though all cores are free: waited for {waited} "
                f"in use for {STALLED_AFTER:.0f} s. Look at `ray status`; the same command goes on."
            )
        if now - self.since > LONGEST:
            raise ProcessError(
                f"No task has ended in {LONGEST / 3600:.0f} hours on Ray at {where}: waited for "
                f"{waited} in use. The same command goes on with what is finished."
            )
        if now - self.told > TOLD_EVERY:
            self.told = now
            self.progress.remark(f"Ray at {where}: waiting for {waited} in use")
