"""The stack against scikit-learn's StackingClassifier, one per tag, on the film posters.

    python -m benchmarks.stacking_classifier --data DIR [--tags N]

Both see the same texts and metadata and are scored by the same five folds. The rival: per outer
fold one tf-idf matrix with one-hot and standardised metadata beside it, then for every tag a
StackingClassifier of logistic regression, LinearSVC and LightGBM with a logistic regression on top
(its own inner cv of 5). Tags on which it fails, for want of positives in an inner fold, get their
prior. Ours is the whole of `run --profile posters`, from reading the folder to the submission.
"""

import argparse
import os
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from competition.config.profile import load_profile
from competition.datasets.base import AdDataset
from competition.evaluation.metrics import gap
from competition.execution.devices import n_cores
from competition.folds import Folds
from competition.pipeline.run import run
from competition.utils.files import write_text

RESULT = Path(__file__).with_suffix(".md")


def rival_oof(dataset: AdDataset, folds: Folds) -> tuple[np.ndarray, int]:
    """OOF probabilities of the rival, and how many (tag, fold) pairs it could not fit."""
    from joblib import Parallel, delayed

    frame = dataset.ads.loc[dataset.train_ids]
    oof = np.zeros(dataset.labels.shape)
    n_failed = 0
    for fold in range(folds.n):
        held_out = folds.of_ad == fold
        X_fit, X_held = rival_features(dataset, frame[~held_out], frame[held_out])
        results = Parallel(n_jobs=n_cores())(
            delayed(rival_tag)(X_fit, dataset.labels[~held_out, tag], X_held)
            for tag in range(dataset.labels.shape[1])
        )
        for tag, probabilities in enumerate(results):
            n_failed += probabilities is None
            prior = dataset.labels[~held_out, tag].mean()
            oof[held_out, tag] = prior if probabilities is None else probabilities
    return oof, n_failed


def rival_features(dataset: AdDataset, fit: pd.DataFrame, held: pd.DataFrame) -> tuple:
    """Fit tf-idf and the scaling of metadata on the training part; transform both parts."""
    from sklearn.compose import make_column_transformer
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    metadata = [c for i in dataset.inputs.values() if i.kind == "metadata" for c in i.columns]
    numbers = [c for c in metadata if fit[c].dtype == "float64"]
    categories = [c for c in metadata if c not in numbers]
    texts = [c for i in dataset.inputs.values() if i.kind == "text" for c in i.columns]
    transformer = make_column_transformer(
        *((TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2), c) for c in texts),
        (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
        (OneHotEncoder(handle_unknown="ignore", min_frequency=5), categories),
    )
    return transformer.fit_transform(fit).tocsr(), transformer.transform(held).tocsr()


def rival_tag(X: object, y: np.ndarray, X_held: object) -> np.ndarray | None:
    """Probabilities of one tag for the held-out ads, or None where fitting fails."""
    from lightgbm import LGBMClassifier
    from sklearn.ensemble import StackingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import LinearSVC

    warnings.filterwarnings("ignore")
    model = StackingClassifier(
        [
            ("logreg", LogisticRegression(C=10, max_iter=1000)),
            ("svc", LinearSVC()),
            ("lightgbm", LGBMClassifier(n_jobs=1, verbose=-1)),
        ],
        final_estimator=LogisticRegression(),
        cv=5,
    )
    try:
        return model.fit(X, y).predict_proba(X_held)[:, 1]
    except ValueError:
        return None


def main() -> None:
    default = Path(os.environ.get("ADS_DATA", "../shared/data")) / "movie_posters"
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=default)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as out:
        start = time.perf_counter()
        result = run(arguments.data, load_profile("posters"), Path(out))
        ours = time.perf_counter() - start
    dataset, folds = result.dataset, result.store.folds
    start = time.perf_counter()
    oof, n_failed = rival_oof(dataset, folds)
    theirs = time.perf_counter() - start
    rows = [
        "| | OOF GAP | OOF GAP, genres alone | seconds |",
        "|---|---:|---:|---:|",
    ]
    for card in sorted(result.cards, key=lambda card: card.scores.gap):
        rows.append(
            f"| {card.model} | {card.scores.gap:.4f} | "
            f"{card.scores.gap_by_dimension['genre']:.4f} | {card.seconds:.1f} |"
        )
    stack = result.stack.scores
    genre = np.array([tag.dimension == "genre" for tag in dataset.tags])
    rows += [
        f"| **the stack, whole run** | **{stack.gap:.4f}** | "
        f"**{stack.gap_by_dimension['genre']:.4f}** | **{ours:.1f}** |",
        f"| StackingClassifier per tag | {gap(dataset.labels, oof):.4f} | "
        f"{gap(dataset.labels[:, genre], oof[:, genre]):.4f} | {theirs:.1f} |",
        "",
        f"Ratio of seconds, rival to ours: {theirs / ours:.1f}, on {n_cores()} cores. "
        f"(tag, fold) pairs that the rival could not fit: {n_failed}.",
    ]
    text = "# Film posters: the stack against StackingClassifier\n\n" + "\n".join(rows) + "\n"
    print(text)
    write_text(RESULT, text)


if __name__ == "__main__":
    main()
