"""The demo's run on this machine, on a Ray cluster that loses a node, and as jobs that are lost.

    python -m benchmarks.machines [--ads N]

The cluster has two nodes of one core each, on this machine; one is killed in the middle of level 1
and does not come back. Of the jobs of submitit's local executor, one is killed. Each run starts
with nothing but the ads. What comes out is compared byte for byte; seconds go to
benchmarks/machines.md.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from competition import make_demo
from competition.utils.files import write_text
from tests.faults.clusters import cluster_of
from tests.faults.runs import predictions

RESULT = Path(__file__).with_suffix(".md")
SOME = 12  # folds that are stored before something is killed


def timed_run(
    ads: Path,
    out: Path,
    options: list[str],
    env: Mapping[str, str] | None = None,
    disturb: Callable[[int], None] | None = None,
) -> float:
    """Run the demo's profile, disturb it in the middle of level 1; return seconds."""
    start = time.perf_counter()
    command = ["run", "--data", str(ads), "--profile", "demo", "--out", str(out), *options]
    run = subprocess.Popen(
        [sys.executable, "-m", "competition", *command],
        env={**os.environ, **(env or {})},
        stdout=subprocess.DEVNULL,
    )
    while disturb is not None and run.poll() is None:
        if len(list(out.glob("oof/*/*/fold_*.parquet"))) >= SOME:
            disturb(run.pid)
            break
        time.sleep(0.2)
    if run.wait():
        raise SystemExit(f"{command} ended with status {run.returncode}")
    return time.perf_counter() - start


def kill_a_job(command: int) -> None:
    """Kill the process of a job."""
    listed = subprocess.run(
        ["pgrep", "-f", "submitit.core._submit"], capture_output=True, text=True, check=True
    )
    os.kill(int(listed.stdout.split()[0]), signal.SIGKILL)


def measure(folder: Path, n_ads: int) -> list[str]:
    """Run everywhere; return the rows of the table."""
    ads = folder / "ads"
    make_demo(ads, n_ads, n_jobs=2)
    outs = {name: folder / name for name in ("local", "ray", "slurm")}
    seconds = {"local": timed_run(ads, outs["local"], ["--jobs", "2"])}
    with cluster_of("a", "b") as cluster:

        def lost(_: int) -> None:
            cluster.kill("b")

        seconds["ray"] = timed_run(ads, outs["ray"], ["--on", "ray"], cluster.env, lost)
    jobs = ["--on", "slurm:local", "--jobs", "2"]
    seconds["slurm"] = timed_run(ads, outs["slurm"], jobs, disturb=kill_a_job)
    expected = predictions(outs["local"])
    told = {
        "local": "`--on local --jobs 2`",
        "ray": "`--on ray`, two nodes of one core, one of them killed",
        "slurm": "`--on slurm:local --jobs 2`, one job killed",
    }
    return [
        f"| {told[name]} | {seconds[name]:.0f} | "
        f"{sum(predictions(out).get(file) == data for file, data in expected.items())} of "
        f"{len(expected)} |"
        for name, out in outs.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--ads", type=int, default=500)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(Path(folder), given.ads)
    head = [
        f"# The demo of {given.ads} training ads on other machines",
        "",
        "`python -m benchmarks.machines`: two cores in all, nothing stored before.",
        "",
        "| run | seconds | predictions and submissions with the same bytes |",
        "|---|---|---|",
    ]
    write_text(RESULT, "\n".join([*head, *rows, ""]))
    print("\n".join(rows))


if __name__ == "__main__":
    main()
