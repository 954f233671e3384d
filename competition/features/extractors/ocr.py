"""Text in pictures and films, by RapidOCR or Tesseract."""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from competition.datasets.base import InputKind
from competition.features.base import Extractor, Item
from competition.features.ocr_lines import Line, merge_lines
from competition.features.ocr_pieces import pieces
from competition.features.pictures import pictures
from competition.features.registry import extractor
from competition.utils.errors import FeatureError, MediaError
from competition.utils.parameters import Count
from competition.utils.versions import installed

Engine = Literal["rapidocr", "tesseract"]
Read = Callable[[np.ndarray], list[Line]]

# The models that the wheel of rapidocr carries: no other is looked for, so none is downloaded.
RAPIDOCR_MODELS = {"Det": "PP-OCRv6_det_small.onnx", "Rec": "PP-OCRv6_rec_small.onnx"}
# Text is looked for in pictures whose longer side is scaled down to this; small ones are not
# enlarged, which takes five times as long on 300 x 450 pixels and finds no more.
DETECTION_SIDE = 960
LANGUAGES = ("chi_sim", "eng")  # of Tesseract, as far as installed
THINNEST = 6  # pixels of a picture's shorter side; no thinner one holds letters
THUMBNAIL = 96  # pixels of the longer side when frames are compared
CHANGE = 16  # least difference of one such pixel, of 255, between frames that are both read

_BETWEEN_CHINESE = re.compile(r"(?<=[\u3400-\u9fff]) (?=[\u3400-\u9fff])")


@extractor("ocr", kinds=("image", "video"), gives="text", version=3)
class Ocr(Extractor):
    """Lines of text in a picture or in the frames of a film, joined by ``"|"``.

    A line that stays on show for several frames is kept once, as it was read best. Frames that
    look like the one read last are passed over. RapidOCR reads very long and very wide pictures in
    overlapping pieces. Text is expected upright, Chinese or English.

    Parameters
    ----------
    engine : {"rapidocr", "tesseract"}
        What reads; the program ``tesseract`` must be installed for the second.
    every_ms : int
        Milliseconds between two frames of a film.
    """

    libraries = ("PIL", "rapidocr")

    def __init__(self, engine: Engine = "rapidocr", every_ms: Count = 1000) -> None:
        self.engine = engine
        self.every_ms = every_ms

    def lacks(self) -> str:
        """Say that the engine is not installed, if so."""
        if self.engine == "tesseract" and shutil.which("tesseract") is None:
            return (
                "The program tesseract is not installed: install it with its language chi_sim, or "
                "set engine to rapidocr."
            )
        if self.engine == "rapidocr" and any(not path.is_file() for path in _rapidocr_models()):
            return "The package rapidocr is not installed with its models: run set_up.sh."
        return ""

    def files(self) -> Sequence[Path]:
        """The networks of RapidOCR."""
        return _rapidocr_models() if self.engine == "rapidocr" else ()

    def prepared_by(self, kind: InputKind) -> dict[str, str]:
        """Versions of what decodes pictures, and of the engine that reads them."""
        engine = (
            {"tesseract": _tesseract_version()}
            if self.engine == "tesseract"
            else installed("rapidocr", "onnxruntime")
        )
        return {**super().prepared_by(kind), **engine}

    def extract_one(self, item: Item) -> str:
        """Return the text of one picture or film; "" where none is seen."""
        read = _reader(self.engine)
        legible = (p for p in pictures(item, self.every_ms) if min(p.shape[:2]) >= THINNEST)
        frames = _changed(legible)
        return "|".join(merge_lines(read(frame) for frame in frames))


