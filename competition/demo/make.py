"""Make demo ads in the layout of the TAAC 2021 competition, for a machine without data.

::

    <root>/
        demo.json                                           how the ads were made
        demo.seal                                           checksums of all files
        dataset.json                                        their name, and the place of the truth
        label_id.txt                                        tag, TAB, id
        tagging/GroundTruth/tagging_info.txt                <id>.mp4, TAB, tags joined by commas
        tagging/tagging_dataset_{train,test}_5k/
            text_txt/tagging/<id>.txt                       {"video_ocr": ..., "video_asr": ...}
        videos/{train,test}_5k/<id>.mp4                     3 to 8 s of H.264 and AAC
        truth/tagging_info.txt                              the tags of the test ads
"""

import json
import os
import shutil
from pathlib import Path
from typing import Any

from competition.datasets import description
from competition.demo.content import load_content
from competition.demo.draw import draw_plan
from competition.demo.plan import AdPlan
from competition.demo.texts import render_texts
from competition.execution.devices import n_cores
from competition.execution.local import run_tasks
from competition.utils.errors import DatasetError
from competition.utils.files import PathLike, folder_written_whole, write_json
from competition.utils.progress import Progress
from competition.utils.seals import damaged, seal

VERSION = 2
STAMP = "demo.json"
SEAL = "demo.seal"
TEST_TRUTH = "truth/tagging_info.txt"
LEAST_ADS = 10
TRUTH_OF_SPLIT = {"train": "tagging/GroundTruth/tagging_info.txt", "test": TEST_TRUTH}
DESCRIPTION = {"name": "demo", "truth": TEST_TRUTH}


def make_demo(
    root: PathLike,
    n_ads: int = 500,
    seed: int = 0,
    *,
    films: bool = True,
    n_jobs: int | None = None,
    progress: Progress | None = None,
) -> None:
    """Write demo ads to the folder `root`, whole or not at all.

    Ad i of a seed is the same whatever `n_ads` is. Ads that were made with the same settings stay
    as they are, but for files that were changed or removed since: these are made again. Ads that
    were made with other settings are replaced.

    Parameters
    ----------
    root : path
        A folder that does not exist, is empty, or holds demo ads.
    n_ads : int
        Number of training ads, at least 10; the number of test ads is a fifth of it.
    seed : int
        At least 0.
    films : bool
        Whether to render the films or to write the texts alone.
    n_jobs : int, optional
        Number of films to render at a time; by default one per core.
    progress : Progress, optional
        Receives the number of rendered films.

    Raises
    ------
    DatasetError
        If `n_ads` or `seed` is too small, or `root` holds anything but demo ads.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from competition import make_demo
    >>> with TemporaryDirectory() as folder:
    ...     make_demo(folder, 10, films=False)
    ...     Path(folder, "label_id.txt").is_file()
    True
    """
    if n_ads < LEAST_ADS:
        raise DatasetError(
            f"The demo has at least {LEAST_ADS} training ads, not {n_ads}. "
            f"Choose {LEAST_ADS} or more."
        )
    if seed < 0:
        raise DatasetError(f"The seed of the demo ads is {seed}. Choose a seed of 0 or more.")
    root = Path(root).absolute()
    progress = progress or Progress()
    stamp = {"ads": n_ads, "films": films, "seed": seed, "version": VERSION}
    lost: list[str] = []
    if _found_stamp(root) == stamp:
        if not (root / description.FILE).is_file():  # ads made before there was this file
            write_json(root / description.FILE, DESCRIPTION)
        # Ads made before there were seals are taken as they are.
        lost = damaged(root / SEAL) if (root / SEAL).exists() else []
        if not lost:
            return
        progress.remark(
            f"{root}: {len(lost)} file(s) of the demo ads were changed or removed since they were "
            "made: they are made again."
        )
    plans = {
        split: [draw_plan(seed, split, index) for index in range(n)]
        for split, n in {"train": n_ads, "test": n_ads // 5}.items()
    }
    with folder_written_whole(root) as new:
        if lost:
            _link_all_but(lost, root, new)
        _write_labels(new)
        for split in plans:
            _write_split(new, split, plans[split])
        if films:
            write_films(new, plans, n_jobs, progress)
        write_json(new / description.FILE, DESCRIPTION)
        write_json(new / STAMP, stamp)
        seal(new / SEAL, sorted(path for path in new.rglob("*") if path.is_file()))


def _found_stamp(root: Path) -> Any:
    """Return how the ads in `root` were made; None where there is nothing."""
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
    if stamp is None and STAMP in damaged(root / SEAL):  # they are ours
        return {}
    if not isinstance(stamp, dict) or not set(stamp) >= {"ads", "seed", "version"}:
        raise DatasetError(
            f"The folder {root} is not empty and holds no demo ads (it has no valid {STAMP}). "
            "Nothing was written there. Name another folder, or empty this one yourself."
        )
    return stamp


def _link_all_but(lost: list[str], root: Path, new: Path) -> None:
    """Let `new` hold all files of `root` but those that are lost; no film is copied."""

    def left_out(folder: str, names: list[str]) -> set[str]:
        return {
            name for name in names if (Path(folder) / name).relative_to(root).as_posix() in gone
        }

    gone = {*lost, SEAL}
    shutil.copytree(root, new, copy_function=_link, ignore=left_out, dirs_exist_ok=True)


def _link(source: str, copy: str) -> None:
    try:
        os.link(source, copy)
    except OSError:  # a file system without links
        shutil.copy2(source, copy)


def _write_labels(root: Path) -> None:
    rows = [f"{tag}\t{number}\n" for number, tag in enumerate(load_content().tags)]
    _write(root / "label_id.txt", "".join(rows))


def _write_split(root: Path, split: str, plans: list[AdPlan]) -> None:
    texts = root / "tagging" / f"tagging_dataset_{split}_5k" / "text_txt" / "tagging"
    texts.mkdir(parents=True, exist_ok=True)
    for plan in plans:
        _write_texts(texts, plan)
    truth = root / TRUTH_OF_SPLIT[split]
    truth.parent.mkdir(parents=True, exist_ok=True)
    _write(truth, "".join(f"{plan.ad_id}.mp4\t{','.join(plan.tags)}\n" for plan in plans))


def write_films(
    root: Path, plans: dict[str, list[AdPlan]], n_jobs: int | None, progress: Progress
) -> None:
    """Render the films of each split's plans that are absent.

    `n_jobs` are rendered at a time (None: one per core).
    """
    from competition.demo.film import write_film

    tasks = []
    for split in plans:
        folder = root / "videos" / f"{split}_5k"
        folder.mkdir(parents=True, exist_ok=True)
        films = ((folder / f"{plan.ad_id}.mp4", plan) for plan in plans[split])
        tasks += [(path, plan) for path, plan in films if not path.exists()]
    if not tasks:
        return
    written = run_tasks(write_film, tasks, n_jobs=min(n_jobs or n_cores(), len(tasks)))
    for done, _ in enumerate(written, start=1):
        progress.update("rendering demo films", done, len(tasks))


def _write_texts(folder: Path, plan: AdPlan) -> None:
    ocr, asr = render_texts(plan)
    text = json.dumps({"video_ocr": ocr, "video_asr": asr}, ensure_ascii=False)
    _write(folder / f"{plan.ad_id}.txt", text + "\n")


def _write(path: Path, text: str) -> None:
    """Write a file that is absent, in place: the folder is renamed as a whole in the end."""
    if path.exists():
        return
    path.write_text(text, encoding="utf-8", newline="\n")
