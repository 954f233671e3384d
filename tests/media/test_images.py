import os
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from competition.media.images import read_image
from competition.utils.errors import MediaError

BLUE = (0, 0, 255)


def one_colour(mode: str, colour) -> Image.Image:
    return Image.new(mode, (12, 8), colour)


def palette_with_hole() -> Image.Image:
    image = Image.new("P", (12, 8), 0)
    image.putpalette([9, 9, 9, *BLUE])
    image.info["transparency"] = 0
    return image


def deep_grey(value: int) -> Image.Image:
    return Image.fromarray(np.full((8, 12), value, dtype=np.uint16))


MODELS = {
    "RGB": (one_colour("RGB", BLUE), "png", BLUE),
    "CMYK": (one_colour("CMYK", (255, 255, 0, 0)), "tiff", BLUE),
    "CMYK in a JPEG": (one_colour("CMYK", (255, 255, 0, 0)), "jpg", BLUE),
    "YCbCr": (one_colour("YCbCr", (0, 128, 128)), "jpg", (0, 0, 0)),
    "Lab": (one_colour("LAB", (255, 128, 128)), "tiff", (255, 255, 255)),
    "grey": (one_colour("L", 100), "png", (100, 100, 100)),
    "one bit": (one_colour("1", 1), "png", (255, 255, 255)),
    "16 bits": (deep_grey(100 * 256 + 200), "png", (100, 100, 100)),
    "16 bits in a TIFF": (deep_grey(65_535), "tiff", (255, 255, 255)),
    "32 bits": (one_colour("I", 70_000), "tiff", (0, 0, 0)),
    "floating point": (one_colour("F", 0.5), "tiff", (0, 0, 0)),
    "palette": (one_colour("RGB", BLUE).convert("P"), "gif", BLUE),
    "palette with a hole": (palette_with_hole(), "png", (255, 255, 255)),
    "opaque": (one_colour("RGBA", (*BLUE, 255)), "png", BLUE),
    "half transparent": (one_colour("RGBA", (*BLUE, 128)), "png", (127, 127, 255)),
    "transparent grey": (one_colour("LA", (50, 0)), "png", (255, 255, 255)),
    "WebP": (one_colour("RGBA", (*BLUE, 0)), "webp", (255, 255, 255)),
}


@pytest.mark.parametrize("case", MODELS)
def test_every_colour_model_becomes_rgb(tmp_path: Path, case: str):
    image, ending, expected = MODELS[case]
    path = tmp_path / f"image.{ending}"
    image.save(path)

    rgb = read_image(path)

    assert (rgb.mode, rgb.size) == ("RGB", (12, 8))
    assert np.abs(np.array(rgb).astype(int) - expected).max() <= 2


def test_deep_floating_point_grey_is_spread_from_black_to_white(tmp_path: Path):
    path = tmp_path / "image.tiff"
    Image.fromarray(np.array([[-1.0, 0.0, 1.0]], dtype=np.float32)).save(path)

    assert np.array(read_image(path))[0, :, 0].tolist() == [0, 128, 255]


UPRIGHT = {  # what a viewer does to the stored picture, by the EXIF orientation
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a),
}


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_exif_orientation_is_applied(tmp_path: Path, orientation: int):
    stored = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(stored).save(tmp_path / "image.png", exif=exif)

    image = np.array(read_image(tmp_path / "image.png"))

    np.testing.assert_array_equal(image, UPRIGHT[orientation](stored))


def test_damaged_exif_data_cost_nothing(tmp_path: Path):
    one_colour("RGB", BLUE).save(tmp_path / "image.png", exif=b"Exif\x00\x00no such thing")

    assert read_image(tmp_path / "image.png").getpixel((3, 3)) == BLUE


@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_shorter_side_is_scaled_down_to_the_given_side(tmp_path: Path, ending: str):
    x = np.linspace(0, 255, 400, dtype=np.uint8)
    slope = np.broadcast_to(x[None, :, None], (200, 400, 3))
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(slope).save(tmp_path / f"image.{ending}", exif=exif)

    small = np.array(read_image(tmp_path / f"image.{ending}", side=20))

    assert small.shape == (40, 20, 3)
    blocks = x.reshape(40, 10).mean(axis=1)
    assert np.abs(small[:, 10, 0] - blocks).max() <= 5


def test_small_image_is_never_enlarged(tmp_path: Path):
    one_colour("RGB", BLUE).save(tmp_path / "image.png")

    assert read_image(tmp_path / "image.png", side=100).size == (12, 8)


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def write_bomb(path: Path) -> None:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", b"") + chunk(b"IEND", b""))


