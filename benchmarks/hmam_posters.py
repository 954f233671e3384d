"""What each part of HMAM adds on film posters, beside a linear probe of the same features.

    python -m benchmarks.hmam_posters --data POSTERS --work DIR --encoder DINOV2 [--splits 5]

POSTERS is a folder of ads with pictures; DINOV2 an encoder for picture and cells. Features are
those of `benchmark image-ads` (profile `image_ads`, Tesseract's words, FastText on the words of all
ads). Each case is fitted on 70 % of the ads, its epoch is chosen on 10 %, its mAP measured on 20 %;
split k has the seed k. Lines of finished cases stay in DIR/lines.jsonl, so that it goes on where it
stopped. The table goes to benchmarks/hmam_posters.md.
"""

import argparse
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from competition.config.profile import load_profile
from competition.datasets.base import AdDataset
from competition.evaluation.metrics import average_precisions
from competition.features.columns import read_columns
from competition.features.prepare import prepare_columns
from competition.level1.components.word_vectors import embed, first_words, load_vectors
from competition.level1.models.hmam import Hmam
from competition.level1.models.probe import Probe
from competition.pipeline.context import open_context
from competition.pipeline.extract import extract_features
from competition.reproductions.look_read_feel.inputs import fitted_vectors, given
from competition.reproductions.look_read_feel.split import split_ads
from competition.utils.files import write_text

RESULT = Path(__file__).with_suffix(".md")
MAX_WORDS = 32
PICTURE, CELLS, WORDS = "look", "grid", "words"
ALL = (PICTURE, CELLS, WORDS)
SMALL = {"dim": 256, "epochs": 24, "drop_every": 8}
PAPER = {"dim": 1024, "epochs": 45, "drop_every": 15}


@dataclass(frozen=True)
class Case:
    """A model on some inputs and a share of the training ads.

    Attributes
    ----------
    label : str
    inputs : tuple of str
    params : dict or None
        Of HMAM; None is a probe, which reads the mean word vector of a text.
    every : int
        Each so many-th training ad is learned from.
    blanked : bool
        Whether the test ads are also predicted without their words.
    """

    label: str
    inputs: tuple[str, ...] = ALL
    params: Mapping[str, Any] | None = None
    every: int = 1
    blanked: bool = False


def hmam(label: str, inputs: tuple[str, ...] = ALL, every: int = 1, **params: Any) -> Case:
    return Case(label, inputs, {**SMALL, **params}, every, WORDS in inputs and PICTURE in inputs)


CASES = [
    Case("probe: picture", (PICTURE,)),
    Case("probe: words", (WORDS,)),
    Case("probe: picture, words", (PICTURE, WORDS)),
    Case("probe: picture, words, cells", (PICTURE, WORDS, CELLS)),
    hmam("HMAM: picture", (PICTURE,)),
    hmam("HMAM: words", (WORDS,)),
    hmam("HMAM: picture, words", (PICTURE, WORDS)),
    hmam("HMAM: picture, words, cells"),
    hmam("HMAM, single-task", multitask=False),
    hmam("HMAM, alpha 1, beta 1", alpha=1.0, beta=1.0),
    hmam("HMAM, alpha 1, beta 1, weight decay 0.1", alpha=1.0, beta=1.0, weight_decay=0.1),
    hmam("HMAM, alpha 0.01, beta 0.0025", alpha=0.01, beta=0.0025),
    hmam("HMAM, alpha 200, beta 200", beta=200.0),
    hmam("HMAM, alpha 200, beta 5", beta=5.0),
    Case("probe: picture, words; half the ads", (PICTURE, WORDS), every=2),
    Case("probe: picture, words; a quarter", (PICTURE, WORDS), every=4),
    hmam("HMAM; half the ads", every=2),
    hmam("HMAM; a quarter", every=4),
    hmam("HMAM, the paper's dim and epochs", **PAPER),
    hmam("HMAM, the paper's dim and epochs, single-task", **PAPER, multitask=False),
]


@dataclass(frozen=True)
class Posters:
    """Ads with the features that all cases read, and the file of word vectors."""

    dataset: AdDataset
    frame: pd.DataFrame
    vectors: str
    dimensions: np.ndarray = field(repr=False)


def read_posters(data: Path, work: Path, encoder: str) -> Posters:
    """Extract the features, or read them where they are cached."""
    profile = load_profile(
        "image_ads",
        [f"features.{name}.checkpoint={json.dumps(encoder)}" for name in (PICTURE, CELLS)],
    )
    context = open_context(data, profile, work)
    had = given(profile, context.dataset, context.progress)
    context, _ = extract_features(replace(context, profile=had.extracted))
    dataset = context.dataset
    columns = prepare_columns(dataset, ALL, None, context.columns_folder, context.progress)
    frame = read_columns(columns)
    vectors = fitted_vectors(frame, MAX_WORDS, work, profile.seed)
    words = load_vectors(vectors)
    frame["mean word"] = [
        embed(words, found).mean(axis=0)[None] if (found := first_words(text, MAX_WORDS)) else None
        for text in frame[WORDS]
    ]
    return Posters(dataset, frame, vectors, np.array([tag.dimension for tag in dataset.tags]))


