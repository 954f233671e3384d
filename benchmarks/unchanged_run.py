"""The second, unchanged run against the first one, and against importing the libraries alone.

    python -m benchmarks.unchanged_run

Each is a process of its own, as a user starts it; the demo ads are made before the clock starts.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from competition.demo.make import make_demo
from competition.utils.files import write_text

RESULT = Path(__file__).with_suffix(".md")
IMPORTS = "import numpy, pandas, pyarrow.parquet, pydantic, rich, sklearn.base, typer"
REPEATS = 5


def seconds(*arguments: str) -> float:
    """Wall-clock seconds of one Python process."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        ads, out = Path(folder, "ads"), Path(folder, "out")
        make_demo(ads, films=False)
        run = ["-m", "competition", "run", "--data", str(ads), "--profile", "demo"]
        run += ["--out", str(out)]
        first = seconds(*run)
        unchanged = sorted(seconds(*run) for _ in range(REPEATS))
    imports = sorted(seconds("-c", IMPORTS) for _ in range(REPEATS))
    middle = REPEATS // 2
    text = "\n".join(
        [
            "# The second, unchanged run on 500 demo ads",
            "",
            f"Median of {REPEATS} processes, the first run once.",
            "",
            "| | seconds |",
            "|---|---:|",
            f"| first run | {first:.1f} |",
            f"| unchanged run | {unchanged[middle]:.2f} |",
            f"| of which importing the libraries | {imports[middle]:.2f} |",
            "",
            f"Ratio of the first to the unchanged run: {first / unchanged[middle]:.1f}",
            "",
        ]
    )
    print(text)
    write_text(RESULT, text)


if __name__ == "__main__":
    main()
