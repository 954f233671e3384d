"""Files that are damaged or edited, by seed: what may come of it, and what never may.

Allowed is a run that ends with status 0, or with 2 and one sentence. Never a traceback, never a
hang; and where caches and stores alone are damaged, a run that ends well has the same predictions.
"""

import random
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import numpy as np
import pytest

from tests.cli.calling import Called, called
from tests.conftest import TABLE_TOML, write_table
from tests.faults.runs import predictions

SECONDS = 60  # a run that takes longer hangs
SHORT, CHUNKS = 25, 20
VECTORS = '\n[inputs.vectors]\nkind = "array"\ncolumn = "poster"\n'
PROFILE = """\
models = ["tfidf_logreg", "lightgbm", "probe"]

[folds]
n = 3

[level2]
model = "mean"

[level1.probe]
inputs = ["vectors"]
"""
WITH_BERT = """\

[features.words]
extractor = "bert"
input = "story"
max_tokens = 20
checkpoint = "{}"
"""

Mutation = Callable[[Path, random.Random], None]


def flip(path: Path, draw: random.Random) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(draw.choice((1, 1, 3, 20))):
        if content:
            content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    path.write_bytes(content)


def truncate(path: Path, draw: random.Random) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: draw.randrange(len(content) + 1)])


def empty(path: Path, draw: random.Random) -> None:
    path.write_bytes(b"")


def replace_by_a_folder(path: Path, draw: random.Random) -> None:
    path.unlink()
    path.mkdir()


def delete(path: Path, draw: random.Random) -> None:
    path.unlink()


def double_a_line(path: Path, draw: random.Random) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    if lines:
        place = draw.randrange(len(lines))
        lines.insert(place, lines[place])
    path.write_bytes(b"".join(lines))


def write_a_huge_number(path: Path, draw: random.Random) -> None:
    content = path.read_bytes()
    digits = [place for place, byte in enumerate(content) if 48 <= byte < 58]
    if digits:
        place = draw.choice(digits)
        huge = draw.choice((b"9" * 30, b"9" * 5000, b"-1", b"1e400", b"NaN"))
        content = content[:place] + huge + content[place + 1 :]
    path.write_bytes(content)


MUTATIONS: tuple[Mutation, ...] = (
    *(flip, flip, flip, truncate, empty, replace_by_a_folder, delete),
    *(double_a_line, write_a_huge_number),
)


@dataclass(frozen=True)
class Place:
    """Files of one kind.

    Attributes
    ----------
    pattern : str
        Below the folder that holds ``ads``, ``out``, ``bert`` and ``profile.toml``.
    keeps : bool
        Whether a run that ends well must predict what it did before.
    """

    pattern: str
    keeps: bool


PLACES = {
    "dataset": Place("ads/*.*", keeps=False),
    "arrays": Place("ads/vectors/*", keeps=False),
    "features": Place("out/cache/features/*/*", keeps=True),
    "columns": Place("out/cache/films/*", keeps=True),
    "counted terms": Place("out/cache/films/*/*", keeps=True),
    "digests": Place("out/cache/digests.*", keeps=True),
    "folds": Place("out/oof/films/folds.csv", keeps=False),
    "fold files": Place("out/oof/films/*/fold_*", keeps=True),
    "predictions": Place("out/oof/films/*/*[ft].parquet", keeps=True),
    "cards": Place("out/oof/films/*/card.json", keeps=True),
    "submissions": Place("out/submissions/*", keeps=True),
    "profile": Place("profile.toml", keeps=False),
    "checkpoint": Place("bert/*.json", keeps=False),
}
OF_CACHE = ("features", "columns", "counted terms", "digests")


def run_profile(folder: Path) -> Called:
    arguments = ("--data", folder / "ads", "--profile", folder / "profile.toml")
    return called("run", *arguments, "--out", folder / "out", "--jobs", 1)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path) -> Path:
    """A folder of ads, a profile and all that a run of it leaves."""
    folder = tmp_path_factory.mktemp("mutations") / "finished"
    folder.mkdir()
    ads = write_table(folder / "ads")
    toml = TABLE_TOML.replace('[inputs.poster]\nkind = "image"\ncolumn = "poster"\n', "")
    (ads / "competition.toml").write_text(toml + VECTORS, encoding="utf-8")
    (ads / "vectors").mkdir()
    draw = np.random.default_rng(0)
    for table in ("train", "test"):
        lines = (ads / f"{table}.csv").read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines[1:], start=1):
            ad = line.partition(",")[0]
            np.save(ads / "vectors" / f"{ad}.npy", draw.normal(size=(2, 4)).astype(np.float32))
            lines[number] = line.replace(",", f",vectors/{ad}.npy", 1)
        (ads / f"{table}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    shutil.copytree(tiny_bert, folder / "bert")
    (folder / "profile.toml").write_text(PROFILE, encoding="utf-8")
    done = run_profile(folder)
    assert done.status == 0, done.err
    return folder


@contextmanager
def within(seconds: int) -> Iterator[None]:
    def hang(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"it takes more than {seconds} seconds")

    before = signal.signal(signal.SIGALRM, hang)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def outcome(seed: int, finished: Path, folder: Path) -> tuple[str, str]:
    """Damage one file, run, and say what was damaged and what came of it."""
    draw = random.Random(seed)
    shutil.copytree(finished, folder)
    name = draw.choice(list(PLACES))
    place = PLACES[name]
    if name == "checkpoint":
        with (folder / "profile.toml").open("a", encoding="utf-8") as file:
            file.write(WITH_BERT.format(folder / "bert"))
    path = draw.choice(sorted(file for file in folder.glob(place.pattern) if file.is_file()))
    mutate = draw.choice(MUTATIONS)
    mutate(path, draw)
    if name in OF_CACHE:  # so that models read it
        for model in (folder / "out/oof/films").glob("*/"):
            shutil.rmtree(model)
    what = f"{seed}: {mutate.__name__} {path.relative_to(folder)}"
    try:
        with within(SECONDS):
            done = run_profile(folder)
    except TimeoutError:
        return what, "BAD: hang"
    except Exception as bad:
        return what, f"BAD: traceback, {type(bad).__name__}: {bad}"
    if done.status == 2:
        if not done.err.startswith("Error: ") or "Traceback" in done.err:
            return what, f"BAD: {done.err}"
        if name in OF_CACHE:
            return what, f"BAD: a cache ends a run, {done.err}"
        return what, "one sentence"
    if done.status:
        return what, f"BAD: status {done.status}, {done.err}"
    same = predictions(folder / "out") == predictions(finished / "out")
    if place.keeps and not same:
        return what, "BAD: other predictions"
    return what, "the same predictions" if same else "other predictions from other input"


def check(seeds: range, finished: Path, tmp_path: Path) -> None:
    found = []
    for seed in seeds:
        folder = tmp_path / str(seed)
        found.append(outcome(seed, finished, folder))
        shutil.rmtree(folder)
    print(Counter(came.partition(",")[0] for _, came in found))
    bad = [f"{what}: {came}" for what, came in found if came.startswith("BAD")]
    assert not bad, "\n".join(bad)


def test_damaged_file_never_ends_in_a_traceback_nor_in_silence(
    finished: Path, tmp_path: Path
) -> None:
    check(range(SHORT), finished, tmp_path)


@pytest.mark.faults_long
@pytest.mark.parametrize("chunk", range(1, CHUNKS))
def test_damaged_files_by_the_hundred(chunk: int, finished: Path, tmp_path: Path) -> None:
    check(range(chunk * SHORT, (chunk + 1) * SHORT), finished, tmp_path)
