"""A small folder in the layout of the TAAC 2021 competition."""

import json
from pathlib import Path

TRAIN = "tagging/tagging_dataset_train_5k"
TEST = "tagging/tagging_dataset_test_5k"


def write_taac2021(folder: Path) -> Path:
    """Write three listed ads, two of them with texts, and one test ad."""
    truth = folder / "tagging" / "GroundTruth"
    truth.mkdir(parents=True)
    (folder / "label_id.txt").write_text("室内\t0\n推广页\t1\n", encoding="utf-8")
    (truth / "tagging_info.txt").write_text(
        "a.mp4\t室内,推广页\nb.mp4\t推广页\nc.mp4\t室内\n", encoding="utf-8"
    )
    for split, ads in ((TRAIN, "ab"), (TEST, "t")):
        for ad in ads:
            write_text(folder, split, ad, {"video_ocr": f"字幕{ad}", "video_asr": "声音"})
    return folder


def write_text(folder: Path, split: str, ad: str, value: object) -> Path:
    """Write the file of an ad's texts."""
    path = folder / split / "text_txt" / "tagging" / f"{ad}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
    return path
