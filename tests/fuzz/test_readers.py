"""Whatever a user's file holds, a command succeeds or says what is wrong and exits with status 2.

Any other exception is a defect. Each door is a file that a command reads; it is replaced by altered
ones. CONTRIBUTING.md says how to let these tests run for hours.
"""

import io
import json
import tomllib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st

from competition.config.profile import PROFILES
from tests.cli.calling import call, called
from tests.conftest import TABLE_TOML, TRAIN_HEADER, table_rows, write_csv, write_table
from tests.datasets.made_taac2021 import TRAIN, write_taac2021, write_text
from tests.fuzz import inputs
from tests.fuzz.budget import fuzz
from tests.made_pitt import write_pitt

TAGS = ["Long", "Love", "Space", "War", "dark"]
ROWS = table_rows(12)
SCORES = [[row[0], *(f"0.{i + 1}" for i in range(5))] for row in ROWS]


@dataclass(frozen=True)
class Door:
    """A file that a command reads.

    Attributes
    ----------
    file : str
        Path of the file below the folder that `make` fills.
    command : tuple of str
        Called from that folder.
    make : callable
        Fills a folder with a valid dataset and the file.
    others : SearchStrategy of bytes, optional
        Contents beside mutations of the valid one.
    n : int
        Examples of a normal run.
    """

    file: str
    command: tuple[str, ...]
    make: Callable[[Path], object]
    others: st.SearchStrategy[bytes] | None = None
    n: int = 15


def films(folder: Path, *, test_ads: bool = True) -> Path:
    """A small table: 12 training ads, 3 test ads or none."""
    write_table(folder / "films")
    write_csv(folder / "films" / "train.csv", TRAIN_HEADER, ROWS)
    write_csv(
        folder / "films" / "test.csv", TRAIN_HEADER[:6], [["t" + r[0], *r[1:6]] for r in ROWS[:3]]
    )
    if not test_ads:
        toml = TABLE_TOML.replace('test = "test.csv"\n', "")
        (folder / "films" / "competition.toml").write_text(toml, encoding="utf-8")
    return folder / "films"


def table_in(name: str, write: Callable[[pd.DataFrame, Path], object]) -> Callable[[Path], object]:
    """Write the training ads as another kind of table."""

    def make(folder: Path) -> None:
        path = films(folder) / "competition.toml"
        toml = TABLE_TOML.replace('"train.csv"', f'"{name}"')
        path.write_text(toml, encoding="utf-8")
        write(pd.DataFrame(ROWS, columns=TRAIN_HEADER), path.with_name(name))

    return make


def with_file(name: str, content: bytes, *, test_ads: bool = True) -> Callable[[Path], object]:
    def make(folder: Path) -> None:
        films(folder, test_ads=test_ads)
        (folder / name).write_bytes(content)

    return make


def as_json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=True).encode()


def as_toml(document: dict[str, Any]) -> bytes:
    lines = [
        f"{inputs.plain_toml(key)} = {inputs.plain_toml(one)}" for key, one in document.items()
    ]
    return "\n".join(lines).encode("utf-8", "replace")


def as_csv(header: list[str], rows: list[list[str]]) -> bytes:
    return "\n".join(",".join(row) for row in [header, *rows]).encode() + b"\n"


def vectors(folder: Path) -> None:
    """Twelve ads with an array each."""
    (folder / "films").mkdir()
    write_csv(
        folder / "films" / "train.csv",
        ["id", "vector", "tag"],
        [[f"ad{i}", f"v{i}.npz", "ab"[i % 2]] for i in range(12)],
    )
    for i in range(12):
        np.savez(folder / "films" / f"v{i}.npz", features=np.ones((2, 3), dtype=np.float32))
    (folder / "films" / "competition.toml").write_text(
        'name = "vectors"\ntrain = "train.csv"\n[[tags]]\ncolumn = "tag"\ndimension = "tag"\n'
        '[inputs.vector]\nkind = "array"\ncolumn = "vector"\n',
        encoding="utf-8",
    )


def predictions(
    write: Callable[[pd.DataFrame, Path], object], name: str
) -> Callable[[Path], object]:
    def make(folder: Path) -> None:
        films(folder, test_ads=False)
        frame = pd.DataFrame([[r[0], *map(float, r[1:])] for r in SCORES], columns=["id", *TAGS])
        write(frame, folder / name)

    return make


def npz_of(frame: pd.DataFrame, path: Path) -> None:
    ids, tags = np.array(frame["id"].tolist()), np.array(TAGS)
    np.savez(path, ids=ids, tags=tags, probabilities=frame[TAGS].to_numpy())


