"""What a saved stack holds, on the terminal."""

from pathlib import Path
from typing import Any

from rich.table import Table

from competition.report.tables import console
from competition.saved.budget import Budget
from competition.saved.manifest import Manifest


def print_saved(folder: Path, manifest: Manifest) -> None:
    """Print models, inputs, scores, versions and sizes of a saved stack."""
    scores, part = manifest.scores, manifest.level2
    table = Table("model", "of", "reads", "OOF GAP", "MB", title=str(folder))
    for name, model in manifest.models.items():
        size = _megabytes(folder / "level1" / name)
        table.add_row(name, model.model, ", ".join(model.columns), f"{model.gap:.4f}", size)
    chosen = _learners(manifest)
    table.add_row(
        f"stack: {part.name}",
        chosen,
        "all of these",
        f"{scores.gap:.4f}",
        _megabytes(folder / "level2"),
    )
    console.print(table)
    print_way(manifest)
    print_distillation(manifest)
    console.print(
        f"{manifest.dataset}: {len(manifest.tags)} tags, learned from {manifest.n_train:,} ads; "
        f"{_models(manifest)}.\n"
        f"{_license(manifest)}"
        f"Inputs: {', '.join(f'{name} ({one.kind})' for name, one in manifest.inputs.items())}.\n"
        f"OOF: GAP {scores.gap:.4f}, mAP {scores.map:.4f}, F1-C {scores.f1_c:.4f}, F1-O "
        f"{scores.f1_o:.4f}.\n"
        f"Tags are set by {_rule(manifest)}: F1-C {_spread(manifest.decision.f1_c)}, F1-O "
        f"{_spread(manifest.decision.f1_o)}, precision {_spread(manifest.decision.precision)}, "
        f"recall {_spread(manifest.decision.recall)}, each fold by thresholds of the others.\n"
        f"{_calibration(manifest)}\n"
        f"Made by {', '.join(f'{name} {one}' for name, one in manifest.versions.items())}.\n"
        f"{_megabytes(folder)} MB in all{_latency(manifest)}.",
        markup=False,
        highlight=False,
    )


def print_way(manifest: Manifest) -> None:
    """Print how models were dropped until the stack was within its budget, if it had one."""
    budget = manifest.budget
    if budget is None:
        return
    title = f"To {Budget(budget.ms, budget.mb)}"
    table = Table("dropped", "models left", "OOF GAP", "ms an ad", "MB", title=title)
    for step in budget.way:
        table.add_row(
            ", ".join(step.dropped),
            str(step.n_models),
            f"{step.gap:.4f}",
            f"{step.ms:.1f}",
            f"{step.mb:.2f}",
        )
    console.print(table)
    console.print(
        f"OOF GAP by pooled; {budget.nested_gap:.4f} where each fold's models are chosen without "
        "it. Milliseconds are those of the machine that saved it.",
        markup=False,
        highlight=False,
    )


def print_distillation(manifest: Manifest) -> None:
    """Print what the one network imitates and how near it comes, if the stack is one."""
    told = manifest.distillation
    if told is None:
        return
    (model,) = manifest.models.values()
    table = Table("what", "OOF GAP", title="One network in place of a stack")
    models = "level-1 models" if told.n_models > 1 else "level-1 model"
    table.add_row(f"{told.stack} of {told.n_models} {models}", f"{told.stack_gap:.4f}")
    for share, reached in told.gaps:
        kept = " (saved)" if share == told.share else ""
        table.add_row(f"network, {_taught_by(share)}{kept}", f"{reached:.4f}")
    table.add_row("network of the best share without each fold", f"{model.gap:.4f}")
    console.print(table)
    console.print(
        f"It reads {', '.join(model.columns)}. The stack that taught the network of a fold was "
        "made without that fold, level-1 models too.",
        markup=False,
        highlight=False,
    )


def _taught_by(share: float) -> str:
    """What a network learns from, by the share of the stack's probabilities in its targets."""
    if share in (0, 1):
        return "taught by the stack" if share else "taught by labels"
    return f"taught by the stack ({share:.0%}) and labels"