def write_small_bomb(path: Path) -> None:
    Image.new("1", (9_000, 9_000)).save(path)


def write_truncated(path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path, format="JPEG")
    path.write_bytes(path.read_bytes()[:2_000])


BAD_IMAGES = {
    "missing": (lambda path: None, "there is no such file"),
    "empty": (lambda path: path.write_bytes(b""), r"it is empty \(0 bytes\)"),
    "text": (lambda path: path.write_text("words"), "it is no image of a known format"),
    "truncated": (write_truncated, "it is damaged .*truncated"),
    "one pixel": (lambda path: Image.new("RGB", (1, 1)).save(path), "1 x 1 pixels"),
    "bomb": (write_bomb, "10000000000 pixels"),
    "small bomb": (write_small_bomb, "9000 x 9000 pixels exceed the limit of"),
}


@pytest.mark.parametrize("case", BAD_IMAGES)
def test_bad_image_is_a_media_error_that_says_why(tmp_path: Path, case: str):
    write, reason = BAD_IMAGES[case]
    write(tmp_path / "image.png")

    with pytest.raises(MediaError, match=reason):
        read_image(tmp_path / "image.png")


EPS = b"""%!PS-Adobe-3.0 EPSF-3.0
%%BoundingBox: 0 0 40 40
%%EndComments
0 0 40 40 rectfill
showpage
"""
OTHER_KINDS = {
    "EPS": (EPS, "it is an EPS file, which is not read as an image; convert it"),
    "PDF": (b"%PDF-1.7\n", "it is a PDF file"),
    "SVG": (b'\xef\xbb\xbf\n<svg xmlns="http://www.w3.org/2000/svg"/>', "it is an SVG drawing"),
    "page": (
        b"<!DOCTYPE html><html>404</html>",
        "it is a web page, perhaps of a failed download",
    ),
    "Photoshop": (b"8BPS\0\1" + bytes(30), "it is a Photoshop file"),
    "Windows metafile": (
        b"\xd7\xcd\xc6\x9a\0\0" + bytes(60),
        "no image of a known format .JPEG, PNG",
    ),
}


@pytest.mark.parametrize("case", OTHER_KINDS)
def test_file_of_another_kind_is_named(tmp_path: Path, case: str):
    content, reason = OTHER_KINDS[case]
    (tmp_path / "image.jpg").write_bytes(content)

    with pytest.raises(MediaError, match=reason):
        read_image(tmp_path / "image.jpg")


def test_no_program_is_started_for_an_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    program = tmp_path / "gs"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / "image.jpg").write_bytes(EPS)

    with pytest.raises(MediaError):
        read_image(tmp_path / "image.jpg")

    assert not (tmp_path / "started").exists()


def test_heic_is_read_where_its_package_is_installed(tmp_path: Path):
    heif = pytest.importorskip("pillow_heif")
    noise = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    heif.from_pillow(Image.fromarray(noise)).save(tmp_path / "photo.jpg", quality=-1)

    image = read_image(tmp_path / "photo.jpg", side=32)

    assert (image.mode, image.size) == ("RGB", (48, 32))


HEIC_START = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(64)


def test_heic_without_its_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "photo.jpg").write_bytes(HEIC_START)
    monkeypatch.setitem(sys.modules, "pillow_heif", None)

    with pytest.raises(MediaError, match=r"a HEIC image; convert it .* the package pillow-heif"):
        read_image(tmp_path / "photo.jpg")


def test_avif_in_the_dress_of_heic_is_read(tmp_path: Path):
    one_colour("RGB", BLUE).save(tmp_path / "photo.avif")
    content = (tmp_path / "photo.avif").read_bytes()
    (tmp_path / "photo.avif").write_bytes(content.replace(b"ftypavif", b"ftypmif1", 1))

    assert read_image(tmp_path / "photo.avif").size == (12, 8)


def test_damaged_heic_is_named(tmp_path: Path):
    pytest.importorskip("pillow_heif")
    (tmp_path / "photo.jpg").write_bytes(HEIC_START)

    with pytest.raises(MediaError, match=r"a HEIC image that is damaged .* convert it"):
        read_image(tmp_path / "photo.jpg")


def test_grey_poster_becomes_rgb(real_data: Path):
    for path in sorted((real_data / "movie_posters" / "posters").iterdir())[:300]:
        with Image.open(path) as stored:
            if stored.mode == "L":
                break

    assert stored.mode == "L"
    assert read_image(path).mode == "RGB"
