"""Ray clusters of several nodes on this machine, each with one core, and ways to disturb them."""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.faults.runs import ROOT

WAITS = '''\
"""A model that says where and when it is fitted, and takes its time."""

import os
import time
from pathlib import Path

import numpy as np

from competition import Level1Model, level1_model


@level1_model("waits", kinds=("text",))
class Waits(Level1Model):
    """Predicts the share of each tag."""

    def __init__(self, folder: str = "", seconds: float = 3.0) -> None:
        self.folder = folder
        self.seconds = seconds

    def _fit(self, X, Y):
        where = f"{time.time_ns()}.{os.getpid()}.{os.environ.get('NODE', 'here')}"
        Path(self.folder, where).touch()
        Path(os.environ.get("SCRATCH", os.devnull)).write_bytes(b"0" * 100)
        self.share = Y.mean(axis=0)
        time.sleep(self.seconds)

    def _predict_proba(self, X):
        return np.tile(0.9 * self.share + 0.01, (len(X), 1))
'''
PROFILE = """\
plugins = ["waits.py"]
models = ["tfidf_logreg", "waits"]

[folds]
n = 4

[level1.waits]
folder = "{log}"
seconds = {seconds}

[level2]
model = ["mean", "single"]
"""


class Cluster:
    """Nodes of one core each; the first is the head."""

    def __init__(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="ray")  # short: sockets lie below it
        self.nodes: dict[str, subprocess.Popen[bytes]] = {}
        with socket.socket() as free:
            free.bind(("", 0))
            self.port = free.getsockname()[1]
        self.token = secrets.token_hex(32)
        import ray

        self.address = f"{ray.util.get_node_ip_address()}:{self.port}"

    @property
    def env(self) -> dict[str, str]:
        """Environment of a process that joins."""
        token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": self.token}
        return {**os.environ, **token, "RAY_ADDRESS": self.address, "OMP_NUM_THREADS": "1"}

    def start(self, name: str, env: Mapping[str, str] | None = None) -> None:
        """Start a node, and wait until it is there."""
        place = [f"--address={self.address}"]
        if not self.nodes:
            place = ["--head", f"--port={self.port}", f"--temp-dir={self.folder}"]
            place += ["--include-dashboard=false"]
            place += ['--system-config={"health_check_period_ms": 1000}']
        more = {**self.env, "NODE": name, "PYTHONPATH": str(ROOT), **(env or {})}
        if "--head" in place:
            more.pop("RAY_ADDRESS")
        self.nodes[name] = subprocess.Popen(
            [
                *(sys.executable, "-m", "ray.scripts.scripts", "start", "--block", *place),
                *("--num-cpus=1", "--object-store-memory=80000000", f"--node-name={name}"),
                "--disable-usage-stats",
            ],
            env=more,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.wait_for(set(self.nodes))

    def wait_for(self, names: set[str], seconds: float = 60) -> None:
        """Wait until these nodes, and no other, live."""
        code = "import ray; ray.init(log_to_driver=False, logging_level=50);"
        code += "print([node['NodeName'] for node in ray.nodes() if node['Alive']])"
        until = time.monotonic() + seconds
        seen = ""
        while time.monotonic() < until:
            done = subprocess.run(
                [sys.executable, "-c", code],
                env=self.env,
                capture_output=True,
                text=True,
                check=False,
            )
            seen = done.stdout.strip() or done.stderr[-300:]
            if done.returncode == 0 and set(eval(seen)) == names:
                return
            time.sleep(1)
        raise AssertionError(f"{names} are not there: {seen}")

    def kill(self, name: str) -> None:
        """End a node at once, as a lost machine ends."""
        node = self.nodes.pop(name)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(node.pid, signal.SIGKILL)
        node.wait()

    def stop(self) -> None:
        """End all nodes."""
        for name in [*self.nodes]:
            self.kill(name)
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def cluster_of(*names: str, **env: Mapping[str, str]) -> Iterator[Cluster]:
    """Start a cluster; `env` has more of the environment of some of its nodes."""
    cluster = Cluster()
    try:
        for name in names:
            cluster.start(name, env.get(name))
        yield cluster
    finally:
        cluster.stop()


class Fits:
    """A profile whose model `waits` says when each fit begins."""

    def __init__(self, folder: Path, seconds: float = 3.0) -> None:
        self.log = folder / "log"
        self.log.mkdir(parents=True)
        (folder / "waits.py").write_text(WAITS, encoding="utf-8")
        self.profile = folder / "profile.toml"
        self.profile.write_text(PROFILE.format(log=self.log, seconds=seconds), encoding="utf-8")

    def begun(self) -> list[tuple[int, str]]:
        """Process and node of each fit so far, in order of the name of its file."""
        names = sorted(path.name.split(".") for path in self.log.iterdir())
        return [(int(process), node) for _, process, node in names]

    def wait(self, node: str | None = None, more_than: int = 0, seconds: float = 90) -> int:
        """Wait until a fit begins, on a node; return its process."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            found = [one for one, of in self.begun()[more_than:] if node in (None, of)]
            if found:
                return found[0]
            time.sleep(0.05)
        raise AssertionError(f"no fit has begun on {node}: {self.begun()}")
