"""Speed and score of the linear text models; run as `python -m benchmarks.linear_oof [--ads N]`.

Out-of-fold predictions of logistic regression and of linear support vector machines over words and
word pairs, 5 folds, on demo ads. Ours counts the terms of each ad once, then fits `tfidf_logreg`
and `tfidf_linearsvc`, each with the inner cross-validation that calibrates it. The rival is what
most people write: `cross_val_predict` over a pipeline of `TfidfVectorizer`, cutting with jieba,
and `OneVsRestClassifier`, once for each model. Both have the same folds and one core, in one run;
compiling is part of our time where no cache holds it yet. The table goes to
benchmarks/linear_oof.md.
"""

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from competition.datasets import load_dataset
from competition.demo.make import make_demo
from competition.evaluation.metrics import gap, mean_average_precision
from competition.level1.registry import get_model
from competition.text.terms import TermsSpec, extract_terms
from competition.utils.files import write_text

N_FOLDS = 5
MODELS = {"tfidf_logreg": "LogisticRegression", "tfidf_linearsvc": "LinearSVC"}
Predictions = dict[str, np.ndarray]


def ours(texts: pd.DataFrame, labels: np.ndarray, fold: np.ndarray) -> Predictions:
    """OOF probabilities by model."""
    spec = TermsSpec()
    columns = {
        name: pd.Series(extract_terms(texts[name], spec), index=texts.index) for name in texts
    }
    terms = pd.DataFrame(columns)
    oof = {name: np.empty(labels.shape, dtype=np.float32) for name in MODELS}
    for name in MODELS:
        for held_out in (fold == k for k in range(N_FOLDS)):
            model = get_model(name).make()
            model.fit(terms[~held_out], labels[~held_out])
            oof[name][held_out] = model.predict_proba(terms[held_out])
    return oof


def cut(text: str) -> list[str]:
    """Cut with jieba; its bound methods cannot be cloned with an estimator."""
    import jieba

    return jieba.lcut(text)


def usual(texts: pd.DataFrame, labels: np.ndarray, fold: np.ndarray) -> Predictions:
    """OOF probabilities of the logistic regression, OOF decision values of the other."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import PredefinedSplit, cross_val_predict
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import LinearSVC

    joined = texts.agg(" ".join, axis=1).to_list()
    oof = {}
    for name, classifier, method in (
        ("tfidf_logreg", LogisticRegression(), "predict_proba"),
        ("tfidf_linearsvc", LinearSVC(), "decision_function"),
    ):
        words = TfidfVectorizer(tokenizer=cut, token_pattern=None, ngram_range=(1, 2))
        pipeline = make_pipeline(words, OneVsRestClassifier(classifier))
        oof[name] = cross_val_predict(
            pipeline, joined, labels, cv=PredefinedSplit(fold), method=method
        )
    return oof


def timed(
    how: Callable[[pd.DataFrame, np.ndarray, np.ndarray], Predictions],
    texts: pd.DataFrame,
    labels: np.ndarray,
    fold: np.ndarray,
) -> tuple[float, Predictions]:
    """Seconds, and what came of it."""
    start = time.perf_counter()
    oof = how(texts, labels, fold)
    return time.perf_counter() - start, oof


def table(
    labels: np.ndarray, usual_run: tuple[float, Predictions], our_run: tuple[float, Predictions]
) -> str:
    """Markdown: seconds of both for both models together, and the scores of each."""
    (usual_seconds, usual_oof), (our_seconds, our_oof) = usual_run, our_run
    rows = [
        "# Out-of-fold predictions of the linear text models",
        "",
        f"{len(labels):,} demo ads, {labels.shape[1]} tags, {N_FOLDS} folds, words and word pairs, "
        "one core. Made by `python -m benchmarks.linear_oof`.",
        "",
        "| | cross_val_predict | ours | ratio |",
        "|---|---|---|---|",
        f"| seconds, both models | {usual_seconds:.1f} | {our_seconds:.1f} "
        f"| {usual_seconds / our_seconds:.1f} |",
    ]
    for name, rival in MODELS.items():
        scores = [
            f"| {metric.__name__}, {rival} | {metric(labels, usual_oof[name]):.4f} "
            f"| {metric(labels, our_oof[name]):.4f} | |"
            for metric in (gap, mean_average_precision)
        ]
        rows += scores
    return "\n".join(rows) + "\n"


def main() -> None:
    """Run both and write the table."""
    from threadpoolctl import threadpool_limits

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ads", type=int, default=5000, help="number of demo ads")
    n_ads = parser.parse_args().ads
    with tempfile.TemporaryDirectory() as folder:
        make_demo(Path(folder) / "demo", n_ads, seed=0, films=False)
        dataset = load_dataset(Path(folder) / "demo")
    texts = dataset.ads.loc[dataset.train_ids, ["ocr", "asr"]]
    fold = np.random.default_rng(0).permutation(n_ads) % N_FOLDS
    warnings.filterwarnings("ignore", message="Label not .* is present in all training examples")
    with threadpool_limits(1):
        our_run = timed(ours, texts, dataset.labels, fold)
        usual_run = timed(usual, texts, dataset.labels, fold)
    result = table(dataset.labels, usual_run, our_run)
    print(result)
    write_text(Path(__file__).with_suffix(".md"), result)


if __name__ == "__main__":
    main()