def print_differences(folder: Path, one: Manifest, other_folder: Path, other: Manifest) -> None:
    """Print what differs between two saved stacks."""
    table = Table("what", str(folder), str(other_folder))
    for name, values in differences(one, other).items():
        table.add_row(name, *values)
    if not table.row_count:
        console.print("The two stacks are alike.")
        return
    console.print(table)


def differences(one: Manifest, other: Manifest) -> dict[str, tuple[str, str]]:
    """Return what two stacks say of themselves, by what it is of, where it differs."""
    told = [_told(manifest) for manifest in (one, other)]
    names = list(dict.fromkeys([*told[0], *told[1]]))
    pairs = {name: (told[0].get(name, "-"), told[1].get(name, "-")) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _told(manifest: Manifest) -> dict[str, str]:
    """What a stack says of itself, a line each."""
    scores, decision = manifest.scores, manifest.decision
    lines = {
        "dataset": manifest.dataset,
        "license": manifest.license or "-",
        "training ads": f"{manifest.n_train:,}",
        "tags": str(len(manifest.tags)),
        "OOF GAP": f"{scores.gap:.4f}",
        "OOF mAP": f"{scores.map:.4f}",
        "ms an ad": "-" if manifest.ms_per_ad is None else f"{manifest.ms_per_ad:g}",
        "meta-learner": _learners(manifest),
        "models of": manifest.keep,
        "tags are set by": _rule(manifest),
        "F1-C": _spread(decision.f1_c),
        "F1-O": _spread(decision.f1_o),
        "precision": _spread(decision.precision),
        "recall": _spread(decision.recall),
        "budget": str(Budget(kept.ms, kept.mb)) if (kept := manifest.budget) else "-",
        "imitates": told.stack if (told := manifest.distillation) else "-",
    }
    lines |= {f"tag {tag.name}": tag.dimension for tag in manifest.tags}
    lines |= {f"input {name}": given.kind for name, given in manifest.inputs.items()}
    lines |= {
        f"feature {name}": _settings(one) for name, one in manifest.profile["features"].items()
    }
    lines |= {
        f"model {name}": f"{model.model} of {', '.join(model.columns)}: {model.gap:.4f}"
        for name, model in manifest.models.items()
    }
    return lines | {f"version of {name}": one for name, one in manifest.versions.items()}


def _settings(feature: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in feature.items() if value is not None)


def _learners(manifest: Manifest) -> str:
    """Meta-learners that weigh anything in any fold."""
    names = [name for of_fold in manifest.level2.learners for name in of_fold]
    return ", ".join(dict.fromkeys(names))


def _models(manifest: Manifest) -> str:
    if manifest.keep == "refit":
        return "each model fitted once more on all of them"
    n = len(manifest.level2.learners)
    return f"{n} models of each, one per fold, whose predictions are averaged"


def _rule(manifest: Manifest) -> str:
    decision = manifest.decision
    return decision.rule if decision.rule == "f1" else f"{decision.rule}={decision.value:g}"


def _calibration(manifest: Manifest) -> str:
    found = manifest.calibration
    if found is None:
        return "Saved before probabilities were calibrated."
    if found.after >= found.before:
        return (
            f"Reliability error {found.before:.4f}; a sigmoid of other folds made it "
            f"{found.after:.4f}, so `predict --calibrated` moves nothing."
        )
    return (
        f"Reliability error {found.before:.4f}, {found.after:.4f} with each fold moved by a "
        "sigmoid of the others (`predict --calibrated`)."
    )


def _license(manifest: Manifest) -> str:
    return f"License of these ads: {manifest.license}\n" if manifest.license else ""


def _latency(manifest: Manifest) -> str:
    if manifest.ms_per_ad is None:
        return ""
    return (
        f"; an ad by itself takes {manifest.ms_per_ad:g} ms on a processor of the machine that "
        "saved it, features extracted anew"
    )


def _spread(value: tuple[float, float]) -> str:
    return f"{value[0]:.3f} ± {value[1]:.3f}"


def _megabytes(folder: Path) -> str:
    return f"{sum(one.stat().st_size for one in folder.rglob('*') if one.is_file()) / 1e6:.1f}"
