"""What saved stacks cost: saving, size, loading, one ad, one film, many texts.

    python -m benchmarks.predict [--ads N] [--texts N] [--profile NAME] [--data DIR]

Everything runs in this process, on one core, and is counted in processor seconds, so that what runs
beside it on the machine counts for nothing. 10,000 texts are tagged by a stack of three text models
and by a scikit-learn pipeline in place of each of its models, fitted to the same folds.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from competition.config.profile import load_profile
from competition.datasets import load_dataset
from competition.demo.make import make_demo
from competition.pipeline import crossfit
from competition.pipeline.run import RunResult, run
from competition.saved.save import save_stack
from competition.saved.stack import SavedStack, load_stack
from competition.text.words import tokenize
from competition.utils.files import write_text

RESULT = Path(__file__).with_suffix(".md")
REPEATS = 15
TEXT_MODELS = ["tfidf_linearsvc", "tfidf_logreg", "tfidf_nblogreg"]


def seconds(call: Callable[[], Any]) -> float:
    """Processor seconds of a call."""
    start = time.process_time()
    call()
    return time.process_time() - start


@contextmanager
def counted(module: Any, name: str) -> Iterator[list[float]]:
    """Collect the processor seconds of every call of a module's function."""
    function, found = getattr(module, name), []

    def timed(*given: Any, **named: Any) -> Any:
        start = time.process_time()
        try:
            return function(*given, **named)
        finally:
            found.append(time.process_time() - start)

    setattr(module, name, timed)
    try:
        yield found
    finally:
        setattr(module, name, function)


def megabytes(folder: Path) -> float:
    return sum(one.stat().st_size for one in folder.rglob("*") if one.is_file()) / 1e6


def saving(data: Path, profile: str, out: Path) -> tuple[RunResult, float]:
    """Run the demo and save its stack; return the share that saving adds to the run."""
    settings = load_profile(profile)
    with counted(crossfit, "write_model") as keeping:
        start = time.process_time()
        result = run(data, settings, out, n_jobs=1, keep="folds")
        whole = time.process_time() - start
    saved = seconds(lambda: save_stack(result, out / "folds"))
    added = sum(keeping) + saved
    return result, added / (whole - sum(keeping))


def one_ad(stack: SavedStack, frame: pd.DataFrame, root: Path) -> float:
    """Median of the processor seconds that one ad takes, after the first."""
    stack.predict_proba(frame, root=root)
    return statistics.median(
        seconds(lambda: stack.predict_proba(frame, root=root)) for _ in range(REPEATS)
    )


def many_texts(data: Path, out: Path, n: int) -> tuple[float, float]:
    """Processor seconds of tagging `n` texts, by a saved stack and by scikit-learn's pipelines."""
    settings = load_profile("text", [f"models={TEXT_MODELS}", "level2.model=mean"])
    result = run(data, settings, out, n_jobs=1, keep="folds")
    save_stack(result, out / "texts")
    dataset, folds = result.dataset, result.store.folds
    columns = [name for name, one in dataset.inputs.items() if one.kind == "text"]
    texts = dataset.ads.loc[dataset.train_ids, columns]
    rng = np.random.default_rng(0)
    drawn = {name: rng.choice(texts[name].to_numpy(object), n) for name in columns}
    new = pd.DataFrame(drawn, index=[f"new {i}" for i in range(n)])
    pipelines = [
        rival(texts[folds.of_ad != k], dataset.labels[folds.of_ad != k])
        for _ in TEXT_MODELS
        for k in range(folds.n)
    ]
    stack = load_stack(out / "texts", n_jobs=1)
    stack.predict_proba(new[:1])  # loads the models
    joined = new.agg(" ".join, axis=1)
    theirs = seconds(lambda: [pipeline.predict_proba(joined) for pipeline in pipelines])
    return seconds(lambda: stack.predict_proba(new)), theirs


def rival(texts: pd.DataFrame, labels: np.ndarray) -> Any:
    """Fit what a user of scikit-learn would: tf-idf of the same words, a regression per tag."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.pipeline import make_pipeline

    words = TfidfVectorizer(
        tokenizer=partial(tokenize, analyzer="word"),
        token_pattern=None,
        ngram_range=(1, 2),
        min_df=2,
        sublinear_tf=True,
    )
    both = (labels.min(axis=0) == 0) & (labels.max(axis=0) == 1)
    pipeline = make_pipeline(words, OneVsRestClassifier(LogisticRegression(C=4.0)))
    return pipeline.fit(texts.agg(" ".join, axis=1), labels[:, both])


def main(given: list[str] | None = None) -> None:
    """Measure, print and write the note."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ads", type=int, default=500)
    parser.add_argument("--texts", type=int, default=10_000)
    parser.add_argument("--profile", default="demo")
    parser.add_argument("--data", type=Path, help="demo ads that are made already")
    parser.add_argument("--result", type=Path, default=RESULT)
    args = parser.parse_args(given)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        data = args.data or out / "ads"
        if args.data is None:
            make_demo(data, args.ads)
        result, share = saving(data, args.profile, out)
        save_stack(result, out / "refit", keep="refit")
        loading = seconds(lambda: load_stack(out / "refit").load())
        stack = load_stack(out / "refit", n_jobs=1)
        ads = load_dataset(data).ads
        texts = [name for name, one in result.own.inputs.items() if one.kind == "text"]
        film = [name for name, one in result.own.inputs.items() if one.kind == "video"]
        text_only = one_ad(stack, ads[texts].head(1), data)
        with_film = one_ad(stack, ads[[*texts, *film]].head(1), data)
        ours, theirs = many_texts(data, out / "text run", args.texts)
        n_ads, n_models = len(result.dataset.train_ids), len(stack.manifest.models)
        sizes = megabytes(out / "refit"), megabytes(out / "folds")
    text = f"""# Saved stacks

The demo: {n_ads} training ads, {n_models} level-1 models. Processor time, one core, one run.

| | | aim |
|---|---:|---:|
| share that saving adds to a run with `--keep folds` | {share:.1%} | at most 10 % |
| size with `--keep refit` | {sizes[0]:.1f} MB | under 60 MB |
| size with `--keep folds` | {sizes[1]:.1f} MB | |
| `load_stack` and all models | {loading:.3g} s | under 3 s |
| one ad, texts alone | {1000 * text_only:.0f} ms | under 50 ms |
| one ad with its film | {1000 * with_film:.0f} ms | under 1 s |
| {args.texts:,} texts, three text models of each fold | {ours:.3g} s | |
| the same texts, a scikit-learn pipeline in place of each model | {theirs:.3g} s | |
| times as fast | {theirs / ours:.1f} | at least 5 |
"""
    print(text)
    write_text(args.result, text)


if __name__ == "__main__":
    main()
