"""The plan of a run with a time limit: what it leaves out, so that it ends in time.

::

    oof/<dataset>/time_limit/<limit>-<digest>.json

It is written by the run that measures, and obeyed by every later one of the same limit and profile,
which measures nothing: the same plan gives the same predictions. A new one is made where the file
is removed, and where the ads, what they hold or what can run here has changed
(`competition.pipeline.time_limit.state`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from competition.config.profile import Profile, Quality
from competition.config.stages import Level1Settings
from competition.features.store import Digests
from competition.pipeline.context import Context
from competition.pipeline.quality import shaped
from competition.pipeline.reduced import with_learners, without
from competition.pipeline.time_limit.state import state_of
from competition.utils.errors import StoreError
from competition.utils.files import digest, write_text

FOLDER = "time_limit"
SHOWN_DIGITS = 16
Decided = Literal["features", "level 1", "level 2"]


class TimePlan(BaseModel):
    """What a run with a time limit leaves out, each part with the reason.

    Attributes
    ----------
    limit : str
    made_from : dict of str to str
        Digests of the ads, labels, inputs and of what could run.
    decided : tuple of {"features", "level 1", "level 2"}
        What has been measured and decided; what has not is decided by the next run.
    features, models, learners : dict of str to str
        What is left out, and why.
    seeds : dict of str to int
        Models of fewer copies than the profile says.
    instead : str
        A meta-learner that the profile does not name, where none of it fits; "" elsewhere.
    measured : dict of str to float
        Seconds of a fold of each model, of an ad of each feature and of a fit of each meta-learner
        that was measured.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    limit: str
    made_from: dict[str, str] = {}
    decided: tuple[Decided, ...] = ()
    features: dict[str, str] = {}
    models: dict[str, str] = {}
    learners: dict[str, str] = {}
    seeds: dict[str, int] = {}
    instead: str = ""
    measured: dict[str, float] = {}

    def sentences(self) -> list[str]:
        """Say what is left out and made shorter, a sentence for each kind."""
        found = []
        for what, gone in (
            ("features", self.features),
            ("models", self.models),
            ("meta-learners", self.learners),
        ):
            if gone:
                listed = "; ".join(f"{name} ({why})" for name, why in gone.items())
                found.append(f"Left out for the time limit of {self.limit}, {what}: {listed}")
        for name, seeds in self.seeds.items():
            found.append(f"Made shorter for the time limit: {name}, {seeds} copy in place of more")
        if self.instead:
            found.append(f"In place of the meta-learners: {self.instead}")
        return found


class PlanRecord(BaseModel):
    """What a run has left out of its profile, for its record and the card of its submission.

    Attributes
    ----------
    quality : {"fast", "default", "best"}
    models, features, learners : tuple of str
        Which the quality took away; the last are meta-learners.
    time : TimePlan or None
        What the time limit took away; None without one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    quality: Quality = "default"
    models: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    learners: tuple[str, ...] = ()
    time: TimePlan | None = None


ALL_OF_IT = PlanRecord()  # nothing is left out


@dataclass(frozen=True)
class PlanFile:
    """Where the plan of a run lies, and what such a plan is made from."""

    path: Path
    made_from: Mapping[str, str]

    def read(self) -> tuple[TimePlan | None, list[str]]:
        """Return the plan, if one is there and nothing has changed; and what has changed.

        Raises
        ------
        StoreError
            If the file holds something else.
        """
        plan = _read(self.path)
        if plan is None:
            return None, []
        changed = [
            part for part, value in self.made_from.items() if plan.made_from.get(part) != value
        ]
        return (None if changed else plan), changed

    def write(self, plan: TimePlan) -> None:
        """Write the plan, whole or not at all."""
        write_text(self.path, plan.model_dump_json(indent=2) + "\n")


def plan_file(context: Context[Profile], digests: Digests | None = None) -> PlanFile:
    """Return where the plan lies of a run by this profile.

    Parameters
    ----------
    context : Context
        With the ads as they came, without those held out; its profile has a time limit.
    digests : Digests or None
        Of the files of the ads; None takes those that are stored, and writes none.
    """
    made_from = state_of(context, digests or Digests(context.digests_file))
    return PlanFile(_path(context), made_from)


def _path(context: Context[Profile]) -> Path:
    profile = context.profile
    name = f"{profile.time_limit}-{digest(profile.model_dump(mode='json'))[:SHOWN_DIGITS]}.json"
    return context.store_folder / FOLDER / name


def _read(path: Path) -> TimePlan | None:
    try:
        return TimePlan.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as bad:
        raise StoreError(
            f"{path} is no plan of a time limit that was written here. Remove it, and a new one "
            "is made."
        ) from bad


def as_it_ran(context: Context[Profile]) -> Context[Profile]:
    """Return the context with the profile as a run of its quality and time limit had it.

    Whoever reads what such a run has stored obeys its plan, whatever files or libraries are here.
    """
    context = replace(context, profile=shaped(context).profile)
    plan = None if context.profile.time_limit is None else _read(_path(context))
    return context if plan is None else replace(context, profile=reduced_by(plan, context))


def reduced_by(plan: TimePlan, context: Context[Profile]) -> Profile:
    """Return the profile without what a plan leaves out.

    Parameters
    ----------
    plan : TimePlan
    context : Context
        With the ads as they came.
    """
    profile = without(context.profile, context.dataset, plan.models, plan.features)
    level1 = dict(profile.level1)
    for name, seeds in plan.seeds.items():
        given = level1.get(name, Level1Settings())
        level1[name] = Level1Settings.model_validate(
            {**given.model_dump(exclude_unset=True), "seeds": seeds}
        )
    profile = profile.model_copy(update={"level1": level1})
    if plan.learners:
        level2 = with_learners(profile.level2, plan.learners, plan.instead)
        profile = profile.model_copy(update={"level2": level2})
    return profile
