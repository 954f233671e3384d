"""Change every module of the package in turn, and say whose fingerprint that changes.

It runs where a copy of the package lies, with that folder first on the path::

    python mutated_package.py FOLDER_OF_ADS

and prints JSON: for each module, the predictions and the scores whose fingerprint is another one.
"""

import json
import sys
from pathlib import Path

import competition
from competition.datasets import load_dataset
from competition.datasets.base import AdDataset
from competition.folds import make_folds
from competition.level1.registry import find_models, get_model
from competition.level2.registry import find_meta_learners, get_meta_learner
from competition.oof.fold_files import Fingerprint
from competition.pipeline.fingerprints import level1_fingerprint, stack_fingerprint
from competition.pipeline.plan import PlannedModel

ALONE = ("mean", "single", "dnn")  # stacks by one meta-learner, beside the choice among all


def fingerprints(dataset: AdDataset) -> dict[str, Fingerprint]:
    folds = make_folds(dataset, 3, 0)
    found = {}
    for name in find_models():
        module = get_model(name).make.__module__
        planned = PlannedModel(name, name, (), {})
        found[name] = level1_fingerprint(planned, [module], (), (), 0, dataset, folds)
    every = {name: (get_meta_learner(name).make.__module__, {}) for name in find_meta_learners()}
    stacks = {**{f"stack-{name}": {name: every[name]} for name in ALONE}, "stack-of-all": every}
    for name, learners in stacks.items():
        found[name] = stack_fingerprint({"m": "f"}, learners, [], dataset, folds)
    return found


def main() -> None:
    dataset = load_dataset(Path(sys.argv[1]))
    package = Path(competition.__file__).parent
    before, found = fingerprints(dataset), {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        code = path.read_bytes()
        path.write_bytes(code + b"\nADDED_BY_A_TEST = 1\n")
        after = fingerprints(dataset)
        path.write_bytes(code)
        found[".".join(part for part in parts if part != "__init__")] = {
            "predictions": [name for name in before if before[name].value != after[name].value],
            "scores": [name for name in before if before[name].scoring != after[name].scoring],
        }
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