def _changed(frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield the frames that differ visibly from the one yielded last."""
    from PIL import Image

    last = None
    for frame in frames:
        factor = max(1, max(frame.shape[:2]) // THUMBNAIL)
        small = np.asarray(Image.fromarray(frame).convert("L").reduce(factor), dtype=np.int16)
        if last is None or small.shape != last.shape or np.abs(small - last).max() >= CHANGE:
            last = small
            yield frame


@lru_cache(maxsize=1)
def _reader(engine: str) -> Read:
    """Return what reads the lines of a picture, uint8 RGB (height, width, 3)."""
    if engine == "rapidocr":
        return _rapidocr()
    if engine == "tesseract":
        return _tesseract()
    known = ", ".join(get_args(Engine))
    raise FeatureError(f"ocr: engine = {engine!r} is unknown. Choose one of {known}.")


def _rapidocr_models() -> list[Path]:
    package = find_spec("rapidocr")
    folder = Path(package.origin).parent if package and package.origin else Path("rapidocr")
    return [folder / "models" / name for name in RAPIDOCR_MODELS.values()]


def _tesseract_version() -> str:
    """First line of ``tesseract --version``; "" where the program is not installed."""
    program = shutil.which("tesseract")
    if program is None:
        return ""
    done = subprocess.run([program, "--version"], capture_output=True, text=True)
    return (done.stdout or done.stderr).split("\n", 1)[0]


def _rapidocr() -> Read:
    from rapidocr import RapidOCR

    detector, recogniser = map(str, _rapidocr_models())
    engine = RapidOCR(
        params={
            "Global.log_level": "critical",
            "Global.use_cls": False,  # the network that finds text upside down
            "Det.model_path": detector,
            "Det.limit_type": "max",
            "Det.limit_side_len": DETECTION_SIDE,
            "Rec.model_path": recogniser,
            # One line at a time, at its own width: padding takes time, and what a line is padded to
            # would depend on the picture's other lines.
            "Rec.rec_batch_num": 1,
            "Rec.rec_img_shape": [3, 48, 16],
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )

    def read(picture: np.ndarray) -> list[Line]:
        is_wide = picture.shape[1] > picture.shape[0]
        along = picture.swapaxes(0, 1) if is_wide else picture
        lines = []
        for piece in pieces(along.shape[0], along.shape[1], DETECTION_SIDE):
            part = along[piece.start : piece.end]
            upright = part.swapaxes(0, 1) if is_wide else part
            found: Any = engine(np.ascontiguousarray(upright[:, :, ::-1]))  # it wants BGR
            if found.boxes is None:
                continue
            middles = piece.start + found.boxes.mean(axis=1)[:, 0 if is_wide else 1]
            lines += [
                Line(text, score)
                for text, score, middle in zip(found.txts, found.scores, middles, strict=True)
                if piece.first <= middle <= piece.last
            ]
        return lines

    return read


def _tesseract() -> Read:
    program = shutil.which("tesseract")
    if program is None:
        raise FeatureError("ocr: the program tesseract is not installed.")
    listed = subprocess.run([program, "--list-langs"], capture_output=True, text=True, check=True)
    languages = [name for name in LANGUAGES if name in listed.stdout.split()]
    if not languages:
        raise FeatureError(f"ocr: tesseract has none of the languages {', '.join(LANGUAGES)}.")
    command = [program, "-", "-", "-l", "+".join(languages), "--psm", "11", "tsv"]  # 11: sparse
    environment = {**os.environ, "OMP_THREAD_LIMIT": "1"}

    def read(picture: np.ndarray) -> list[Line]:
        from PIL import Image

        png = io.BytesIO()
        Image.fromarray(picture).save(png, "PNG")
        done = subprocess.run(command, input=png.getvalue(), capture_output=True, env=environment)
        if done.returncode:
            raise MediaError(f"tesseract: {done.stderr.decode(errors='replace').strip()}")
        return lines_of_tsv(done.stdout.decode("utf-8"))

    return read


def lines_of_tsv(table: str) -> list[Line]:
    """Put the words of Tesseract's TSV output together to lines, with their mean confidence."""
    words = defaultdict(list)
    for row in csv.DictReader(io.StringIO(table), delimiter="\t", quoting=csv.QUOTE_NONE):
        if row["level"] == "5" and row["text"].strip():
            place = row["block_num"], row["par_num"], row["line_num"]
            words[place].append((row["text"], float(row["conf"]) / 100))
    return [
        Line(
            _BETWEEN_CHINESE.sub("", " ".join(text for text, _ in line)),
            sum(conf for _, conf in line) / len(line),
        )
        for line in words.values()
    ]
