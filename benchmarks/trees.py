"""Trees that all tags share against trees of each tag: `python -m benchmarks.trees [DIR ...]`.

Out-of-fold predictions of `lightgbm`, `xgboost` and `shared_trees` in 5 random folds. Each
dataset's texts are counted once, before the clock starts; seconds are the processor's, of features,
fits and predictions in all folds. The stack is `pooled` over the three linear text models and the
trees.
The demo ads are made without films; further folders of ads are named on the command line, and
`debtags` and `sections` stand for descriptions of Debian packages, as the machine's `apt-cache` has
them, with their 65 most common debtags (3 a package) or their section as tags. ``debtags:4000``
takes that many of a set. The table goes to benchmarks/trees.md.
"""

import argparse
import random
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from competition.datasets import load_dataset
from competition.demo.make import make_demo
from competition.evaluation.bootstrap import gap_difference
from competition.evaluation.metrics import gap
from competition.level1.components.reduced import REDUCED_TERMS
from competition.level1.registry import get_model
from competition.level2.crossfit import cross_fit
from competition.level2.data import Ads, StackData
from competition.level2.registry import get_meta_learner
from competition.text.terms import TermsSpec, extract_terms
from competition.utils.files import write_text

N_FOLDS = 5
LINEAR = ("tfidf_logreg", "tfidf_linearsvc", "tfidf_nblogreg")
MOST_TAGS = 65
DEBIAN = ("debtags", "sections")


TREES = (("lightgbm",), ("xgboost",), ("lightgbm", "xgboost"), ("shared_trees",))


class Case(NamedTuple):
    """A dataset: texts as str and metadata, labels (n_ads, n_tags), and folds (n_ads,)."""

    name: str
    ads: pd.DataFrame
    labels: np.ndarray
    fold: np.ndarray


def case(name: str, ads: pd.DataFrame, labels: np.ndarray, most: int | None = None) -> Case:
    """The first ads, in random folds."""
    ads, labels = ads[:most], labels[:most]
    fold = np.random.default_rng(0).permutation(len(ads)) % N_FOLDS
    return Case(name, ads, labels, fold)


def case_of_folder(folder: Path, most: int | None = None) -> Case:
    """Texts and metadata of a folder of ads."""
    dataset = load_dataset(folder)
    inputs = [one for one in dataset.inputs.values() if one.kind in ("text", "metadata")]
    columns = [column for one in inputs for column in one.columns]
    return case(dataset.name, dataset.ads.loc[dataset.train_ids, columns], dataset.labels, most)


def case_of_packages(tags_of: str, most: int | None = None) -> Case:
    """Descriptions of Debian packages, shuffled, with their size and architecture."""
    listed = subprocess.run(["apt-cache", "dumpavail"], capture_output=True, check=True).stdout
    packages: dict[str, dict[str, str]] = {}
    for lines in listed.decode().replace("\n ", " ").split("\n\n"):
        package = dict(line.split(": ", 1) for line in lines.splitlines() if ": " in line)
        packages.setdefault(package.get("Description", ""), package)
    packages.pop("", None)
    chosen = sorted(packages.items())
    random.Random(0).shuffle(chosen)
    key = {"debtags": "Tag", "sections": "Section"}[tags_of]
    tags = [{tag for tag in package.get(key, "").split(", ") if tag} for _, package in chosen]
    counts = Counter(tag for one in tags for tag in one)
    common = [tag for tag, count in counts.most_common(MOST_TAGS) if count > 30]
    labels = np.array([[tag in one for tag in common] for one in tags], dtype=np.uint8)
    ads = pd.DataFrame(
        {
            "text": [text for text, _ in chosen],
            "size": [float(package.get("Installed-Size", "nan")) for _, package in chosen],
            "architecture": [package["Architecture"] for _, package in chosen],
        }
    ).astype({"text": object, "architecture": "category"})
    tagged = labels.any(axis=1)
    return case(f"Debian, {tags_of}", ads[tagged], labels[tagged], most)


