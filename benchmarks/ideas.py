"""What one more level-1 model is worth to a stack: a table of ideas.

    python -m benchmarks.ideas --data DIR --profile NAME --out DIR [--set KEY=VALUE ...]

Runs the profile with the ideas beside it, then stacks the profile's own models alone, and with each
idea, by nested selection. What is stored below `--out` is not run again.
"""

import argparse
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from competition.config.profile import load_profile, load_stack_settings
from competition.evaluation.metrics import gap, mean_average_precision
from competition.level2.data import Ads, StackData
from competition.level2.kept import KeptCrossFits
from competition.level2.registry import get_meta_learner
from competition.level2.selection import nested_selection
from competition.pipeline.context import open_context, open_store
from competition.pipeline.plan import plan_metadata
from competition.pipeline.run import run
from competition.pipeline.stack import stored_models
from competition.pipeline.stack_input import stack_input
from competition.utils.progress import Progress

LEARNERS = ("dnn", "lightgbm", "pooled", "xgboost")
# What is added: names of models with their settings, or without, where another idea makes them.
IDEAS: dict[str, dict[str, tuple[str, ...]]] = {
    "shared_trees": {"idea_shared": ('model="shared_trees"',)},
    "trees of 3 seeds": {
        "idea_lightgbm": ('model="lightgbm"', "seeds=3"),
        "idea_xgboost": ('model="xgboost"', "seeds=3"),
    },
    "nblogreg of both": {"idea_nb": ('model="tfidf_nblogreg"', 'analyzer="both"')},
    "linearsvc of characters": {
        "idea_svc": ('model="tfidf_linearsvc"', 'analyzer="char"', "ngram_range=[3, 5]")
    },
    "joint_nblogreg": {"idea_joint": ('model="joint_nblogreg"',)},
    "knn": {"idea_knn": ('model="knn"',)},
    "joint_nblogreg, knn": {"idea_joint": (), "idea_knn": ()},
    "joint_nblogreg, knn, shared_trees": {"idea_joint": (), "idea_knn": (), "idea_shared": ()},
}
NEW = ("joint_nblogreg", "knn", "shared_trees")  # that the profile's own patterns would name


def overrides(patterns: tuple[str, ...]) -> list[str]:
    """Settings of a profile that run its own models, without what is new, and all ideas."""
    models = ", ".join(f'"{one}"' for one in (*patterns, *(f"!{name}" for name in NEW)))
    tables = [
        f"level1.{name}.{one}" for idea in IDEAS.values() for name, of in idea.items() for one in of
    ]
    return [f"models=[{models}]", *tables, "level2.model=mean"]


def score(data: StackData, test: Ads, models: list[str]) -> tuple[float, float]:
    """OOF GAP and mAP of the nested selection over some of the models."""
    places = [data.models.index(name) for name in models]

    def some(ads: Ads) -> Ads:
        return Ads(ads.probabilities[:, places], ads.metadata, ads.missing)

    part = replace(
        data, models=tuple(models), reads=data.reads[places], ads=some(data.ads), leaked={}
    )
    candidates = {name: get_meta_learner(name).make() for name in LEARNERS}
    with TemporaryDirectory() as folder:
        kept = KeptCrossFits(Path(folder), dict.fromkeys(LEARNERS, ""))
        found = nested_selection(candidates, part, some(test), kept=kept).output.oof
    return gap(data.labels, found, data.top_k), mean_average_precision(data.labels, found)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--profile", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    given = parser.parse_args(arguments)
    patterns = load_profile(given.profile).models
    run(given.data, load_profile(given.profile, [*overrides(patterns), *given.set]), given.out)
    context = open_context(given.data, load_stack_settings([]), given.out, progress=Progress())
    store = open_store(context)
    cards = {card.model: card for card in stored_models(store, context)}
    metadata = plan_metadata(context.profile, context.dataset)
    data, test = stack_input(store, list(cards.values()), context.dataset, metadata)
    base = sorted(name for name in cards if not name.startswith("idea_") and name not in NEW)
    without = score(data, test, base)
    print("| added | GAP alone | seconds | stack | | mAP | |\n|---|---:|---:|---:|---:|---:|---:|")
    print(f"| nothing: {len(base)} models | | | {without[0]:.4f} | | {without[1]:.4f} | |")
    for idea, tables in IDEAS.items():
        found = score(data, test, sorted([*base, *tables]))
        alone = ", ".join(f"{cards[name].scores.gap:.4f}" for name in tables)
        seconds = sum(cards[name].seconds for name in tables)
        cells = [f"{new:.4f} | {new - old:+.4f}" for new, old in zip(found, without, strict=True)]
        print(f"| {idea} | {alone} | {seconds:.0f} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
