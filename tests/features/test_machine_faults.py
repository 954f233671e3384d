"""A fault of the machine is not stored as one of the ad: it ends the extraction in one sentence."""

import errno
import os
import resource
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from competition.features.base import Extractor, Item, attempt
from competition.features.chunked import ChunkedExtractor, Network
from competition.features.frame_stream import frame_stream
from competition.features.run import extract_missing
from competition.features.store import FeatureStore
from competition.media.arrays import read_array
from competition.media.images import read_image
from competition.utils.errors import FeatureError, MediaError
from tests.mounts import mounted
from tests.recorded import Recorded

SETTINGS = {"extractor": "brightness", "version": 1, "parameters": {}, "files": []}
MACHINES = ["ENOSPC", "EDQUOT", "EIO", "ESTALE", "EMFILE", "ENFILE", "ENOMEM", "EROFS", "EAGAIN"]


class Brightness(Extractor):
    """Mean of a picture; a picture of 9 pixels' width meets what `fails` says."""

    shard = 8

    def __init__(self, fails: str = "", scratch: str = "", device: str = "cpu") -> None:
        self.fails = fails
        self.scratch = scratch
        self.device = device

    def extract_one(self, item: Item) -> np.ndarray:
        picture = np.asarray(read_image(item.path))
        if picture.shape[1] == 9:
            fail(self.fails)
            if self.scratch:
                Path(self.scratch, "pixels").write_bytes(b"0" * 2**20)
        return np.full((1, 1), picture.mean(), dtype=np.float32)


def fail(how: str) -> None:
    if how == "MemoryError":
        raise MemoryError
    if how == "wrapped":
        raise MediaError("it is damaged") from MemoryError()
    if how == "torch":
        torch.empty(2**60)
    if how == "torch on a card":
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB.")
    if how:
        number = getattr(errno, how)
        raise OSError(number, os.strerror(number))


def fails_at_nine(picture: np.ndarray) -> np.ndarray:
    if picture.shape[1] == 9:
        fail("EIO")
    return picture.mean(axis=(0, 1))


class Chunks(ChunkedExtractor):
    """A chunk an ad; reading that of 9 pixels' width fails."""

    batch_size = 2

    def read(self, item: Item) -> Iterator[np.ndarray]:
        yield fails_at_nine(np.asarray(read_image(item.path)))

    def load(self) -> Network:
        return lambda batch: batch

    def join(self, results: list[np.ndarray]) -> np.ndarray:
        return np.stack(results)


@pytest.fixture
def items(tmp_path: Path) -> dict[str, Item]:
    """Pictures of five to twelve pixels' width, the third damaged."""
    folder = tmp_path / "ads"
    folder.mkdir()
    for n in range(8):
        Image.new("RGB", (5 + n, 5), (n, n, n)).save(folder / f"{n}.png")
    (folder / "2.png").write_bytes(b"no picture")
    return {f"key{n}": Item("image", folder / f"{n}.png") for n in range(8)}


def extract(extractor: Extractor, items: dict[str, Item], root: Path, n_jobs: int = 1) -> dict:
    store = FeatureStore(root, SETTINGS)
    try:
        extract_missing(
            extractor, items, store, n_jobs=n_jobs, progress=Recorded(), stage="brightness"
        )
    finally:
        found = dict(store.read()["error"])
    return found


MEMORY = ["MemoryError", "wrapped", "torch", "torch on a card"]


@pytest.mark.parametrize("how", [*MACHINES, *MEMORY])
def test_fault_of_the_machine_ends_the_extraction_and_what_is_done_stays(how, items, tmp_path):
    with pytest.raises(FeatureError) as told:
        extract(Brightness(how), items, tmp_path / "out")
    assert str(items["key4"].path) in str(told.value)
    assert "no fault of the ad" in str(told.value)
    assert "the same command goes on" in str(told.value)
    store = FeatureStore(tmp_path / "out", SETTINGS)
    before = dict(store.read()["error"])
    assert sorted(before) == ["key0", "key1", "key2", "key3"]
    assert [key for key, error in before.items() if error] == ["key2"]
    after = extract(Brightness(), items, tmp_path / "out")
    assert [key for key, error in after.items() if error] == ["key2"]
    assert len(after) == 8


