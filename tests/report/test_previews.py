"""Small pictures of ads: what they show, in the proportions that the files have."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from competition import AdDataset
from competition.report.preview_drawing import Preview
from competition.report.previews import previews
from competition.utils.progress import Progress


def preview_of(size: tuple[int, int], folder: Path) -> Preview:
    import pandas as pd

    grey = np.linspace(0, 255, size[0]).astype(np.uint8)
    Image.fromarray(np.broadcast_to(grey, size[::-1])).convert("RGB").save(folder / "a.png")
    dataset = AdDataset.from_frames(
        pd.DataFrame({"poster": ["a.png", None], "tag": [1, 0]}, index=["one", "two"]),
        tags=[{"columns": ["tag"], "dimension": "d"}],
        inputs={"poster": {"kind": "image", "column": "poster"}},
        name="made",
        root=folder,
    )
    return previews(dataset, ["one"], folder / "cache", 1, Progress())["one"]


@pytest.mark.parametrize("size", [(3000, 100), (900, 300), (300, 400), (80, 60), (30, 900)])
def test_a_picture_keeps_its_proportions(size: tuple[int, int], tmp_path: Path) -> None:
    found = preview_of(size, tmp_path)
    with Image.open(BytesIO(found.picture)) as image:
        assert image.size == found.size
    width, height = found.size
    assert width <= 1056
    assert height <= 264
    assert width == pytest.approx(size[0] / size[1] * height, abs=size[0] / size[1] / 2 + 1)