def saved(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def run_once(folder: Path) -> None:
    """A store with one level-1 model."""
    films(folder)
    settings = ['models=["tfidf_logreg"]', "level2.model='mean'", "folds.n=2"]
    words = [word for one in settings for word in ("--set", one)]
    call("run", "--data", "films", "--jobs", 1, *words, cwd=folder)


def card() -> dict[str, Any]:
    """What the card of a level-1 model is like."""
    scores = {"gap": 0.5, "map": 0.5, "f1_c": 0.5, "f1_o": 0.5}
    return {"model": "m", "kind": "level1", "scores": scores, "files": {}, "versions": {}, "n": [1]}


TOML = tomllib.loads(TABLE_TOML)
TAAC = {
    f"{ad}.mp4": {"result": [{"labels": TAGS, "scores": ["0.5"] * 5}]}
    for ad in ("tad0", "tad1", "tad2")
}
CHECK = ("check", "films", "--all")
SCORE = ("score", "scores", "--data", "films", "--truth", "truth.csv")
TRUTH = as_csv(["id", "genres", "moods"], [[f"tad{i}", "War|Long", "dark"] for i in range(3)])
MEMBER = st.one_of(inputs.npys(), st.just(saved(np.ones((2, 3)))))


def scored(content: bytes) -> Callable[[Path], object]:
    def make(folder: Path) -> None:
        films(folder)
        (folder / "scores").write_bytes(content)
        (folder / "truth.csv").write_bytes(TRUTH)

    return make


def taac(folder: Path) -> None:
    """A folder in the layout of TAAC 2021 without a fault."""
    write_text(write_taac2021(folder), TRAIN, "c", {"video_ocr": "字幕", "video_asr": "声音"})


DOORS = {
    "table": Door("films/train.csv", CHECK, films, inputs.tables(TRAIN_HEADER, ROWS), 15),
    "JSON lines": Door(
        "films/train.jsonl",
        CHECK,
        table_in("train.jsonl", lambda f, p: f.to_json(p, orient="records", lines=True)),
        st.lists(
            inputs.altered({"id": "a", "genres": "War", "title": ["x"], "year": 3}), max_size=4
        ).map(lambda rows: b"\n".join(map(as_json, rows))),
    ),
    "parquet": Door(
        "films/train.parquet",
        CHECK,
        table_in("train.parquet", lambda frame, path: frame.to_parquet(path, index=False)),
        inputs.parquets(TRAIN_HEADER, 5),
        25,
    ),
    "Excel": Door(
        "films/train.xlsx",
        CHECK,
        table_in("train.xlsx", lambda frame, path: frame.to_excel(path, index=False)),
        n=8,
    ),
    "competition.toml": Door(
        "films/competition.toml", CHECK, films, inputs.altered(TOML).map(as_toml), 25
    ),
    "list of tags": Door(
        "films/names.txt",
        CHECK,
        lambda folder: (
            films(folder),
            (folder / "films" / "names.txt").write_text(
                "War\nLove\nSpace\nLong\n", encoding="utf-8"
            ),
            (folder / "films" / "competition.toml").write_text(
                TABLE_TOML.replace('separator = "|"', 'separator = "|"\nnames = "names.txt"'),
                encoding="utf-8",
            ),
        ),
        n=8,
    ),
    "dataset.json": Door(
        "films/dataset.json",
        CHECK,
        with_file("films/dataset.json", b'{"name": "ads", "truth": "test.csv"}'),
        inputs.altered({"name": "ads", "truth": "test.csv"}).map(as_json),
    ),
    "profile": Door(
        "own.toml",
        ("extract", "--data", "films", "--profile", "own.toml"),
        with_file("own.toml", (PROFILES / "text.toml").read_bytes()),
        inputs.altered(
            {
                **tomllib.loads((PROFILES / "text.toml").read_text(encoding="utf-8")),
                "level1": {"tfidf_logreg": {"C": 1.0, "inputs": ["story"], "ngram_range": [1, 2]}},
                "features": {"small": {"extractor": "thumbnails", "input": "poster", "side": 3}},
                "level2": {"model": "dnn", "hidden": [3], "epochs": 1.5, "metadata": ["year"]},
                "seed": 3,
                "kinds": ["text"],
                "folds": {"n": 3, "seed": 0},
            }
        ).map(as_toml),
        25,
    ),
    "folds.csv": Door(
        "oof/films/folds.csv",
        ("folds", "films"),
        lambda folder: (films(folder), call("folds", "films", "--n", 3, cwd=folder)),
        inputs.tables(["id", "fold"], [[row[0], str(i % 3)] for i, row in enumerate(ROWS)]),
        15,
    ),
    "card": Door(
        "oof/films/tfidf_logreg/card.json",
        ("stack", "--data", "films", "--set", "level2.model='mean'"),
        run_once,
        inputs.altered(card()).map(as_json),
        4,
    ),
    "submission, wide": Door(
        "scores",
        SCORE,
        scored(as_csv(["id", *TAGS], [[f"tad{i}", *["0.5"] * 5] for i in range(3)])),
        inputs.tables(["id", *TAGS], [[f"tad{i}", *["0.5"] * 5] for i in range(3)]),
        15,
    ),
    "submission, pairs": Door(
        "scores",
        SCORE,
        scored(b"VideoId,LabelConfidencePairs\ntad0,War 0.5 Long 0.25\ntad1,Love 1\ntad2,War 1\n"),
    ),
    "submission, JSON": Door(
        "scores", SCORE, scored(as_json(TAAC)), inputs.altered(TAAC).map(as_json)
    ),
    "truth": Door(
        "truth.csv",
        SCORE,
        scored(as_json(TAAC)),
        inputs.tables(["id", "genres", "moods"], [[f"tad{i}", "War", "dark"] for i in range(3)]),
    ),
    "predictions, CSV": Door(
        "oof.csv",
        ("add-oof", "other", "--data", "films", "--oof", "oof.csv"),
        predictions(lambda frame, path: frame.to_csv(path, index=False), "oof.csv"),
        inputs.tables(["id", *TAGS, "fold"], [[*row, "1"] for row in SCORES]),
    ),
    "predictions, parquet": Door(
        "oof.parquet",
        ("add-oof", "other", "--data", "films", "--oof", "oof.parquet"),
        predictions(lambda frame, path: frame.to_parquet(path), "oof.parquet"),
        inputs.parquets(["id", *TAGS, "fold"], 12),
        15,
    ),
    "predictions, NPZ": Door(
        "oof.npz",
        ("add-oof", "other", "--data", "films", "--oof", "oof.npz"),
        predictions(npz_of, "oof.npz"),
        inputs.archives(
            {
                "ids": MEMBER | st.just(saved(np.array([row[0] for row in ROWS]))),
                "tags": MEMBER | st.just(saved(np.array(TAGS))),
                "probabilities": MEMBER | st.just(saved(np.full((12, 5), 0.5))),
                "fold": MEMBER,
            }
        ),
        15,
    ),
    "array": Door(
        "films/v3.npz", CHECK, vectors, inputs.npys() | inputs.archives({"features": MEMBER}), 25
    ),
    "TAAC tag list": Door("label_id.txt", ("check", "."), taac, n=10),
    "TAAC truth": Door("tagging/GroundTruth/tagging_info.txt", ("check", "."), taac, n=10),
    "TAAC texts": Door(
        f"{TRAIN}/text_txt/tagging/a.txt",
        ("check", "."),
        taac,
        inputs.altered({"video_ocr": "a", "video_asr": "b"}).map(as_json),
        10,
    ),
    "Pitt votes": Door(
        "Topics.json",
        ("check", "."),
        lambda folder: write_pitt(folder, 12),
        inputs.altered({f"{i % 11}/{1000 + i}.jpg": ["1", "9"] for i in range(12)}).map(as_json),
        10,
    ),
    "Pitt list": Door(
        "Sentiments_List.txt", ("check", "."), lambda folder: write_pitt(folder, 12), n=8
    ),
}
N_TESTS = len(DOORS) + 1


def remembered(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def restore(folder: Path, files: dict[Path, bytes]) -> None:
    """Put a folder's files back as they were, where a command has changed them."""
    for path in [one for one in folder.rglob("*") if one.is_file()]:
        if path not in files:
            path.unlink()
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file() or path.read_bytes() != content:
            path.write_bytes(content)


def allowed(*command: object, cwd: Path) -> None:
    """Call a command that may succeed or name a user's error, and nothing else."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        done = called(*command, cwd=cwd)
    assert done.status in (0, 2)
    if done.status == 2:
        assert done.err.startswith("Error: ") or "error" in done.out


@pytest.mark.parametrize("name", DOORS)
def test_file_is_read_or_refused_in_words(tmp_path: Path, name: str) -> None:
    door, folder = DOORS[name], tmp_path / "work"
    folder.mkdir()
    door.make(folder)
    files = remembered(folder)
    path = folder / door.file
    assert not called(*door.command, cwd=folder).err, "the valid file itself is refused"
    contents = inputs.mutated(files[path])

    def check(content: bytes) -> None:
        restore(folder, files)
        path.write_bytes(content)
        allowed(*door.command, cwd=folder)

    strategy = contents if door.others is None else door.others | contents
    fuzz(name, strategy, check, door.n, N_TESTS)


KEYS = st.sampled_from(
    (
        *(
            "seed",
            "folds.n",
            "folds.seed",
            "models",
            "kinds",
            "plugins",
            "level2",
            "level1",
            "level2.model",
        ),
        *(
            "level1.tfidf_logreg.C",
            "level1.tfidf_logreg",
            "level1.dnn.x",
            "level2.metadata",
            "features",
        ),
        *("level2.dnn.hidden", "level2.epochs", "features.small.extractor", "features.small.side"),
    )
)


def test_setting_is_taken_or_refused_in_words(tmp_path: Path) -> None:
    films(tmp_path)
    command = ("extract", "--data", "films", "--profile", "text")
    texts = st.sampled_from([text for text in inputs.NASTY_TEXTS if len(text) < 10_000])
    values = inputs.VALUES.map(inputs.plain_toml) | texts | st.text(max_size=9)
    strategy = st.lists(st.tuples(KEYS | st.text(max_size=9), values), min_size=1, max_size=3)

    def check(given: list[tuple[str, str]]) -> None:
        words = [word for key, value in given for word in ("--set", f"{key}={value}")]
        allowed(*command, *words, cwd=tmp_path)

    fuzz("--set", strategy, check, 25, N_TESTS)
