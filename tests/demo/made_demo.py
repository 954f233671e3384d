"""Reading demo ads in tests."""

import json
from pathlib import Path

import av
import numpy as np

from competition.demo.plan import AdPlan

N_ADS, SEED = 300, 3
TEXTS = "tagging/tagging_dataset_{}_5k/text_txt/tagging"
TRUTHS = {"train": "tagging/GroundTruth/tagging_info.txt", "test": "truth/tagging_info.txt"}


def read_truth(root, split):
    rows = [line.split("\t") for line in (root / TRUTHS[split]).read_text("utf-8").splitlines()]
    return {name: tags.split(",") for name, tags in rows}


def read_texts(root, split):
    return [
        json.loads(path.read_bytes()) for path in sorted((root / TEXTS.format(split)).iterdir())
    ]


def film_of(root: Path, plan: AdPlan) -> Path:
    return root / "videos" / "train_5k" / f"{plan.ad_id}.mp4"


def frames_of(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as file:
        return [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
