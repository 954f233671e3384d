"""`competition init`: look at a folder of files, and describe it in a competition.toml."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from competition.datasets.base import RESERVED
from competition.datasets.guess import (
    Guess,
    are_numbers,
    guess_column,
    guess_group,
    guess_id,
    guess_separator,
    kind_of,
    tag_columns_of,
)
from competition.datasets.paths import DatasetFolder
from competition.datasets.problems import Problems
from competition.datasets.reading import read_table
from competition.datasets.remote import is_url, shown
from competition.datasets.table_config import CONFIG
from competition.datasets.table_rows import Table
from competition.utils.errors import DatasetError
from competition.utils.files import PathLike

TABLES = re.compile(r"\.(csv|tsv|jsonl|ndjson|json|parquet|xlsx)(\.(gz|zip|zst))?$", re.IGNORECASE)
SAMPLE = re.compile(r"sample|submission", re.IGNORECASE)
MOST_FILES = 10_000
VALUES = ("metadata", "flag")  # kinds of columns that go by their own names


@dataclass
class _Found:
    """What is found in a folder, and what is to be said about it."""

    root: Path
    lines: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)


def init(folder: PathLike) -> Path:
    """Write a competition.toml that says what the tables of a folder probably hold.

    What is not sure stands in it as a comment. Nothing is overwritten.

    Returns
    -------
    Path
        The file that is written.

    Raises
    ------
    DatasetError
        If there is a competition.toml already, or no table from which ads and tags can be seen.
    """
    root = Path(folder)
    path = root / CONFIG
    if is_url(folder):
        raise DatasetError(
            f"{CONFIG} is written into the folder of the ads, and {shown(folder)} is none of this "
            "machine: pass a copy of it that is."
        )
    if not root.is_dir():
        raise DatasetError(f"There is no folder {root}. Pass the folder of the ads.")
    if path.exists():
        raise DatasetError(f"{path} is there already, and stays as it is. Remove it to begin anew.")
    text = _describe(_Found(root))
    with path.open("x", encoding="utf-8", newline="\n") as file:
        file.write(text)
    return path


def _describe(found: _Found) -> str:
    tables, encodings = _tables(found)
    train, test, labels = _roles(found, tables)
    used = {encodings[table.name] for table in (train, test, labels) if table is not None}
    frame = train.cells
    split = _split_column(train) if test is None else None
    test_cells = None if test is None else test.cells
    ad = guess_id(frame, test_cells)
    if ad is None:
        raise DatasetError(
            f"{found.root / train.name}: no column has another text in every row, as an id has. "
            "Add a column id."
        )
    folder = DatasetFolder(found.root)
    names = [str(name) for name in frame.columns if name not in (ad, split)]
    guesses = [guess_column(name, frame[name], folder) for name in names]
    others = set() if test_cells is None else set(map(str, test_cells.columns))
    listed, flags = ([], []) if labels is not None else tag_columns_of(frame, others, guesses)
    head = [f"name = {_quoted(_name(found.root))}", f"train = {_quoted(train.name)}"]
    if test is not None:
        head.append(f"test = {_quoted(test.name)}")
    elif split is not None:
        head.append(f"split = {_quoted(split)}")
    else:
        found.doubts.append("No table of test ads was found: add `test = FILE` where there is one.")
    head.append(f"id = {_quoted(ad)}")
    group = guess_group(frame, [name for name in names if name not in (*listed, *flags)])
    if group is not None:
        head.append(f"group = {_quoted(group)}  # ads of one {group} share a fold")
    if used != {""} and len(used) == 1:
        head.append(f"encoding = {_quoted(used.pop())}")
    elif used != {""}:
        read = ", ".join(f"{name} is read as {one}" for name, one in encodings.items() if one)
        found.doubts.append(f"{read}, and not every table is: save them all as UTF-8.")
    blocks = [_tag_block(found, frame, name) for name in listed]
    if flags:
        blocks.append(
            [
                "[[tags]]",
                f"columns = {_list(flags)}  # a column of 0 and 1 per tag",
                'dimension = "tag"',
            ]
        )
    if labels is not None:
        blocks += _label_blocks(found, labels, ad)
    if not blocks:
        raise DatasetError(
            f"{found.root / train.name}: no column looks like tags: one with names that occur "
            "again and again, which the test table lacks, or columns of 0 and 1. Write the "
            f"{CONFIG} by hand; docs/data.md shows how."
        )
    tags = {*listed, *flags}
    kept = [one for one in guesses if one.name not in tags and one.name != group]
    if others:
        absent = [one.name for one in kept if one.name not in others]
        if absent:
            found.doubts.append(f"Not in the test table, so left out: {', '.join(absent)}.")
        kept = [one for one in kept if one.name in others]
    reserved = [one.name for one in kept if one.kind in VALUES and one.name in RESERVED]
    if reserved:
        text = "a name that the ads need for themselves. Rename the column to use it."
        found.doubts.append(f"{', '.join(reserved)}: left out, {text}")
        kept = [one for one in kept if one.name not in reserved]
    blocks += _inputs(found, kept)
    comments = [f"# {line}" for line in found.doubts]
    intro = ["# Guessed from the files of this folder: correct what is wrong.", *comments, *head]
    return "\n\n".join("\n".join(block) for block in [intro, *blocks]) + "\n"


def _tables(found: _Found) -> tuple[list[Table], dict[str, str]]:
    """Read the tables of the folder; return them, and by name their encodings ("" for UTF-8)."""
    paths = sorted(
        path
        for path in found.root.iterdir()
        if path.is_file() and TABLES.search(path.name) and not path.name.startswith(".")
    )
    tables: list[Table] = []
    encodings: dict[str, str] = {}
    for path in paths:
        if SAMPLE.search(path.name):
            found.doubts.append(f"{path.name}: for `run --like`, if it is a sample submission.")
            continue
        problems = Problems()
        table = read_table(path, path.name, [], problems)
        if len(table.lines) and not problems.errors:
            tables.append(table)
            told = [p.text for p in problems.found if p.kind == "not UTF-8"]
            encodings[table.name] = "".join(re.findall(r'encoding = "([^"]+)"', " ".join(told)))
        elif problems.errors:
            found.doubts.append(f"{path.name} is left out: {problems.errors[0]}")
    if not tables:
        raise DatasetError(
            f"{found.root} holds no table that can be read (CSV, Parquet, JSON lines, Excel). Add "
            "one with a row for each ad: its id, its tags, and its texts or the paths of its files."
        )
    return tables, encodings


def _roles(found: _Found, tables: list[Table]) -> tuple[Table, Table | None, Table | None]:
    """Say which table has the training ads, the test ads, and the tags, if these lie apart."""
    tests = [table for table in tables if re.search("test", table.name, re.IGNORECASE)]
    others = [table for table in tables if table not in tests]
    if not others:
        raise DatasetError(f"{found.root} holds tables of test ads alone. Add the training ads.")
    named = [table for table in others if re.search("train", table.name, re.IGNORECASE)]
    apart = [t for t in others if re.search("label|tag|truth|target", t.name, re.IGNORECASE)]
    ads = [table for table in named if table not in apart] or [t for t in others if t not in apart]
    train = max(ads or others, key=lambda table: table.cells.shape[1])
    test = max(tests, key=lambda table: table.cells.shape[1], default=None)
    ad = guess_id(train.cells, None if test is None else test.cells)
    fitting = [
        table
        for table in apart
        if table is not train
        and ad in table.cells
        and table.cells[ad].isin(train.cells[ad]).mean() > 0.5
    ]
    labels = fitting[0] if fitting else None
    for table in tables:
        if table not in (train, test) and table is not labels:
            found.doubts.append(f"{table.name} is a table, too, and is not used.")
    return train, test, labels


def _split_column(train: Table) -> str | None:
    for name in train.cells.columns:
        if set(train.cells[name].str.lower()) == {"train", "test"}:
            return str(name)
    return None


def _tag_block(found: _Found, frame: pd.DataFrame, name: str, file: str | None = None) -> list[str]:
    cells = frame[name]
    separator = guess_separator(cells)
    lines = ["[[tags]]", f"column = {_quoted(name)}", f"dimension = {_quoted(_singular(name))}"]
    if separator is not None:
        lines.append(f"separator = {_quoted(separator)}")
    if file is not None:
        lines.append(f"file = {_quoted(file)}")
    if are_numbers(cells):
        found.doubts.append(f"{name}: numbers are taken for classes, each of them a tag.")
    if separator == " ":
        found.doubts.append(f"{name}: tags are taken to be separated by spaces.")
    return lines


def _label_blocks(found: _Found, labels: Table, ad: str) -> list[list[str]]:
    names = [str(name) for name in labels.cells.columns if name != ad]
    folder = DatasetFolder(found.root)
    guesses = [guess_column(name, labels.cells[name], folder) for name in names]
    flags = [guess.name for guess in guesses if guess.kind == "flag"]
    blocks = [
        _tag_block(found, labels.cells, name, labels.name) for name in names if name not in flags
    ]
    if flags:
        head = ["[[tags]]", f"columns = {_list(flags)}"]
        blocks.append([*head, 'dimension = "tag"', f"file = {_quoted(labels.name)}"])
    return blocks


def _inputs(found: _Found, guesses: Sequence[Guess]) -> list[list[str]]:
    """Describe the inputs: files each on their own, texts together, and so metadata."""
    found.doubts += [guess.doubt for guess in guesses if guess.doubt]
    constant = [guess.name for guess in guesses if guess.kind == "constant" and not guess.doubt]
    if constant:
        found.doubts.append(f"One value or none, so left out: {', '.join(constant)}.")
    texts = [guess.name for guess in guesses if guess.kind == "text"]
    metadata = [guess.name for guess in guesses if guess.kind in VALUES]
    blocks, taken = [], set(metadata)
    for guess in guesses:
        if guess.kind in ("image", "video", "audio", "array"):
            block = [
                f"[inputs.{_key(_free(guess.name, taken))}]",
                f"kind = {_quoted(guess.kind)}",
                f"column = {_quoted(guess.name)}",
            ]
            if guess.separator is not None:
                block.append(f"separator = {_quoted(guess.separator)}  # several files per ad")
            blocks.append(block)
    if texts:
        name = _free("text", taken)
        blocks.append([f"[inputs.{name}]", 'kind = "text"', f"columns = {_list(texts)}"])
    if metadata:
        blocks.append(["[inputs.about]", 'kind = "metadata"', f"columns = {_list(metadata)}"])
    if not any(guess.kind in ("image", "video", "audio", "array") for guess in guesses):
        files = [path for path, _ in zip(found.root.glob("*/*"), range(MOST_FILES), strict=False)]
        folders = sorted({path.parent.name for path in files if kind_of(path.name) is not None})
        if folders:
            found.doubts.append(
                f"The folders {', '.join(folders)} hold media, and no column names their files: "
                "add one with the path of each ad's file, or folder, below this one."
            )
    return blocks


def _free(name: str, taken: set[str]) -> str:
    """Return the name, with a suffix where it is taken or reserved."""
    while name in taken or name in RESERVED:
        name += "_input"
    taken.add(name)
    return name


def _name(root: Path) -> str:
    name = re.sub(r"[^A-Za-z0-9_.-]+", "_", root.resolve().name).strip("_.-")
    return name or "ads"


def _singular(name: str) -> str:
    if name.lower().endswith("ies"):
        return name[:-3] + "y"
    return name[:-1] if name.lower().endswith("s") and not name.lower().endswith("ss") else name


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _quoted(name)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _list(names: Sequence[str]) -> str:
    return json.dumps(list(names), ensure_ascii=False)
