"""What models, extractors and meta-learners cost on the demo: the table that estimates begin with.

    python -m benchmarks.model_costs --out DIR [--checkpoint FOLDER] [--only NAME ...]

DIR holds a finished `run` of the demo: its ads, features and OOF predictions. Every part runs in a
process of its own, on one core; what is printed goes into `competition/pipeline/cost_table.py`.
"""

import argparse
import multiprocessing
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from competition.config.profile import Profile, load_profile
from competition.config.stages import Level1Settings
from competition.features.registry import find_extractors
from competition.level2.registry import find_meta_learners, get_meta_learner
from competition.level2.selection import nested_selection
from competition.pipeline.context import Context, demo_folder, open_context, open_store
from competition.pipeline.crossfit import FoldTask, fit_and_predict, model_defaults
from competition.pipeline.extract import extract, extract_features
from competition.pipeline.level1 import level1_job
from competition.pipeline.plan import plan_metadata, plan_models
from competition.pipeline.stack import stored_models
from competition.pipeline.stack_input import stack_input

LEVEL1 = {  # what each model reads; "" is whatever it can
    "c2ae_features": "visual",
    "frames": "visual",
    "fusion": "",
    "hmam": "visual",
    "joint_nblogreg": "",
    "knn": "",
    "lightgbm": "",
    "mlgcn_features": "visual",
    "probe": "visual",
    "shared_trees": "",
    "sound": "sound",
    "text_net": "ocr",
    "tfidf_linearsvc": "",
    "tfidf_logreg": "",
    "tfidf_nblogreg": "",
    "xgboost": "",
}


def opened(out: Path, **changed: Any) -> Context[Profile]:
    """Open the demo with its features."""
    profile = load_profile("demo").model_copy(update=changed)
    context = open_context(demo_folder(out), profile, out, n_jobs=1, device="cpu")
    return extract_features(context)[0]


def level1(out: Path, name: str) -> float:
    """Fit two folds of a model; return the seconds of five."""
    inputs = (LEVEL1[name],) if LEVEL1[name] else None
    context = opened(out, models=(), level1={name: Level1Settings(inputs=inputs)})
    store = open_store(context)
    (planned,) = plan_models(context.profile, context.dataset)
    job = level1_job(planned, context, store.folds)
    seconds = []
    for fold in range(2):
        task = FoldTask(job, fold, store, context.dataset.labels, model_defaults(context))
        seconds.append(fit_and_predict(task)[1].seconds)
    return store.folds.n * min(seconds)


def learner(out: Path, name: str) -> float:
    """Time all fits that nested selection makes of a meta-learner."""
    context = opened(out)
    store = open_store(context)
    metadata = plan_metadata(context.profile, context.dataset)
    data, test = stack_input(store, stored_models(store, context), context.dataset, metadata)
    make = get_meta_learner(name).make
    start = time.perf_counter()
    nested_selection({name: make(), "mean": get_meta_learner("mean").make()}, data, test)
    return time.perf_counter() - start


def extractor(out: Path, name: str, checkpoint: str | None) -> float:
    """Extract ten films anew; return the seconds of one of them."""
    import shutil
    import tempfile

    table: dict[str, Any] = {"extractor": name}
    table |= {"checkpoint": checkpoint} if checkpoint else {}
    profile = Profile.model_validate({"features": {"it": table}})
    with tempfile.TemporaryDirectory() as folder:
        ads = Path(folder, "ads")
        shutil.copytree(out / "few", ads)
        start = time.perf_counter()
        _, done = extract(ads, profile, folder, n_jobs=1, device="cpu")
        return (time.perf_counter() - start) / max(1, done[-1].n_new)


def measured(function: Callable[..., float], *arguments: Any) -> tuple[float, float]:
    """Call a function in a new process; return what it returns, and the GiB that it held."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_with_memory, (function, arguments))


def _with_memory(function: Callable[..., float], arguments: tuple[Any, ...]) -> tuple[float, float]:
    found = function(*arguments)
    return found, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--checkpoint")
    parser.add_argument("--only", nargs="*")
    args = parser.parse_args()
    for kind, names in (
        (level1, list(LEVEL1)),
        (learner, find_meta_learners("*")),
        (extractor, find_extractors("*") if args.checkpoint else []),
    ):
        for name in names:
            if args.only and name not in args.only:
                continue
            given = (args.out, name) + ((args.checkpoint,) if kind is extractor else ())
            try:
                seconds, memory = measured(kind, *given)
            except Exception as bad:
                print(f"    # {kind.__name__} {name}: {bad}", flush=True)
                continue
            print(f'    "{name}": ({seconds:.2f}, {memory:.1f}),  # {kind.__name__}', flush=True)


if __name__ == "__main__":
    main()
