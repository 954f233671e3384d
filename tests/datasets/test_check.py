import tempfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from competition.datasets.check import check_dataset
from competition.utils.progress import Progress
from tests.cli.calling import called
from tests.conftest import write_csv
from tests.faults.runs import assert_one_sentence
from tests.media.made_films import cut_to, greys, write_film
from tests.media.made_sound import tone, write_sound

TOML = """\
name = "{kind}s"
train = "train.csv"
id = "id"

[[tags]]
column = "tags"
dimension = "tag"

[inputs.{kind}]
kind = "{kind}"
column = "file"
"""


def findings(folder: Path, kind: str, names: list[str]) -> list[tuple[str, str, str]]:
    """Level, kind and ad of all that `check` finds in a dataset of one file per ad."""
    rows = [[name.split(".")[0], name, "xy"[i % 2]] for i, name in enumerate(names)]
    write_csv(folder / "train.csv", ["id", "file", "tags"], rows)
    (folder / "competition.toml").write_text(TOML.format(kind=kind), encoding="utf-8")
    _, problems = check_dataset(folder, 2, Progress())
    return [(p.level, p.kind, p.ad) for p in problems.found if p.kind != "rare tag"]


def test_machine_that_cannot_check_a_file_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No temporary file can be written, to which an array of an archive is unpacked."""
    folder = tmp_path / "ads"
    folder.mkdir()
    names = [f"{n}.npz" for n in range(4)]
    for name in names:
        np.savez(folder / name, features=np.ones((2, 3)))
    assert findings(folder, "array", names) == []
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    done = called("check", folder)
    assert_one_sentence(done)
    assert f"cannot check {folder / '0.npz'}: no temporary file can be written" in done.err
    assert "broken" not in done.out + done.err


def test_check_says_of_each_film_what_a_run_would_meet(tmp_path: Path):
    noise = np.random.default_rng(0).integers(0, 256, (40, 32, 48, 3), dtype=np.uint8)
    sound = tone(440, 4.0)
    write_film(tmp_path / "whole.mp4", noise, rate=10, sound=sound)
    write_film(tmp_path / "mute.mp4", noise, rate=10)
    late = write_film(tmp_path / "part.mp4", noise, rate=10, sound=sound, movflags="faststart")
    cut_to(late, 0.6)
    cut_to(write_film(tmp_path / "torn.mp4", greys([50, 100])), 0.5)
    write_sound(tmp_path / "blind.mp4", sound[None], codec="aac")
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("words", encoding="utf-8")
    write_film(tmp_path / "pixel.mp4", greys([9], 1, 1), codec="png", pix_fmt="rgb24")

    names = ["whole", "mute", "part", "torn", "blind", "empty", "text", "pixel"]

    assert findings(tmp_path, "video", [f"{name}.mp4" for name in names]) == [
        ("warning", "broken file", "blind"),
        ("warning", "broken file", "empty"),
        ("note", "no sound", "mute"),
        ("warning", "damaged file", "part"),
        ("warning", "broken file", "pixel"),
        ("warning", "broken file", "text"),
        ("warning", "broken file", "torn"),
    ]


def test_check_finds_the_images_that_a_run_cannot_convert(tmp_path: Path):
    Image.new("CMYK", (12, 8)).save(tmp_path / "cmyk.jpg")
    Image.fromarray(np.zeros((8, 12), dtype=np.uint16)).save(tmp_path / "deep.png")
    Image.new("1", (9_000, 9_000)).save(tmp_path / "bomb.png")
    Image.new("RGB", (1, 1)).save(tmp_path / "pixel.png")

    found = findings(tmp_path, "image", ["cmyk.jpg", "deep.png", "bomb.png", "pixel.png"])

    assert found == [("warning", "broken file", "bomb"), ("warning", "broken file", "pixel")]


@pytest.mark.parametrize("hole", [np.nan, np.inf])
def test_check_finds_the_arrays_that_a_run_refuses(tmp_path: Path, hole: float):
    np.save(tmp_path / "good.npy", np.zeros((3, 2)))
    np.save(tmp_path / "vector.npy", np.zeros(3))
    np.save(tmp_path / "hole.npy", np.full((3, 2), hole))
    np.save(tmp_path / "objects.npy", np.array([[{}]]))

    found = findings(tmp_path, "array", ["good.npy", "vector.npy", "hole.npy", "objects.npy"])

    assert found == [("warning", "broken file", "hole"), ("warning", "broken file", "objects")]


def test_check_finds_the_same_in_one_process_and_in_two(tmp_path: Path):
    """More files than one process is given at a time; the list keeps the order of the ads."""
    names = [f"{i}.png" for i in range(150)]
    for i, name in enumerate(names):
        if i % 40 == 7:
            (tmp_path / name).write_bytes(b"no picture")
        else:
            Image.new("RGB", (8, 8), (i, i, i)).save(tmp_path / name)
    rows = [[name.split(".")[0], name, "xy"[i % 2]] for i, name in enumerate(names)]
    write_csv(tmp_path / "train.csv", ["id", "file", "tags"], rows)
    (tmp_path / "competition.toml").write_text(TOML.format(kind="image"), encoding="utf-8")

    found = [check_dataset(tmp_path, 2, Progress(), n_jobs)[1].found for n_jobs in (1, 2)]

    assert found[0] == found[1]
    assert [one.ad for one in found[0]] == ["127", "47", "7", "87"]
