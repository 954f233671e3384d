"""Demo ads: made here, in the layout of the TAAC 2021 competition, for a machine with no data.

::

    <root>/
        demo.json                                           how it was made
        label_id.txt                                        tag, TAB, id
        tagging/GroundTruth/tagging_info.txt                <id>.mp4, TAB, tags joined by commas
        tagging/tagging_dataset_{train,test}_5k/
            facts.csv                                       id, duration (s), width, height (pixels)
            text_txt/tagging/<id>.txt                       {"video_ocr": ..., "video_asr": ...}
        truth/tagging_info.txt                              the tags of the test ads
"""

import csv
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from competition.datasets.demo_content import load_content
from competition.datasets.demo_draw import draw_plan
from competition.datasets.demo_noise import recorded_facts, render_texts
from competition.datasets.demo_plan import AdPlan
from competition.errors import DatasetError
from competition.files import write_json

VERSION = 1
STAMP = "demo.json"
LEAST_ADS = 10
TRUTH_OF_SPLIT = {"train": "tagging/GroundTruth", "test": "truth"}


def make_demo(root: Path, n_ads: int = 500, seed: int = 0) -> None:
    """Write demo ads to the folder `root`, whole or not at all.

    Ad i of a seed is the same whatever `n_ads` is. Ads made before with the same settings are
    left as they are; those made with other settings are replaced.

    Parameters
    ----------
    root : Path
        A folder that does not exist, is empty, or holds demo ads.
    n_ads : int
        Number of training ads, 10 at the least; a fifth as many test ads come with them.
    seed : int
        Not negative.

    Raises
    ------
    DatasetError
        If `n_ads` or `seed` cannot be, or `root` holds anything but demo ads.
    """
    if n_ads < LEAST_ADS:
        raise DatasetError(f"Demo ads come in {LEAST_ADS} or more, not {n_ads}: ask for more.")
    if seed < 0:
        raise DatasetError(f"The seed of the demo ads is {seed}; it must be 0 or more.")
    root = Path(root).absolute()
    stamp = {"ads": n_ads, "seed": seed, "version": VERSION}
    if _found_stamp(root) == stamp:
        return
    root.parent.mkdir(parents=True, exist_ok=True)
    workshop = Path(tempfile.mkdtemp(prefix=f".{root.name}.", suffix=".tmp", dir=root.parent))
    try:
        new = workshop / "new"
        _write_labels(new)
        _write_split(new, "train", n_ads, seed)
        _write_split(new, "test", n_ads // 5, seed)
        write_json(new / STAMP, stamp)
        _put_in_place(new, root, workshop / "old")
    finally:
        shutil.rmtree(workshop)


def _found_stamp(root: Path) -> Any:
    """How the ads in `root` were made; None where there is nothing."""
    if not root.exists():
        return None
    if not root.is_dir():
        raise DatasetError(f"Demo ads need a folder, but {root} is a file. Name another folder.")
    if not any(root.iterdir()):
        return None
    try:
        stamp = json.loads((root / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        stamp = None
    if not isinstance(stamp, dict) or set(stamp) != {"ads", "seed", "version"}:
        raise DatasetError(
            f"The folder {root} is not empty and holds no demo ads (it has no valid {STAMP}), so "
            "nothing was written there. Name another folder, or empty this one yourself."
        )
    return stamp


def _put_in_place(new: Path, root: Path, old: Path) -> None:
    """Rename `new` to `root`; what was there goes to `old`, and comes back if that fails."""
    replaced = root.exists()
    if replaced:
        root.rename(old)
    try:
        new.rename(root)
    except BaseException:
        if replaced:
            old.rename(root)
        raise


def _write_labels(root: Path) -> None:
    root.mkdir()
    rows = [f"{tag}\t{number}\n" for number, tag in enumerate(load_content().tags)]
    _write(root / "label_id.txt", "".join(rows))


def _write_split(root: Path, split: str, n_ads: int, seed: int) -> None:
    folder = root / "tagging" / f"tagging_dataset_{split}_5k"
    texts = folder / "text_txt" / "tagging"
    texts.mkdir(parents=True)
    truth = root / TRUTH_OF_SPLIT[split] / "tagging_info.txt"
    truth.parent.mkdir(parents=True)
    truth_rows = []
    with (folder / "facts.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["id", "duration", "width", "height"])
        for index in range(n_ads):
            plan = draw_plan(seed, split, index)
            _write_texts(texts, plan)
            facts = recorded_facts(plan)
            if facts is not None:
                table.writerow([plan.ad_id, *facts])
            truth_rows.append(f"{plan.ad_id}.mp4\t{','.join(plan.tags)}\n")
    _write(truth, "".join(truth_rows))


def _write_texts(folder: Path, plan: AdPlan) -> None:
    ocr, asr = render_texts(plan)
    text = json.dumps({"video_ocr": ocr, "video_asr": asr}, ensure_ascii=False)
    _write(folder / f"{plan.ad_id}.txt", text + "\n")


def _write(path: Path, text: str) -> None:
    """Write without care: the whole folder is renamed into its place in the end."""
    path.write_text(text, encoding="utf-8", newline="\n")
