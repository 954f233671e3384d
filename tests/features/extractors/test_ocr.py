"""Text is read back from rendered pictures; lines that frames repeat are kept once."""

import csv
import io
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from competition.features.base import Item
from competition.features.extractors.ocr import Ocr, lines_of_tsv
from competition.features.ocr_lines import similarity
from competition.utils.errors import FeatureError, MediaError


def font(size: int) -> ImageFont.FreeTypeFont:
    import pylopdf_fonts_zh_cn

    return ImageFont.truetype(
        Path(pylopdf_fonts_zh_cn.__file__).parent / "NotoSansSC-Regular.otf", size
    )


def picture(*lines: str, size: tuple[int, int] = (480, 270)) -> Image.Image:
    """White lines of text, one below the other, over a blue gradient."""
    blue = np.zeros((size[1], size[0], 3), dtype=np.uint8)
    blue[:, :, 2] = np.linspace(60, 160, size[0], dtype=np.uint8)
    drawn = Image.fromarray(blue)
    pen = ImageDraw.Draw(drawn)
    for i, line in enumerate(lines):
        pen.text((30, 30 + 60 * i), line, fill="white", font=font(32))
    return drawn


def write_film(path: Path, pictures: list[Image.Image]) -> Item:
    """A film that shows each picture for a second."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=4)
        stream.width, stream.height = pictures[0].size
        stream.pix_fmt = "yuv420p"
        for shown in pictures:
            for _ in range(4):
                container.mux(stream.encode(av.VideoFrame.from_image(shown)))
        container.mux(stream.encode())
    return Item("video", path)


def test_chinese_and_english_are_read_back(tmp_path):
    picture("限时优惠 今天下单", "FREE DELIVERY", "满100元包邮").save(tmp_path / "ad.png")
    text = Ocr().extract_one(Item("image", tmp_path / "ad.png"))
    assert text.replace(" ", "") == "限时优惠今天下单|FREEDELIVERY|满100元包邮"


LINES = (
    "限时优惠 今天下单",
    "FREE DELIVERY",
    "满100元包邮",
    "NEW ARRIVALS",
    "立即下载",
    "LAST CHANCE",
)


def are_read(text: str, lines: Sequence[str]) -> bool:
    """Say whether the lines are read in their order, each but for a character or two."""
    read = [line.replace(" ", "") for line in text.split("|")]
    return len(read) == len(lines) and all(
        similarity(seen, line.replace(" ", "")) >= 0.75
        for seen, line in zip(read, lines, strict=True)
    )


@pytest.mark.parametrize(
    ("side", "longer"), [("height", 9_000), ("width", 9_000), ("width", 4_100)]
)
def test_lines_of_a_very_long_or_wide_picture_are_read(tmp_path, side, longer):
    size = (longer, 400) if side == "width" else (600, longer)
    long = Image.new("RGB", size, (30, 60, 120))
    pen = ImageDraw.Draw(long)
    for i, line in enumerate(LINES):
        along = 40 + i * longer // len(LINES)
        place = (along, 180) if side == "width" else (40, along)
        pen.text(place, line, fill="white", font=font(36))
    long.save(tmp_path / "long.png")

    text = Ocr().extract_one(Item("image", tmp_path / "long.png"))

    assert are_read(text, LINES), text


@pytest.mark.parametrize("size", [(2, 3_000), (3_000, 2), (5, 5), (6, 900), (9_000, 7)])
def test_picture_too_thin_for_letters_has_no_text(tmp_path, size):
    Image.new("RGB", size, (200, 30, 30)).save(tmp_path / "line.png")

    (text,) = Ocr().extract([Item("image", tmp_path / "line.png")])

    assert text == ""


def test_every_line_of_a_film_is_kept_once(tmp_path):
    film = write_film(
        tmp_path / "ad.mp4",
        [
            picture("新品上市"),
            picture("新品上市", "Only today"),
            picture("Only today"),
            picture("立即下载"),
        ],
    )
    text = Ocr().extract_one(film)
    assert [line.replace(" ", "") for line in text.split("|")] == [
        "新品上市",
        "Onlytoday",
        "立即下载",
    ]


def test_picture_without_text_gives_none(tmp_path):
    picture().save(tmp_path / "blank.png")
    assert Ocr().extract_one(Item("image", tmp_path / "blank.png")) == ""


def test_picture_that_cannot_be_read(tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no picture")
    (result,) = Ocr().extract([Item("image", tmp_path / "bad.png")])
    assert isinstance(result, MediaError)


def counted(film: Item, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many frames of a film are read."""
    from competition.features.extractors import ocr

    seen = []
    monkeypatch.setattr(ocr, "_reader", lambda engine: lambda frame: seen.append(frame) or [])
    Ocr().extract_one(film)
    return len(seen)


def test_frames_that_look_alike_are_read_once(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    plain = np.asarray(picture("新品上市")).astype(np.int16)
    noisy = [
        Image.fromarray((plain + rng.integers(-6, 7, plain.shape)).clip(0, 255).astype(np.uint8))
        for _ in range(5)
    ]
    assert counted(write_film(tmp_path / "still.mp4", noisy), monkeypatch) == 1


def test_small_change_of_a_line_is_seen(tmp_path, monkeypatch):
    size = (1280, 720)
    film = [picture("原价199元", size=size), picture("原价99元", size=size)]
    assert counted(write_film(tmp_path / "ad.mp4", film), monkeypatch) == 2


def test_engines_models_are_counted_as_its_files():
    assert [path.suffix for path in Ocr().files()] == [".onnx", ".onnx"]
    assert Ocr("tesseract").files() == ()


def test_unknown_engine_is_refused(tmp_path):
    picture().save(tmp_path / "ad.png")
    with pytest.raises(FeatureError, match=r"engine = 'paper' is unknown\. Choose one of rapidocr"):
        Ocr("paper").extract_one(Item("image", tmp_path / "ad.png"))


def test_absent_program_is_said(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "tesseract is not installed" in Ocr("tesseract").lacks()
    assert Ocr().lacks() == ""


def test_words_of_tesseract_are_put_together_to_lines():
    table = io.StringIO()
    writer = csv.writer(table, delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None)
    writer.writerow(["level", "block_num", "par_num", "line_num", "conf", "text"])
    writer.writerows(
        [
            [1, 0, 0, 0, -1, ""],
            [5, 1, 1, 1, 90, "Say"],
            [5, 1, 1, 1, 70, '"yes"'],
            [5, 1, 1, 2, 40.5, "now"],
            [5, 2, 1, 1, 95, " "],
            [5, 2, 1, 2, 50, "新品"],
            [5, 2, 1, 2, 50, "上市"],
            [5, 2, 1, 2, 50, "NOW"],
        ]
    )
    assert lines_of_tsv(table.getvalue()) == [
        ('Say "yes"', pytest.approx(0.8)),
        ("now", 0.405),
        ("新品上市 NOW", 0.5),
    ]


@pytest.mark.skipif(shutil.which("tesseract") is None, reason="tesseract is not installed")
def test_tesseract_reads_a_picture(tmp_path):
    picture("FREE DELIVERY", "ONLY TODAY").save(tmp_path / "ad.png")
    text = Ocr("tesseract").extract_one(Item("image", tmp_path / "ad.png"))
    assert text == "FREE DELIVERY|ONLY TODAY"
