"""What the parts of a saved stack cost, measured on the run's own ads."""

import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from competition.datasets.base import AdDataset
from competition.features.memory import ColumnsInMemory
from competition.pipeline.extract import extract_features
from competition.pipeline.run import RunResult
from competition.saved.budget import Cost, Costs
from competition.saved.new_ads import open_new_ads, with_all_inputs
from competition.saved.stack import SavedStack

ADS = 5  # that are timed, one at a time; a number is their median


def measured(stack: SavedStack, result: RunResult) -> Costs:
    """Time the parts of a stack of all models, and weigh their files.

    Parameters
    ----------
    stack : SavedStack
        With all models of the run, without a cache.
    result : RunResult
    """
    manifest, dataset = stack.manifest, result.dataset
    sources = {one.feature: one.source for one in result.extractions}
    features = [name for name in manifest.profile["features"] if name in sources]

    def chain(name: str) -> frozenset[str]:
        """A feature with those that it is made from."""
        source = sources[name]
        return frozenset([name]) | (chain(source) if source in features else frozenset())

    of_column = {
        column: chain(name) for name in features for column in dataset.inputs[name].columns
    }
    nothing = frozenset[str]()
    reads = {
        name: nothing.union(*(of_column.get(column, nothing) for column in model.columns))
        for name, model in manifest.models.items()
    }
    always = nothing.union(*(of_column.get(one, nothing) for one in manifest.level2.metadata))
    ads = _ads(result)
    stack.answer(ads[0])  # loads what is loaded late
    chains = {name: _median(partial(_extraction, stack, chain(name)), ads) for name in features}
    timed = {name: max(0.0, chains[name] - chains.get(sources[name], 0.0)) for name in features}
    of_models = [_predictions(stack, ad) for ad in ads]
    models = {
        name: Cost(
            1000 * statistics.median(one[name] for one in of_models),
            _mb(stack.folder / "level1" / name),
        )
        for name in manifest.models
    }
    feature_costs = {
        name: Cost(
            1000 * timed[name],
            sum(map(_mb, (stack.folder / "checkpoints").glob(f"{name}-*"))),
        )
        for name in features
    }
    whole = ms_per_ad(stack, result)
    parts = [*models.values(), *feature_costs.values()]
    rest = Cost(
        max(0.0, whole - sum(one.ms for one in parts)),
        _mb(stack.folder) - sum(one.mb for one in parts),
    )
    for name in sorted(always):
        rest += feature_costs.pop(name)
    reads = {name: needed - always for name, needed in reads.items()}
    return Costs(models, feature_costs, reads, rest)


def ms_per_ad(stack: SavedStack, result: RunResult) -> float:
    """Milliseconds that an ad takes by itself, features extracted anew: median over some ads."""
    ads = _ads(result)
    stack.answer(ads[0])  # loads what is loaded late
    return 1000 * _median(lambda ad: _seconds(partial(stack.answer, ad)), ads)


def _ads(result: RunResult) -> list[AdDataset]:
    """Some training ads, each as a dataset of its own, as they come: without features."""
    own, ids = result.own, result.dataset.train_ids
    columns = [column for given in own.inputs.values() for column in given.columns]
    return [
        replace(
            own,
            ads=own.ads.loc[[ids[int(row)]], ["split", *columns]].assign(split="test"),
            labels=own.labels[:0],
            test_labels=None,
        )
        for row in np.linspace(0, len(ids) - 1, min(ADS, len(ids)))
    ]


def _extraction(stack: SavedStack, features: frozenset[str], ad: AdDataset) -> float:
    """Seconds that the extraction of some features takes."""
    with stack.context(open_new_ads(ad, stack.manifest)) as context:
        chosen = {name: one for name, one in context.profile.features.items() if name in features}
        profile = context.profile.model_copy(update={"features": chosen})
        return _seconds(partial(extract_features, replace(context, profile=profile)))


def _predictions(stack: SavedStack, ad: AdDataset) -> dict[str, float]:
    """Seconds of each model, with counting the terms that it reads."""
    manifest = stack.manifest
    with stack.context(open_new_ads(ad, manifest)) as context:
        dataset = with_all_inputs(extract_features(context)[0].dataset, manifest)

        def predict(name: str) -> None:
            models = stack.models[name]
            columns = ColumnsInMemory(dataset, manifest.kinds)
            frame = columns.frame(manifest.models[name].columns, models[0].text_terms)
            for model in models:
                model.predict_proba(frame)

        return {name: _seconds(partial(predict, name)) for name in manifest.models}


def _median(seconds: Callable[[AdDataset], float], ads: list[AdDataset]) -> float:
    return statistics.median(seconds(ad) for ad in ads)


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _mb(path: Path) -> float:
    files = [path] if path.is_file() else path.rglob("*")
    return sum(one.stat().st_size for one in files if one.is_file()) / 1e6
