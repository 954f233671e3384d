"""A folder's own dataset.json, which any layout may have: its name, and its test ads' true tags.

::

    {"name": "spring_ads", "truth": "truth/tagging_info.txt"}

Both keys are optional.
"""

import json
from dataclasses import replace
from pathlib import Path

from pydantic import Field

from competition.datasets.base import AdDataset
from competition.datasets.paths import SENTENCES, DatasetFolder
from competition.utils.errors import DatasetError
from competition.utils.settings import Settings, parse_settings

FILE = "dataset.json"
NAME = r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$"  # it names folders and files


class Description(Settings):
    """A dataset.json.

    Attributes
    ----------
    name : str or None
        Takes the place of the name that the layout gives.
    truth : str or None
        Path, relative to the folder, of a file that `competition.submission.score.read_truth`
        reads. The tags of the test ads serve for scoring alone.
    license : str or None
        What may be done with the ads, in the owner's words; saved stacks carry it.
    """

    name: str | None = Field(default=None, pattern=NAME)
    truth: str | None = None
    license: str | None = Field(default=None, min_length=1, max_length=1000)


def described(dataset: AdDataset) -> AdDataset:
    """Apply the dataset.json of the dataset's folder, if there is one.

    Raises
    ------
    DatasetError
        If the file is malformed, lies elsewhere or has an unknown key, or `truth` is no file inside
        the folder.
    """
    path = dataset.root / FILE
    if not path.is_symlink() and not path.exists():
        return dataset
    fault = DatasetFolder(dataset.root).path_inside(FILE)
    if fault is not None:
        what = "is a link that leads nowhere" if fault == "absent" else SENTENCES[fault]
        raise DatasetError(f"{path} {what}. Put the file itself there, or remove it.")
    description = parse_settings(Description, _read_object(path), str(path), DatasetError)
    return replace(
        dataset,
        name=description.name or dataset.name,
        truth=None if description.truth is None else _truth(path, description.truth),
        license=description.license or "",
    )


def _read_object(path: Path) -> dict[str, object]:
    try:
        value = json.loads(path.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError as bad:
        raise DatasetError(f"{path} is not UTF-8 at byte {bad.start}. Save it as UTF-8.") from None
    except (ValueError, RecursionError) as bad:  # of its syntax, or endless nesting
        raise DatasetError(f"{path} is not valid JSON: {bad}. Correct or remove it.") from None
    if not isinstance(value, dict):
        raise DatasetError(
            f'{path} does not hold an object. Write it like {{"name": "ads", "truth": "test.csv"}}.'
        )
    return value


def _truth(description: Path, relative: str) -> Path:
    root = description.parent
    fault = DatasetFolder(root).path_inside(relative)
    if fault in ("absent", "no regular file"):
        raise DatasetError(
            f"{description}: truth = {relative!r}: there is no such file. Correct the path, which "
            f"is relative to {root}, or remove the key."
        )
    if fault is not None:
        raise DatasetError(
            f"{description}: truth = {relative!r} {SENTENCES[fault]}. Copy the file into it."
        )
    return (root / relative).resolve()
