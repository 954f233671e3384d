"""Many models joined: what is kept is read by the next stack, and never the source of truth."""

import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from competition.config.profile import load_stack_settings
from competition.oof.cards import StackCard, read_card
from competition.pipeline.add_oof import add_oof
from competition.pipeline.joined import room
from competition.pipeline.stack import stack
from competition.utils.errors import StoreError, WriteError
from tests.mounts import mounted
from tests.pipeline.test_stack import MODELS, TAGS, made, write_dataset, write_files

MEAN = load_stack_settings(["level2.model=mean"])
SINGLE = load_stack_settings(["level2.model=single"])
JOINED = "competition.pipeline.joined"


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Ads and an output folder with three models, which count as many."""
    monkeypatch.setattr(f"{JOINED}.LARGE", 100)
    labels, probabilities = made()
    data, out = write_dataset(tmp_path / "bare", labels), tmp_path / "out"
    for name, values in zip(MODELS, probabilities, strict=True):
        add_oof(name, data, *write_files(tmp_path, name, values), out)
    return data, out


def kept(out: Path) -> list[Path]:
    """Files that are kept, the one with the training ads last."""
    return sorted((out / "oof" / "bare" / ".joined").iterdir())


def predicted(out: Path, learner: str) -> tuple[bytes, bytes]:
    folder = out / "oof" / "bare" / f"stack-{learner}"
    frames = [pd.read_parquet(folder / f"{part}.parquet") for part in ("oof", "test")]
    return tuple(frame[TAGS].to_numpy().tobytes() for frame in frames)  # type: ignore[return-value]


def change(path: Path) -> None:
    values = np.fromfile(path, np.float32)
    (1 - values).tofile(path)


def refused(*_: object) -> None:
    raise AssertionError("the models were read once more")


def test_next_stack_reads_what_is_kept_and_predicts_the_same(
    stored: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    data, out = stored
    stack(data, MEAN, out, n_jobs=1)
    first = predicted(out, "mean")
    assert [path.suffix for path in kept(out)] == [".json", ".test", ".train"]
    shutil.rmtree(out / "oof" / "bare" / "stack-mean")
    monkeypatch.setattr("competition.pipeline.stack_input._joined", refused)
    stack(data, MEAN, out, n_jobs=1)
    assert predicted(out, "mean") == first
    assert not list((out / "oof" / "bare").glob(".stacked*"))


@pytest.mark.parametrize("damage", ["folder", "json", "train", "test", "changed", "none"])
def test_what_is_kept_may_be_lost_or_damaged(stored: tuple[Path, Path], damage: str) -> None:
    data, out = stored
    stack(data, MEAN, out, n_jobs=1)
    first = predicted(out, "mean")
    about, test, train = kept(out)
    if damage == "folder":
        shutil.rmtree(about.parent)
    elif damage == "json":
        about.write_text("[]", "utf-8")
    elif damage == "changed":
        change(train)
    elif damage != "none":
        {"train": train, "test": test}[damage].write_bytes(b"short")
    shutil.rmtree(out / "oof" / "bare" / "stack-mean")
    stack(data, MEAN, out, n_jobs=1)
    assert predicted(out, "mean") == first
    assert len(kept(out)) == 3


def test_a_model_that_was_brought_anew_is_read_anew(
    stored: tuple[Path, Path], tmp_path: Path
) -> None:
    data, out = stored
    stack(data, MEAN, out, n_jobs=1)
    before = kept(out)
    _, probabilities = made(seed=1)
    add_oof("eyes", data, *write_files(tmp_path, "eyes", probabilities[0]), out)
    stack(data, MEAN, out, n_jobs=1)
    again = predicted(out, "mean")
    assert not set(before) & set(kept(out))
    assert len(kept(out)) == 3  # of one set of models
    shutil.rmtree(out / "oof" / "bare" / ".joined")
    shutil.rmtree(out / "oof" / "bare" / "stack-mean")
    stack(data, MEAN, out, n_jobs=1)
    assert predicted(out, "mean") == again


def test_other_models_are_not_those_that_are_kept(stored: tuple[Path, Path]) -> None:
    data, out = stored
    stack(data, MEAN, out, n_jobs=1)
    stack(data, SINGLE, out, n_jobs=1, only=["words"])
    card = read_card(out / "oof" / "bare" / "stack-single" / "card.json")
    assert isinstance(card, StackCard)
    assert card.models == ("words",)


def test_predictions_that_differ_from_their_card_stop_a_stack(stored: tuple[Path, Path]) -> None:
    data, out = stored
    stack(data, MEAN, out, n_jobs=1)
    path = out / "oof" / "bare" / "ears" / "oof.parquet"
    frame = pd.read_parquet(path)
    frame[TAGS] = 1 - frame[TAGS]
    frame.to_parquet(path, index=False)
    with pytest.raises(StoreError, match="its content is not what was written"):
        stack(data, SINGLE, out, n_jobs=1)


def test_who_reads_it_goes_on_where_another_removes_it(
    stored: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from competition.pipeline import stack as module

    data, out = stored
    stack(data, SINGLE, out, n_jobs=1)
    first = predicted(out, "single")
    shutil.rmtree(out / "oof" / "bare" / "stack-single")
    read = module.stack_input

    def read_then_removed(*arguments: object) -> object:
        found = read(*arguments)  # type: ignore[arg-type]
        shutil.rmtree(out / "oof" / "bare" / ".joined")
        return found

    monkeypatch.setattr(module, "stack_input", read_then_removed)
    stack(data, SINGLE, out, n_jobs=2)
    assert predicted(out, "single") == first


@pytest.fixture(params=["posix_fallocate", "macOS"])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that can take room on the disk by a call, or by writing alone."""
    monkeypatch.setattr(f"{JOINED}.LARGE", 100)
    monkeypatch.setattr(f"{JOINED}.BLOCK", 3000)
    if request.param == "macOS":
        monkeypatch.delattr(os, "posix_fallocate")


@pytest.mark.usefixtures("system")
def test_room_is_taken_on_the_disk_before_it_is_filled(tmp_path: Path) -> None:
    array = room((10, 10, 100), tmp_path)
    assert isinstance(array, np.memmap)
    assert not array.any()
    (file,) = tmp_path.iterdir()
    assert file.stat().st_size == 40_000
    assert file.stat().st_blocks * 512 >= 40_000


@pytest.mark.usefixtures("system")
def test_room_that_a_full_disk_has_not_is_told(tmp_path: Path) -> None:
    with mounted(tmp_path / "small", "size=64k") as where:
        with pytest.raises(WriteError, match="disk is full"):
            room((10, 100, 100), where)
        assert not [*where.iterdir()]


def test_folder_that_may_only_be_read_leaves_the_array_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{JOINED}.LARGE", 100)
    with mounted(tmp_path / "readonly", "ro,size=64k") as where:
        array = room((10, 10, 10), where)
    assert not isinstance(array, np.memmap)
    assert array.shape == (10, 10, 10)
