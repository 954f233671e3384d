"""What a profile says of each stage: folds, features, level 1 and level 2."""

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field

from competition.utils.errors import ProfileError
from competition.utils.parameters import Names, Seed, quoted
from competition.utils.settings import Settings

# Folders and locks beside those of the models, and the commands that need them. Those that begin
# with a dot, or hold one, are no names of models anyway.
RESERVED_NAMES = {
    "ablation": "ablate",
    "distil": "save --distil",
    "report": "report",
    "studies": "tune",
    "time_limit": "run --time-limit",
    "tuning": "tune",
}
LONGEST_NAME = 100  # bytes: it names a folder, and begins the names of files
# From a few dozen ads, where nothing can be learned, to many, and to telling metadata, one of these
# proves best or close to it, and all of them together take seconds.
CANDIDATES = ("dnn", "pooled", "xgboost", "logit_mean", "single")


def why_reserved(name: str) -> str:
    """Say why no model may have a name; "" if one may."""
    if len(name.encode()) > LONGEST_NAME:
        return (
            f"'{name[:20]}...' is too long to name a folder ({len(name.encode())} bytes, and "
            f"{LONGEST_NAME} are allowed). Choose another name."
        )
    if name not in RESERVED_NAMES:
        return ""
    command = f"python -m competition {RESERVED_NAMES[name]}"
    return f"{name!r} is kept for what `{command}` writes. Choose another name."


class FoldSettings(Settings):
    """How new folds are made; an existing folds.csv is obeyed instead."""

    n: int = Field(default=5, ge=2)
    seed: Seed = 0


class FeatureSettings(Settings):
    """One feature: every further key is a parameter of the extractor.

    Attributes
    ----------
    extractor : str
    input : str or None
        What it is extracted from; None: the only input that the extractor reads.
    use : {"dataset", "extract"} or None
        Where the ads come with an input of the feature's name: take it ad by ad and extract for
        those that lack it, or extract for all. None: such a name is a mistake.
    """

    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=())

    extractor: str
    input: str | None = None
    use: Literal["dataset", "extract"] | None = None

    @property
    def params(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class Level1Settings(Settings):
    """One level-1 model: every further key is a parameter of the model.

    Attributes
    ----------
    model : str or None
        Its name in the registry; None: that of the table.
    inputs : tuple of str or None
    seeds : int
        Copies of the model, with seeds one after the other, whose mean it is.
    """

    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=())

    model: str | None = None
    inputs: Names | None = None
    seeds: Annotated[int, Field(ge=1)] = 1

    @property
    def params(self) -> dict[str, Any]:
        """Parameters of the model."""
        return dict(self.model_extra or {})


class Level2Settings(Settings):
    """The meta-learner, or several that nested selection chooses among.

    Every further key is a parameter of the one meta-learner; of several, and of those beside it,
    each has a table of its own: ``level2.dnn.seeds``.

    Attributes
    ----------
    model : str or tuple of str
        What stacks, and is submitted.
    metadata : tuple of str or None
        What it sees of the ads' metadata; None: all.
    beside : tuple of str
        Meta-learners that stack the same and are shown beside it, and are not submitted.
    """

    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=())

    model: str | Annotated[Names, Field(min_length=1)] = CANDIDATES
    metadata: Names | None = None
    beside: Names = ()

    @property
    def params(self) -> dict[str, dict[str, Any]]:
        """Each meta-learner's name, in order, with its parameters.

        Raises
        ------
        ProfileError
            If a key is no table of one of several meta-learners.
        """
        given = dict(self.model_extra or {})
        if isinstance(self.model, str):
            return {self.model: {key: v for key, v in given.items() if key not in self.beside}}
        known = [*self.model, *self.beside]
        for name, table in given.items():
            if name in known and not isinstance(table, dict):
                raise ProfileError(
                    f"level2.{name} = {quoted(table)}: set a parameter of that meta-learner, as "
                    f"level2.{name}.KEY=VALUE."
                )
            if name not in known:
                raise ProfileError(
                    f"level2: of several meta-learners ({', '.join(known)}) each has its own "
                    f"parameters, and {name} is none of them: give level2.NAME.{name}, or choose "
                    "one by level2.model."
                )
        return {name: dict(given.get(name, {})) for name in self.model}

    def alone(self, name: str) -> Self:
        """Return the settings with which a meta-learner of `beside` stacks.

        Raises
        ------
        ProfileError
            If what stands under its name is no table of parameters.
        """
        own = (self.model_extra or {}).get(name, {})
        if not isinstance(own, dict):
            raise ProfileError(
                f"level2.{name} = {own!r}: set a parameter of that meta-learner, as "
                f"level2.{name}.KEY=VALUE."
            )
        return type(self).model_validate({**own, "model": name, "metadata": self.metadata})

    def with_params(self, name: str, params: dict[str, Any]) -> Self:
        """Return the same settings with parameters of one meta-learner set."""
        given = self.model_dump(exclude_none=True)
        own = given if isinstance(self.model, str) else given.setdefault(name, {})
        own.update(params)
        return type(self).model_validate(given)


class CandidateSettings(Settings):
    """The meta-learners that `stack` compares, and the metadata that they see.

    Every further key is a meta-learner's table of parameters.

    Parameters
    ----------
    model : str or tuple of str or None
        One, or several; all that are registered if None.
    metadata : tuple of str or None
    """

    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=())

    model: str | Annotated[Names, Field(min_length=1)] | None = None
    metadata: Names | None = None

    @property
    def params(self) -> dict[str, Any]:
        return dict(self.model_extra or {})
