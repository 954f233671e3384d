"""Bottom-up features of an image's regions, as a detector elsewhere has written them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from competition.datasets.base import InputKind
from competition.features.base import Extractor, Item
from competition.features.registry import extractor
from competition.media.arrays import read_array
from competition.utils.errors import FeatureError, MediaError

COLUMNS = 6  # image_id, image_w, image_h, num_boxes, boxes, features


@extractor("bottom_up", kinds=("image",), gives="array", version=1)
class BottomUp(Extractor):
    """Region features of Anderson et al. (2018), found by the name of the image.

    `path` is one of

    - a folder with an .npz or .npy file per image, such as ``62717.npz`` for ``7/62717.jpg``, or
      ``7/62717.npz`` where images of several folders share names. An archive holds the features,
      (regions, dims), as ``features``, ``feat`` or ``x``; where its ``num_bbox`` or ``num_boxes``
      is the number of columns, not of rows, they are turned;
    - the .tsv file of the authors' program: on each line image_id, image_w, image_h, num_boxes,
      boxes and features, the last two in base64 of float32. image_id is the image's name, with or
      without its folder and its ending.

    Parameters
    ----------
    path : str
    """

    parallel = False  # each process would look through the .tsv anew

    def __init__(self, path: str = "") -> None:
        self.path = path

    def lacks(self) -> str:
        """Say that no path is set."""
        return "" if self.path else "set its path to a folder of .npz or .npy files, or to a .tsv."

    def files(self) -> Sequence[Path]:
        """The files of features."""
        path = self._path()
        return sorted(_arrays(path)) if path.is_dir() else [path]

    def prepared_by(self, kind: InputKind) -> dict[str, str]:
        """Nothing decodes the pictures: their regions are read from files."""
        return {}

    def extract_one(self, item: Item) -> np.ndarray:
        """Return the regions of one image, (regions, dims), float32 or float16.

        Raises
        ------
        MediaError
            If the image has no features, or they are damaged.
        FeatureError
            If there is nothing at `path`.
        """
        if not hasattr(self, "places_"):
            path = self._path()
            self.places_ = _folder_places(path) if path.is_dir() else _tsv_places(path)
        for name in (_key(item.path, 2), _key(item.path, 1)):
            if name in self.places_:
                return _read(*self.places_[name])
        raise MediaError(f"{self.path} has no region features of {item.path.name}")

    def _path(self) -> Path:
        path = Path(self.path).expanduser()
        if not path.exists():
            raise FeatureError(f"bottom_up: there is nothing at {path}. Correct its path.")
        return path


Place = tuple[Path, int]  # a file, and where its line starts


def _key(path: Path, parts: int) -> str:
    return "/".join(path.with_suffix("").parts[-parts:])


def _arrays(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*.np[yz]") if path.is_file()]


def _folder_places(folder: Path) -> dict[str, Place]:
    return {_key(path.relative_to(folder), 2): (path, 0) for path in sorted(_arrays(folder))}


def _tsv_places(path: Path) -> dict[str, Place]:
    places: dict[str, Place] = {}
    start = 0
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            name, tab, _ = line.partition(b"\t")
            n_columns = line.count(b"\t") + 1
            if not tab or n_columns != COLUMNS:
                raise FeatureError(
                    f"bottom_up: {path}:{number} has {n_columns} columns; expected image_id, "
                    "image_w, image_h, num_boxes, boxes, features."
                )
            if name != b"image_id":  # some files have a header
                places[_key(Path(name.decode("utf-8", "replace")), 2)] = (path, start)
            start += len(line)
    return places


def _read(path: Path, start: int) -> np.ndarray:
    if path.suffix in (".npy", ".npz"):
        return _turned(path, read_array(path))
    with path.open("rb") as file:
        file.seek(start)
        columns = file.readline().rstrip(b"\r\n").split(b"\t")
    try:
        numbers = np.frombuffer(base64.b64decode(columns[5], validate=True), dtype="<f4")
        features = numbers.reshape(int(columns[3]), -1)
    except (binascii.Error, ValueError) as bad:
        raise MediaError(f"its line in {path.name} is damaged ({bad})") from bad
    if not features.size or not np.isfinite(features).all():
        raise MediaError(f"its line in {path.name} has no numbers, or not all are finite")
    return features


def _turned(path: Path, features: np.ndarray) -> np.ndarray:
    """Some programs write (dims, regions): an archive that counts its boxes shows it."""
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as archive:
            for name in ("num_bbox", "num_boxes"):
                if name in archive.files and archive[name].size == 1:
                    n = int(archive[name])
                    return features.T if features.shape[0] != n == features.shape[1] else features
    return features