@pytest.mark.parametrize("how", ["ENOENT", "EACCES", "EINVAL", "EISDIR"])
def test_other_faults_are_the_ads(how, items):
    found = attempt(Brightness(how), items["key4"])
    assert isinstance(found, MediaError)


def test_no_more_open_files_is_not_called_damage(items):
    """Pillow's own opening fails for real; the error was stored as damage of the picture."""
    attempt(Brightness(), items["key0"])  # what is imported is there
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        with pytest.raises(FeatureError, match="ulimit"):
            attempt(Brightness(), items["key0"])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_full_disk_of_temporary_files_is_not_called_the_ads(items, tmp_path):
    with (
        mounted(tmp_path / "small", "size=64k") as small,
        pytest.raises(FeatureError, match="TMPDIR"),
    ):
        attempt(Brightness(scratch=str(small)), items["key4"])


class Numbers(Extractor):
    """Mean of an array; one of an archive is unpacked to a temporary file."""

    def extract_one(self, item: Item) -> np.ndarray:
        return read_array(item.path).mean(axis=1, keepdims=True)


def test_temporary_files_that_cannot_be_written_are_not_called_the_ads(tmp_path, monkeypatch):
    np.savez(tmp_path / "ad.npz", features=np.ones((2, 3)))
    ad = Item("array", tmp_path / "ad.npz")
    assert isinstance(attempt(Numbers(), ad), np.ndarray)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(FeatureError, match=r"no temporary file can be written.* \(TMPDIR\)"):
        attempt(Numbers(), ad)


@pytest.mark.parametrize("is_left", [False, True], ids=["gone", "empty"])
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_folder_that_is_gone_stores_nothing(n_jobs, is_left, items, tmp_path):
    shutil.move(tmp_path / "ads", tmp_path / "elsewhere")
    if is_left:
        (tmp_path / "ads").mkdir()
    with pytest.raises(FeatureError, match="is gone, empty or closed"):
        extract(Brightness(), items, tmp_path / "out", n_jobs)
    shutil.rmtree(tmp_path / "ads", ignore_errors=True)
    shutil.move(tmp_path / "elsewhere", tmp_path / "ads")
    after = extract(Brightness(), items, tmp_path / "out", n_jobs)
    assert [key for key, error in after.items() if error] == ["key2"]


def test_one_file_that_is_gone_is_the_ads_fault(items):
    items["key4"].path.unlink()
    assert str(attempt(Brightness(), items["key4"])) == "there is no such file"


@pytest.mark.parametrize("n_workers", [0, 2])
def test_fault_of_the_machine_in_a_process_that_decodes_is_told_as_it_is(n_workers, items):
    ads = list(items.values())
    with pytest.raises(FeatureError, match=r"4\.png: .*no fault of the ad"):
        list(frame_stream(ads, 500, fails_at_nine, 4, n_workers))
    with pytest.raises(FeatureError, match=r"^\S+ cannot extract \S+4\.png: "):
        list(Chunks().extract(ads, n_workers))


class Heavy:
    """What cannot be sent to another process for want of memory."""

    def __reduce__(self) -> str:
        raise MemoryError


def heavy_at_nine(picture: np.ndarray) -> np.ndarray:
    return np.array([Heavy() if picture.shape[1] == 9 else 0], dtype=object)


def test_frames_that_cannot_be_sent_on_are_not_called_the_ads(items):
    ads = list(items.values())
    with pytest.raises(FeatureError, match=r"4\.png: its frames cannot be sent on \(memory has"):
        list(frame_stream(ads, 500, heavy_at_nine, 4, 2))


def test_damaged_film_is_the_ads_fault_whatever_ffmpeg_says(tmp_path):
    import av

    class Damaged(Extractor):
        def extract_one(self, item: Item) -> str:
            raise av.error.MemoryError(errno.ENOMEM, "Cannot allocate memory")

    class AtTheDisk(Extractor):
        def extract_one(self, item: Item) -> str:
            raise av.error.FFmpegError(errno.EIO, "Input/output error")

    film = Item("video", tmp_path / "film.mp4")
    film.path.touch()
    assert isinstance(attempt(AtTheDisk(), film), MediaError)
    assert isinstance(attempt(Damaged(), film), MediaError)
