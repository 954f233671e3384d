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

Ads with arrays have these in place of films, and the competition's 82 tags::

        tagging/tagging_dataset_{train,test}_5k/
            video_npy/Youtube8M/tagging/<id>.npy            float32 (seconds, 1024), at most 60 s
            audio_npy/Vggish/tagging/<id>.npy               float64 (62, 128)
            metadata.csv                                    id, duration, height, width
"""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from competition.datasets import description
from competition.datasets.taac2021 import TEXT_FOLDER, official_tags
from competition.demo.arrays import long_texts, with_all_tags, write_arrays
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
NAMES = {False: "demo", True: "demo_arrays"}  # by whether there are arrays


def make_demo(
    root: PathLike,
    n_ads: int = 500,
    seed: int = 0,
    *,
    test_ads: int | None = None,
    films: bool = True,
    arrays: bool = False,
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
        Number of training ads, at least 10.
    seed : int
        At least 0.
    test_ads : int, optional
        Number of test ads, at least 1; by default a fifth of `n_ads`.
    films : bool
        Whether to render the films or to write the texts alone.
    arrays : bool
        Whether the ads have arrays in place of films, texts of the competition's lengths and all of
        its tags.
    n_jobs : int, optional
        Number of films to render at a time; by default one per core.
    progress : Progress, optional
        Receives the number of rendered films.

    Raises
    ------
    DatasetError
        If `n_ads`, `test_ads` or `seed` is too small, or `root` holds anything but demo ads.

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
    test_ads = n_ads // 5 if test_ads is None else test_ads
    if test_ads < 1:
        raise DatasetError(f"The demo has at least 1 test ad, not {test_ads}. Choose 1 or more.")
    if seed < 0:
        raise DatasetError(f"The seed of the demo ads is {seed}. Choose a seed of 0 or more.")
    root = Path(root).absolute()
    progress = progress or Progress()
    films = films and not arrays
    stamp = {"ads": n_ads, "test_ads": test_ads, "films": films, "arrays": arrays}
    stamp |= {"seed": seed, "version": VERSION}
    description_of_ads = {"name": NAMES[arrays], "truth": TEST_TRUTH}
    lost: list[str] = []
    made = _found_stamp(root)
    # Ads made before there was a choice say nothing of it.
    if made is not None and {"test_ads": n_ads // 5, "arrays": False} | made == stamp:
        if not (root / description.FILE).is_file():  # ads made before there was this file
            write_json(root / description.FILE, description_of_ads)
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
        for split, n in {"train": n_ads, "test": test_ads}.items()
    }
    if arrays:
        plans = {split: [with_all_tags(plan) for plan in drawn] for split, drawn in plans.items()}
    with folder_written_whole(root) as new:
        if lost:
            _link_all_but(lost, root, new)
        _write_labels(new, tuple(official_tags()) if arrays else load_content().tags)
        for split in plans:
            _write_split(new, split, plans[split], long_texts if arrays else render_texts)
            if arrays:
                write_arrays(_folder(new, split), plans[split], progress)
        if films:
            write_films(new, plans, n_jobs, progress)
        write_json(new / description.FILE, description_of_ads)
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


def _folder(root: Path, split: str) -> Path:
    return root / "tagging" / f"tagging_dataset_{split}_5k"


def _write_labels(root: Path, tags: tuple[str, ...]) -> None:
    rows = [f"{tag}\t{number}\n" for number, tag in enumerate(tags)]
    _write(root / "label_id.txt", "".join(rows))


def _write_split(
    root: Path, split: str, plans: list[AdPlan], texts_of: Callable[[AdPlan], tuple[str, str]]
) -> None:
    texts = _folder(root, split) / TEXT_FOLDER
    texts.mkdir(parents=True, exist_ok=True)
    for plan in plans:
        ocr, asr = texts_of(plan)
        text = json.dumps({"video_ocr": ocr, "video_asr": asr}, ensure_ascii=False)
        _write(texts / f"{plan.ad_id}.txt", text + "\n")
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
    progress.update("rendering demo films", 0, len(tasks))
    for done, _ in enumerate(written, start=1):
        progress.update("rendering demo films", done, len(tasks))


def _write(path: Path, text: str) -> None:
    """Write a file that is absent, in place: the folder is renamed as a whole in the end."""
    if path.exists():
        return
    path.write_text(text, encoding="utf-8", newline="\n")
