"""Small folders in the table layout, with a row of one's own making."""

from collections.abc import Sequence
from pathlib import Path

from competition.datasets import read_dataset
from competition.datasets.base import AdDataset
from competition.datasets.problems import Problems
from tests.conftest import write_csv

TOML = """\
name = "small"
train = "train.csv"
{top}
[[tags]]
dimension = "topic"
{tags}

[inputs.words]
kind = "text"
column = "title"
{inputs}
"""


def write_small(
    folder: Path,
    columns: dict[str, Sequence[str]],
    *,
    top: str = "",
    tags: str = 'column = "tags"',
    inputs: str = "",
) -> Path:
    """Write a dataset with an id, a title and further columns; tags where none are given."""
    folder.mkdir(exist_ok=True)
    n = len(next(iter(columns.values())))
    every = {
        "id": [f"a{i:03}" for i in range(n)],
        "title": [f"offer {i}" for i in range(n)],
        "tags": ["xy"[i % 2] for i in range(n)],
        **columns,
    }
    write_csv(
        folder / "train.csv", list(every), [list(row) for row in zip(*every.values(), strict=True)]
    )
    toml = TOML.format(top=top, tags=tags, inputs=inputs)
    (folder / "competition.toml").write_text(toml, encoding="utf-8")
    return folder


def read_small(folder: Path) -> tuple[AdDataset, list[tuple[str, str, str]]]:
    """Return the dataset, and level, kind and text of what is wrong with it."""
    problems = Problems()
    dataset = read_dataset(folder, problems)
    return dataset, [(p.level, p.kind, str(p)) for p in problems.found]
