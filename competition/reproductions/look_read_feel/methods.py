"""The rows of the paper's tables and the points of its sweeps, as models with parameters."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from competition.config.profile import Level1Settings, Profile
from competition.level1.registry import get_model
from competition.pipeline.plan import PlannedModel

RESNETS = {"ResNet50": "resnet50", "ResNet101": "resnet101"}

# What each of Figures 4 and 5 varies. The paper says how far the learning rate goes; the other
# values are ours. All else stays as the profile has it.
SWEEPS: dict[str, tuple[float, ...]] = {
    "learning_rate": (0.0001, 0.001, 0.01, 0.1),
    "dropout": (0.0, 0.25, 0.5, 0.75),
    "dim": (256, 512, 1024, 2048),
    "alpha": (1.0, 50.0, 200.0, 400.0),
}


@dataclass(frozen=True)
class Method:
    """A model of one table row.

    Attributes
    ----------
    label : str
        Names the row.
    model : str
        Name in the registry of level-1 models.
    params : dict
    columns : tuple of str
        Inputs that it reads.
    joint : bool
        One model predicts all tasks; otherwise each task has a model of its own.
    lacks : str
        Why it cannot be run; empty where it can.
    """

    label: str
    model: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    joint: bool = False
    lacks: str = ""

    def having(self, label: str, **params: Any) -> "Method":
        """Return the same model with other parameters under another label."""
        return replace(self, label=label, params={**self.params, **params})


@dataclass(frozen=True)
class SweepPoint:
    """One value of one parameter of HMAM."""

    parameter: str
    value: float
    method: Method


def with_fine_tuned(profile: Profile) -> Profile:
    """Return a profile that also trains every layer of each ResNet whose checkpoint is named."""
    tuned = {
        _all(name): Level1Settings.model_validate(
            {"model": "image_classifier", "checkpoint": checkpoint}
        )
        for name in RESNETS.values()
        if (checkpoint := _checkpoint(profile, name))
    }
    return profile.model_copy(update={"level1": {**profile.level1, **tuned}})


def table1(profile: Profile, plan: Mapping[str, PlannedModel]) -> list[Method]:
    """Rivals and HMAM, in the order of the paper's Table 1; the frozen encoder is a row of ours."""
    rows = []
    for label, name in RESNETS.items():
        named = _checkpoint(profile, name)
        weights = "" if named else f"no weights: features.{name}.checkpoint is not set"
        rows.append(_planned(f"{label} (Last)", name, plan, weights))
        rows.append(_planned(f"{label} (All)", _all(name), plan, weights))
    hmam = base(plan)
    return [
        *rows,
        _planned("C2AE", "c2ae", plan),
        _planned("GCN", "mlgcn", plan),
        _planned("Encoder (Last)", "encoder", plan),
        hmam.having("HMAM, single-task", multitask=False),
        hmam,
    ]


def table2(plan: Mapping[str, PlannedModel]) -> list[Method]:
    """HMAM, then HMAM without each of the parts that the paper's Table 2 removes."""
    hmam = base(plan)
    return [
        hmam,
        hmam.having("without autoencoder", autoencoder=False),
        hmam.having("without hierarchical attention", attention=False),
        hmam.having("without multitask loss", multitask=False),
    ]


def sweep_points(plan: Mapping[str, PlannedModel]) -> list[SweepPoint]:
    """HMAM with each value of each sweep, trained for half the epochs."""
    hmam = base(plan)
    return [
        SweepPoint(
            parameter,
            value,
            hmam.having(
                f"HMAM, {parameter} = {value:g}",
                **{parameter: value, "epochs": sweep_epochs(hmam)},
            ),
        )
        for parameter, values in SWEEPS.items()
        for value in values
    ]


def sweep_epochs(hmam: Method) -> int:
    """Epochs of a model in a sweep: half of those of the tables."""
    epochs = hmam.params.get("epochs", get_model("hmam").parameters["epochs"])
    return max(1, epochs // 2)


def base(plan: Mapping[str, PlannedModel]) -> Method:
    """HMAM as the profile has it."""
    return replace(_planned("HMAM, multi-task", "hmam", plan), joint=True)


def _all(name: str) -> str:
    """Name of the model that trains every layer of a ResNet."""
    return f"{name}_all"


def _checkpoint(profile: Profile, name: str) -> str:
    settings = profile.features.get(name)
    return settings.params.get("checkpoint", "") if settings else ""


def _planned(label: str, name: str, plan: Mapping[str, PlannedModel], weights: str = "") -> Method:
    planned = plan.get(name)
    if planned is None:
        return Method(label, lacks=weights or "none of its inputs is there")
    return Method(label, planned.model, planned.params, planned.columns)
