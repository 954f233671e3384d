"""Frames of many ads come as one stream, here or from other processes, whatever an ad is like."""

import os
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from competition.features.base import Item
from competition.features.frame_stream import frame_stream
from competition.utils.errors import MediaError


def mean_colour(picture: np.ndarray) -> np.ndarray:
    return picture.mean(axis=(0, 1)).astype(np.uint8)


def write_pictures(folder: Path, n: int) -> list[Item]:
    """Pictures of one colour each; every third is no picture at all."""
    items = []
    for i in range(n):
        path = folder / f"{i}.png"
        if i % 3 == 2:
            path.write_bytes(b"no picture")
        else:
            Image.new("RGB", (7 + i, 5), (i, 2 * i, 3 * i)).save(path)
        items.append(Item("image", path))
    return items


@pytest.mark.parametrize("n_workers", [0, 1, 3])
def test_every_ad_comes_once_with_its_frames_and_its_end(tmp_path, n_workers):
    items = write_pictures(tmp_path, 8)
    chunks: dict[int, list] = {row: [] for row in range(8)}
    for row, chunk in frame_stream(items, 500, mean_colour, 4, n_workers):
        chunks[row].append(chunk)
    for row, found in chunks.items():
        if row % 3 == 2:
            assert [type(chunk) for chunk in found] == [MediaError]
        else:
            frames, end = found
            assert frames.tolist() == [[row, 2 * row, 3 * row]]
            assert end is None


def write_film(path: Path, n_frames: int) -> Item:
    """A film of two frames a second, frame i of the grey level 5 * i."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=2)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        for i in range(n_frames):
            picture = np.full((32, 32, 3), 5 * i, dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return Item("video", path)


def test_long_film_comes_in_chunks_in_order(tmp_path):
    items = [write_film(tmp_path / "film.mp4", 7)]
    found = [chunk for _, chunk in frame_stream(items, 500, mean_colour, 3, n_workers=1)]
    assert [len(chunk) for chunk in found[:-1]] == [3, 3, 1]
    assert found[-1] is None
    assert np.concatenate(found[:-1])[:, 0] == pytest.approx([5 * i for i in range(7)], abs=3)


def fails_at(width: int, exits: bool, picture: np.ndarray) -> np.ndarray:
    if picture.shape[1] == width:
        if exits:
            os._exit(9)
        raise ArithmeticError("a strange picture")
    return mean_colour(picture)


@pytest.mark.parametrize("n_workers", [0, 2])
def test_unforeseen_failure_is_that_ads_alone(tmp_path, n_workers):
    items = write_pictures(tmp_path, 2)
    chunks = list(frame_stream(items, 500, partial(fails_at, 8, False), 4, n_workers))
    bad = [(row, str(chunk)) for row, chunk in chunks if isinstance(chunk, MediaError)]
    assert bad == [(1, "ArithmeticError: a strange picture")]


def test_ad_that_ends_its_process_ends_no_other(tmp_path):
    items = [item for i, item in enumerate(write_pictures(tmp_path, 9)) if i % 3 != 2]
    chunks = list(frame_stream(items, 500, partial(fails_at, 8, True), 4, n_workers=2))
    bad = [(row, str(chunk)) for row, chunk in chunks if isinstance(chunk, MediaError)]
    assert bad == [(1, "the process that decoded it ended with exit status 9")]
    assert sorted(row for row, chunk in chunks if chunk is None) == [0, 2, 3, 4, 5]


def test_processes_end_when_nobody_waits(tmp_path):
    import multiprocessing

    before = set(multiprocessing.active_children())
    stream = frame_stream(write_pictures(tmp_path, 6), 500, mean_colour, 4, n_workers=2)
    next(stream)
    assert set(multiprocessing.active_children()) - before
    stream.close()
    assert not set(multiprocessing.active_children()) - before


def test_no_ads_give_no_frames():
    assert list(frame_stream([], 500, mean_colour, 4, n_workers=2)) == []
