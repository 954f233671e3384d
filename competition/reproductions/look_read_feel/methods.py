"""The rows of the paper's tables and the points of its sweeps, as models with parameters."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from competition.config.profile import Profile
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
    made_from : str
        Its inputs, each with the checkpoint, program or file it is made from.
    """

    label: str
    model: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    joint: bool = False
    lacks: str = ""
    made_from: str = ""

    def having(self, label: str, **params: Any) -> "Method":
        """Return the same model with other parameters under another label."""
        return replace(self, label=label, params={**self.params, **params})


@dataclass(frozen=True)
class SweepPoint:
    """One value of one parameter of HMAM."""

    parameter: str
    value: float
    method: Method


def table1(
    profile: Profile, plan: Mapping[str, PlannedModel], absent: Mapping[str, str]
) -> list[Method]:
    """Rivals and HMAM, in the order of the paper's Table 1; rows on frozen features are ours.

    Parameters
    ----------
    profile : Profile
    plan : dict of str to PlannedModel
    absent : dict of str to str
        Why a feature has no weights, by its name.
    """
    rows = []
    for label, name in RESNETS.items():
        weights = _without_weights(profile, name, absent)
        rows.append(_planned(f"{label} (Last)", name, plan, weights))
        rows.append(_planned(f"{label} (All)", all_layers(name), plan, weights))
    weights = _without_weights(profile, "resnet101", absent)
    hmam = base(plan)
    return [
        *rows,
        _planned("C2AE", "c2ae", plan, weights),
        _planned("GCN", "mlgcn", plan, weights),
        _planned("C2AE (frozen features)", "c2ae_features", plan, absent.get("look", "")),
        _planned("GCN (frozen features)", "mlgcn_features", plan, absent.get("look", "")),
        _planned("Encoder (Last)", "encoder", plan, absent.get("look", "")),
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
    """HMAM with each value of each sweep, trained as long as in the tables."""
    hmam = base(plan)
    return [
        SweepPoint(
            parameter, value, hmam.having(f"HMAM, {parameter} = {value:g}", **{parameter: value})
        )
        for parameter, values in SWEEPS.items()
        for value in values
    ]


def base(plan: Mapping[str, PlannedModel]) -> Method:
    """HMAM as the profile has it."""
    return replace(_planned("HMAM, multi-task", "hmam", plan), joint=True)


def all_layers(name: str) -> str:
    """Name of the model that trains every layer of a ResNet."""
    return f"{name}_all"


def checkpoint_of(profile: Profile, name: str) -> str:
    """Checkpoint of a feature; "" where it has none."""
    settings = profile.features.get(name)
    return settings.params.get("checkpoint", "") if settings else ""


def _without_weights(profile: Profile, name: str, absent: Mapping[str, str]) -> str:
    if checkpoint_of(profile, name):
        return absent.get(name, "")
    return f"no weights: features.{name}.checkpoint is not set"


def _planned(label: str, name: str, plan: Mapping[str, PlannedModel], weights: str = "") -> Method:
    planned = plan.get(name)
    if planned is None:
        return Method(label, lacks=weights or "none of its inputs is there")
    return Method(label, planned.model, planned.params, planned.columns)
