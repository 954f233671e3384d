"""Time of the page: of many ads with pictures, and of many predictions.

    python -m benchmarks.page

Each call of `competition report` is a process of its own, as a user starts it. Predictions and
pictures are made here: posters of 500 x 750 pixels, as film databases serve them, each a file of
its own. The table goes to benchmarks/page.md.
"""

import io
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from competition import add_oof, load_dataset, load_stack_settings, stack
from competition.utils.files import write_text

JOBS = 2
SIZE = (500, 750)  # pixels of a poster
DESIGNS = 40  # the others differ from these in a comment
LIMITS = """\
A report of 2,000 ads with pictures is to take under 20 s on two cores, one of 5,000 ads x 82 tags x
12 models under 60 s."""


@dataclass(frozen=True)
class Case:
    """Ads to make, and how many of them the page shows."""

    n_ads: int
    n_tags: int
    n_models: int
    on_page: int


RESULT = Path(__file__).with_suffix(".md")
CASES = (Case(2_000, 20, 3, 2_000), Case(5_000, 82, 12, 500))


def jpeg(design: int) -> bytes:
    """A poster: a background of slow waves, blocks of colour, and grain."""
    from PIL import Image

    rng = np.random.default_rng(design)
    y, x = np.mgrid[: SIZE[1], : SIZE[0]].astype(np.float32) / 100
    waves = [np.sin(x * a + b) + np.cos(y * c + b) for a, b, c in rng.uniform(0.3, 3, (3, 3))]
    picture = 60 * np.stack(waves, axis=-1) + 120
    for _ in range(12):
        left, top = rng.integers(0, 450, 2)
        picture[top : top + 130, left : left + 90] = rng.uniform(0, 255, 3)
    picture += rng.normal(0, 4, picture.shape[:2])[..., None]
    written = io.BytesIO()
    Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(written, "JPEG", quality=85)
    return written.getvalue()


def with_comment(picture: bytes, number: int) -> bytes:
    """Return the JPEG file with a number in a comment, so that its bytes are its own."""
    comment = str(number).encode()
    return picture[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + picture[2:]


def make_ads(folder: Path, case: Case) -> None:
    """Write ads with texts, posters and tags, and 50 test ads."""
    rng = np.random.default_rng(0)
    (folder / "posters").mkdir(parents=True)
    designs = [jpeg(design) for design in range(min(DESIGNS, case.n_ads))]
    for number in range(case.n_ads):
        content = with_comment(designs[number % len(designs)], number)
        (folder / "posters" / f"{number}.jpg").write_bytes(content)
    labels = rng.random((case.n_ads, case.n_tags)) < rng.beta(0.6, 3, case.n_tags)
    labels[np.arange(case.n_ads), rng.integers(case.n_tags, size=case.n_ads)] = True
    topics = ["|".join(f"tag {tag}" for tag in np.flatnonzero(row)) for row in labels]
    frame = pd.DataFrame(
        {
            "id": [f"ad{number:05d}" for number in range(case.n_ads)],
            "text": [f"words of ad {number} " * 40 for number in range(case.n_ads)],
            "poster": [f"posters/{number}.jpg" for number in range(case.n_ads)],
            "topics": topics,
        }
    )
    frame.to_csv(folder / "train.csv", index=False)
    test = frame.iloc[:50].assign(id=lambda of: "test" + of["id"]).drop(columns="topics")
    test.to_csv(folder / "test.csv", index=False)
    (folder / "competition.toml").write_text(
        'name = "made"\ntrain = "train.csv"\ntest = "test.csv"\nid = "id"\n'
        '[[tags]]\ncolumn = "topics"\ndimension = "topic"\nseparator = "|"\n'
        '[inputs.text]\nkind = "text"\ncolumn = "text"\n'
        '[inputs.poster]\nkind = "image"\ncolumn = "poster"\n',
        encoding="utf-8",
    )


def make_stack(ads: Path, out: Path, n_models: int) -> None:
    """Store noisy predictions of each model, and stack them."""
    dataset, rng = load_dataset(ads), np.random.default_rng(1)
    out.mkdir(exist_ok=True)
    for number in range(n_models):
        noise = rng.normal(0, 2 + 0.1 * number, dataset.labels.shape)
        oof = 1 / (1 + np.exp(-(3 * (dataset.labels - 0.5) + noise - 1)))
        paths = []
        for ids, p in ((dataset.train_ids, oof), (dataset.test_ids, oof[: len(dataset.test_ids)])):
            frame = pd.DataFrame(p, columns=dataset.tag_names)
            frame.insert(0, "id", ids)
            paths.append(out / f"{len(paths)}.parquet")
            frame.to_parquet(paths[-1])
        add_oof(f"made_{number}", ads, *paths, out)
    stack(ads, load_stack_settings(["level2.model=mean"]), out, n_jobs=1)


def report(ads: Path, out: Path, n_ads: int) -> tuple[float, float]:
    """Seconds on the clock, and of all processors, of one call."""
    command = [sys.executable, "-m", "competition", "report", "--data", str(ads)]
    command += ["--out", str(out), "--ads", str(n_ads), "--jobs", str(JOBS)]
    start, used = time.perf_counter(), os.times()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    seconds, now = time.perf_counter() - start, os.times()
    processors = now.children_user + now.children_system - used.children_user - used.children_system
    return seconds, processors


def main(cases: tuple[Case, ...] = CASES, result: Path = RESULT) -> None:
    """Measure, print the table and write it."""
    rows = [
        "| ads | tags | models | ads on the page | call | seconds | processor seconds | MB |",
        "|---:|---:|---:|---:|---|---:|---:|---:|",
    ]
    for case in cases:
        with tempfile.TemporaryDirectory() as folder:
            ads, out = Path(folder, "ads"), Path(folder, "out")
            make_ads(ads, case)
            make_stack(ads, out, case.n_models)
            for call in ("first", "again"):
                seconds, processors = report(ads, out, case.on_page)
                size = (out / "oof" / "made" / "report" / "index.html").stat().st_size / 1e6
                rows.append(
                    f"| {case.n_ads:,} | {case.n_tags} | {case.n_models} | {case.on_page:,} | "
                    f"{call} | {seconds:.1f} | {processors:.1f} | {size:.1f} |"
                )
    text = "\n".join(
        [
            "# The page",
            "",
            f"`competition report --jobs {JOBS}` of ads with a text and a poster of {SIZE[0]} x "
            f"{SIZE[1]} pixels. The first call draws the previews of the ads that it shows.",
            "",
            *rows,
            "",
            LIMITS,
            "",
            "`python -m benchmarks.page` writes this page.",
        ]
    )
    print(text)
    write_text(result, text + "\n")


if __name__ == "__main__":
    main()