def counted(ads: pd.DataFrame, spec: TermsSpec, texts_alone: bool) -> pd.DataFrame:
    """Texts as counted terms, beside the metadata or alone."""
    texts = [name for name in ads if not isinstance(ads[name].dtype, pd.CategoricalDtype)]
    texts = [name for name in texts if not pd.api.types.is_numeric_dtype(ads[name])]
    terms = {name: pd.Series(extract_terms(ads[name], spec), index=ads.index) for name in texts}
    return pd.DataFrame(terms) if texts_alone else ads.assign(**terms)


def out_of_fold(
    make: Callable[[], Any], ads: pd.DataFrame, given: Case
) -> tuple[float, np.ndarray]:
    """Seconds of the processor, and the OOF probabilities."""
    oof = np.empty(given.labels.shape, dtype=np.float32)
    start = time.process_time()
    for held_out in (given.fold == k for k in range(N_FOLDS)):
        model = make().fit(ads[~held_out], given.labels[~held_out])
        oof[held_out] = model.predict_proba(ads[held_out])
    return time.process_time() - start, oof


def stacked(given: Case, models: dict[str, np.ndarray]) -> np.ndarray:
    """OOF probabilities of the stack of these models."""
    values = np.stack(list(models.values()), axis=1)
    none = np.zeros((len(given.ads), 0), dtype=bool)
    ads = Ads(values, pd.DataFrame(index=range(len(given.ads))), none)
    reads = np.zeros((len(models), 0), dtype=bool)
    data = StackData(tuple(models), reads, ads, given.labels, given.fold, top_k=20)
    return cross_fit(get_meta_learner("pooled").make(), data).oof


def rows(given: Case) -> Iterator[str]:
    """Rows of the table: trees of each tag, alone and both, and trees that all tags share."""
    linear = {}
    for name in LINEAR:
        entry = get_model(name)
        texts = counted(given.ads, entry.make().text_terms, texts_alone=True)
        linear[name] = out_of_fold(entry.make, texts, given)[1]
    ads = counted(given.ads, REDUCED_TERMS, texts_alone=False)
    runs = {name: out_of_fold(get_model(name).make, ads, given) for (name, *_) in TREES}
    title = f"{given.name}, {len(given.ads):,} x {given.labels.shape[1]}"
    shared = stacked(given, linear | {name: runs[name][1] for name in TREES[-1]})
    for names in TREES:
        stack = stacked(given, linear | {name: runs[name][1] for name in names})
        gain = gap_difference(given.labels, shared, stack)
        alone = f"{gap(given.labels, runs[names[0]][1]):.4f}" if len(names) == 1 else ""
        yield (
            f"| {title} | {' and '.join(names)} | {sum(runs[name][0] for name in names):.1f} "
            f"| {alone} | {gap(given.labels, stack):.4f} "
            f"| {gain.value:+.4f} ({gain.low:+.4f} to {gain.high:+.4f}) |"
        )


def cases(asked: list[str]) -> Iterator[Case]:
    """The demo, and what was asked for."""
    with tempfile.TemporaryDirectory() as folder:
        make_demo(Path(folder) / "demo", 500, seed=0, films=False)
        yield case_of_folder(Path(folder) / "demo")
    for one in asked:
        name, _, most = one.partition(":")
        read = case_of_packages if name in DEBIAN else case_of_folder
        yield read(Path(name) if read is case_of_folder else name, int(most) if most else None)


def main() -> None:
    """Measure, print the table and write it."""
    from threadpoolctl import threadpool_limits

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("datasets", nargs="*", help="folders of ads, debtags or sections")
    lines = [
        "# Trees that all tags share against trees of each tag",
        "",
        "Seconds of one processor, all folds. The stack is `pooled` over three linear text models "
        "and the trees; the last column is what it gains where `shared_trees` stands in their "
        "place, with a 95% interval over ads. Made by `python -m benchmarks.trees`, see there.",
        "",
        "| ads x tags | trees | seconds | GAP | stack | gain of `shared_trees` |",
        "|---|---|---:|---:|---:|---:|",
    ]
    with threadpool_limits(1):
        for given in cases(parser.parse_args().datasets):
            for line in rows(given):
                print(line, flush=True)
                lines.append(line)
    write_text(Path(__file__).with_suffix(".md"), "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
