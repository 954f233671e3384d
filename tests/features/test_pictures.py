from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from competition.features.base import Item, attempt
from competition.features.extractors.thumbnails import Thumbnails
from competition.features.pictures import pictures
from competition.features.registry import get_extractor
from competition.media.probe import probe
from competition.utils.errors import FeatureError, MediaError
from tests.media.made_films import cut_to, greys, write_film
from tests.media.made_sound import tone, write_sound


def test_image_is_one_picture_and_film_is_many(tmp_path: Path):
    Image.new("L", (6, 4), 100).save(tmp_path / "image.png")
    film = write_film(tmp_path / "film.mp4", greys([50, 100, 150, 200]), rate=4)

    (image,) = pictures(Item("image", tmp_path / "image.png"), 500)
    frames = list(pictures(Item("video", film), 500, side=16))

    assert image.dtype == np.uint8
    assert image.tolist() == [[[100, 100, 100]] * 6] * 4
    assert image.flags.writeable
    assert [frame.shape for frame in frames] == [(16, 24, 3)] * 2


@pytest.mark.parametrize("every_ms", [0, -500])
def test_step_of_no_time_is_a_wrong_setting(tmp_path: Path, every_ms: int):
    film = write_film(tmp_path / "film.mp4", greys([50, 100]))

    with pytest.raises(FeatureError, match=f"every_ms is {every_ms}"):
        Thumbnails(every_ms=every_ms).extract_one(Item("video", film))


def test_thumbnail_holds_the_mean_colour_of_each_cell(tmp_path: Path):
    noise = np.random.default_rng(0).integers(0, 256, (24, 36, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "image.png")

    thumbnail = Thumbnails(side=6).extract_one(Item("image", tmp_path / "image.png"))

    assert thumbnail.shape == (1, 6 * 6 * 3)
    assert thumbnail.dtype == np.float16
    means = noise.reshape(6, 4, 6, 6, 3).mean(axis=(1, 3)).ravel() / 255
    np.testing.assert_allclose(thumbnail[0], means, atol=1 / 255)


@pytest.mark.parametrize(
    ("image", "ending"),
    [
        (Image.new("CMYK", (9, 9), (0, 0, 0, 155)), "jpg"),
        (Image.fromarray(np.full((9, 9), 100 * 256, dtype=np.uint16)), "png"),
    ],
)
def test_print_colours_and_deep_grey_are_converted(tmp_path: Path, image: Image.Image, ending: str):
    path = tmp_path / f"image.{ending}"
    image.save(path)

    thumbnail = Thumbnails(side=3).extract_one(Item("image", path))

    np.testing.assert_allclose(thumbnail, np.full((1, 27), 100 / 255), atol=0.01)


def test_film_has_a_thumbnail_per_step(tmp_path: Path):
    film = write_film(tmp_path / "film.mp4", greys([50, 100, 150, 200], 64, 48), rate=4)

    thumbnails = Thumbnails(every_ms=500, side=3).extract_one(Item("video", film))

    np.testing.assert_allclose(thumbnails, np.outer([50, 150], np.ones(27)) / 255, atol=0.01)


def test_media_metadata_are_those_that_the_registry_names(tmp_path: Path):
    film = write_film(tmp_path / "film.mp4", greys([50, 100]), sound=tone(440, 0.2))
    entry = get_extractor("media_metadata")

    metadata = entry.make().extract_one(Item("video", film))

    assert tuple(metadata) == entry.metadata
    assert metadata == vars(probe(film))
    assert all(isinstance(value, float) for value in metadata.values())


def write_song(path: Path) -> None:
    write_sound(path, tone(440, 1.0)[None], codec="aac")


def write_truncated(path: Path) -> None:
    cut_to(write_film(path, greys([50, 100])), 0.5)


def write_pixel(path: Path) -> None:
    Image.new("RGB", (1, 1)).save(path, format="PNG")


def write_bomb(path: Path) -> None:
    Image.new("1", (9_000, 9_000)).save(path, format="PNG")


def write_objects(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.array([[{}]]))


def write_nan(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.full((2, 3), np.nan))


BAD_INPUT = {
    "truncated film": ("thumbnails", "video", write_truncated, "cannot be opened as a film"),
    "truncated film's metadata": ("media_metadata", "video", write_truncated, "cannot be opened"),
    "empty film": ("thumbnails", "video", Path.touch, "empty"),
    "empty film's metadata": ("media_metadata", "video", Path.touch, "empty"),
    "text for a film": ("thumbnails", "video", lambda p: p.write_text("words"), "cannot be opened"),
    "film without pictures": ("thumbnails", "video", write_song, "no video stream"),
    "one pixel": ("thumbnails", "image", write_pixel, "1 x 1 pixels"),
    "bomb": ("thumbnails", "image", write_bomb, "the limit of 67,108,864"),
    "text for an image": ("thumbnails", "image", lambda p: p.write_text("words"), "no image"),
    "pickled objects": ("npy", "array", write_objects, "pickled objects"),
    "NaN": ("npy", "array", write_nan, "2 of 2 rows hold NaN"),
}


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_becomes_a_media_error(tmp_path: Path, case: str):
    name, kind, write, reason = BAD_INPUT[case]
    path = tmp_path / "file.mp4"
    write(path)

    result = attempt(get_extractor(name).make(), Item(kind, path))

    assert isinstance(result, MediaError)
    assert reason in str(result)