def scored(case: Case, posters: Posters, number: int) -> dict[str, Any]:
    """Fit a case on a split, and score it on its test ads."""
    start = time.perf_counter()
    split, every = split_ads(posters.dataset, number), slice(None, None, case.every)
    labels = split.train.labels[every]
    found: dict[str, Any] = {"case": case.label, "split": number}
    if case.params is None:
        names = ["mean word" if name == WORDS else name for name in case.inputs]
        probe = Probe(random_state=number)
        probe.fit(posters.frame.loc[split.train.ids[every], names], labels)
        predicted = probe.predict_proba(posters.frame.loc[split.test.ids, names])
    else:
        names = list(case.inputs)
        model = Hmam(
            **case.params,
            objects=CELLS,
            vectors=posters.vectors,
            dimensions=tuple(posters.dimensions),
            random_state=number,
            n_jobs=1,
        )
        model.fit_validated(
            posters.frame.loc[split.train.ids[every], names],
            labels,
            posters.frame.loc[split.validation.ids, names],
            lambda values: average_precisions(split.validation.labels, values),
        )
        tests = posters.frame.loc[split.test.ids, names]
        predicted = model.predict_proba(tests)
        if case.blanked:
            without = model.predict_proba(tests.assign(**{WORDS: ""}))
            found["blanked"] = means(split.test.labels, without, posters.dimensions)
    found["map"] = means(split.test.labels, predicted, posters.dimensions)
    return {**found, "seconds": time.perf_counter() - start}


def means(labels: np.ndarray, predicted: np.ndarray, dimensions: np.ndarray) -> dict[str, float]:
    """Mean average precision of each dimension's tags."""
    precisions = average_precisions(labels, predicted)
    return {
        str(name): float(np.nanmean(precisions[dimensions == name]))
        for name in dict.fromkeys(dimensions)
    }


def note(lines: list[dict[str, Any]], posters: Posters) -> str:
    """Table of means and standard deviations over splits."""
    tasks = list(dict.fromkeys(posters.dimensions))
    rows = [f"| | {' | '.join(tasks)} | splits |", f"|---|{'---:|' * (len(tasks) + 1)}"]
    for case in CASES:
        own = [line for line in lines if line["case"] == case.label]
        rows += _row(case.label, [line["map"] for line in own], tasks)
        if case.blanked and case.params == SMALL and case.every == 1:
            rows += _row(f"{case.label}, tested without", [line["blanked"] for line in own], tasks)
    n_words = [len(first_words(text, MAX_WORDS)) for text in posters.frame[WORDS]]
    return f"""# What each part of HMAM adds on film posters

{len(posters.dataset.train_ids):,} ads, split 70, 10 and 20 % at random; {np.mean(n_words):.1f}
words an ad. Picture and cells (4 x 4) are vectors of one encoder, words are read by Tesseract and
made into FastText vectors of all ads' words. Where a row says nothing else: dim {SMALL["dim"]},
{SMALL["epochs"]} epochs, the learning rate falls tenfold every {SMALL["drop_every"]}, alpha 200,
beta 50, multi-task. The paper's: dim {PAPER["dim"]}, a fall every {PAPER["drop_every"]} epochs,
here {PAPER["epochs"]} of them. Mean average precision on the test ads: mean and standard deviation
over the splits.

{chr(10).join(rows)}

`python -m benchmarks.hmam_posters` writes this page.
"""


def _row(label: str, found: list[dict[str, float]], tasks: list[str]) -> list[str]:
    if not found:
        return []
    values = np.array([[one[task] for task in tasks] for one in found])
    spread = values.std(axis=0, ddof=1) if len(values) > 1 else np.full(len(tasks), np.nan)
    cells = [
        f"{mean:.3f}" + ("" if np.isnan(one) else f" ± {one:.3f}")
        for mean, one in zip(values.mean(axis=0), spread, strict=True)
    ]
    return [f"| {label} | {' | '.join(cells)} | {len(values)} |"]


def main(arguments: list[str] | None = None) -> None:
    """Run what is not there yet, and write the note."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--encoder", required=True)
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--only", action="append", help="label of a case; may be repeated")
    parser.add_argument("--result", type=Path, default=RESULT)
    args = parser.parse_args(arguments)
    posters = read_posters(args.data, args.work, args.encoder)
    stored = args.work / "lines.jsonl"
    lines = (
        [json.loads(line) for line in stored.read_text("utf-8").splitlines()]
        if stored.is_file()
        else []
    )
    done = {(line["case"], line["split"]) for line in lines}
    for number in range(args.splits):
        for case in CASES:
            if (case.label, number) in done or (args.only and case.label not in args.only):
                continue
            lines.append(scored(case, posters, number))
            with stored.open("a", encoding="utf-8") as file:
                file.write(json.dumps(lines[-1]) + "\n")
            print(lines[-1], flush=True)
    write_text(args.result, note(lines, posters))


if __name__ == "__main__":
    main()
