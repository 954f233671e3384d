"""A folder's own dataset.json, in every layout."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from competition.datasets import load_dataset
from competition.utils.errors import DatasetError
from tests.conftest import write_csv, write_table
from tests.datasets.made_taac2021 import write_taac2021
from tests.made_pitt import write_pitt

LAYOUTS: dict[str, Callable[[Path], Path]] = {
    "taac2021": write_taac2021,
    "pitt_ads": write_pitt,
    "films": write_table,
}


def describe(folder: Path, description: object) -> None:
    (folder / "dataset.json").write_text(json.dumps(description), encoding="utf-8")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_folder_without_it_has_the_name_of_its_layout_and_no_truth(
    layout: str, tmp_path: Path
) -> None:
    dataset = load_dataset(LAYOUTS[layout](tmp_path / "ads"))
    assert dataset.name == layout
    assert dataset.truth is None


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_takes_name_and_truth_from_it(layout: str, tmp_path: Path) -> None:
    folder = LAYOUTS[layout](tmp_path / "ads")
    (folder / "truth.csv").write_text("id,tags\n", encoding="utf-8")
    plain = load_dataset(folder)
    describe(folder, {"name": "spring_ads", "truth": "truth.csv"})
    dataset = load_dataset(folder)
    assert dataset.name == "spring_ads"
    assert dataset.truth == (folder / "truth.csv").resolve()
    assert dataset.ads.equals(plain.ads)
    assert (dataset.labels == plain.labels).all()


def test_both_keys_are_optional(table: Path) -> None:
    describe(table, {})
    assert load_dataset(table).name == "films"
    describe(table, {"name": "posters"})
    assert load_dataset(table).truth is None


def test_files_of_an_older_demo_mean_nothing_to_the_reader(tmp_path: Path) -> None:
    folder = write_taac2021(tmp_path / "ads")
    (folder / "demo.json").write_text("{}", encoding="utf-8")
    (folder / "truth").mkdir()
    (folder / "truth" / "tagging_info.txt").write_text("t.mp4\t室内\n", encoding="utf-8")
    dataset = load_dataset(folder)
    assert (dataset.name, dataset.truth) == ("taac2021", None)


FAULTS: dict[str, tuple[str, str]] = {
    "unknown key": ('{"nmae": "x"}', r"unknown key nmae\. Did you mean 'name'\?"),
    "path outside": ('{"truth": "../train.csv"}', r"truth = '../train.csv' leaves the .* Copy"),
    "absolute path": ('{"truth": "/etc/hostname"}', "leaves the dataset's folder"),
    "absent file": ('{"truth": "test.json"}', "there is no such file. Correct the path"),
    "folder": ('{"truth": "."}', "there is no such file"),
    "name with a slash": ('{"name": "a/b"}', "name = 'a/b'"),
    "number for a name": ('{"name": 3}', "name = 3"),
    "no object": ('["name"]', "does not hold an object. Write it like"),
    "no JSON": ('{"name": ', "is not valid JSON: .* line 1"),
    "no UTF-8": ('{"name": "\udcff"}', "is not UTF-8 at byte 10. Save it as UTF-8"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_fault_is_named_with_its_file(case: str, table: Path) -> None:
    text, message = FAULTS[case]
    path = table / "dataset.json"
    path.write_bytes(text.encode("utf-8", errors="surrogateescape"))
    with pytest.raises(DatasetError, match=message) as error:
        load_dataset(table)
    assert str(path) in str(error.value)


def test_score_on_the_command_line_uses_the_truth_it_names(table: Path, tmp_path: Path) -> None:
    tests = [f"testad{i}" for i in range(9)]
    write_csv(table / "truth.csv", ["id", "genres", "moods"], [[ad, "War", ""] for ad in tests])
    describe(table, {"truth": "truth.csv"})
    tags = load_dataset(table).tag_names
    scores = [[ad, *("0.9" if tag == "War" else "0.1" for tag in tags)] for ad in tests]
    write_csv(tmp_path / "submission.csv", ["id", *tags], scores)
    command = ["score", str(tmp_path / "submission.csv"), "--data", str(table)]
    done = subprocess.run(
        [sys.executable, "-m", "competition", *command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "1.0000" in done.stdout


def test_it_is_a_file_inside_the_folder(table: Path, tmp_path: Path) -> None:
    path, secret = table / "dataset.json", tmp_path / "secret"
    secret.write_text("root:x:0")
    path.symlink_to(secret)
    with pytest.raises(DatasetError, match="leaves the dataset's folder"):
        load_dataset(table)
    path.unlink()
    path.symlink_to(path)
    with pytest.raises(DatasetError, match="is a link that leads nowhere"):
        load_dataset(table)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(DatasetError, match="is a folder, a device or a pipe"):
        load_dataset(table)
    path.unlink()
    path.mkdir()
    with pytest.raises(DatasetError, match="is a folder, a device or a pipe"):
        load_dataset(table)
