"""The parts of what a saved stack says of itself."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from competition.datasets.base import InputKind
from competition.evaluation.thresholds import Rule


class Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class SavedTag(Record):
    """A tag and its dimension."""

    name: str
    dimension: str


class SavedInput(Record):
    """An input that the ads come with.

    Attributes
    ----------
    kind : str
    columns : tuple of str
    settings : dict
        How it is read from a table, as ``[inputs.<name>]`` in a competition.toml; of metadata with
        the types that its columns turned out to hold.
    forms : dict of str to str
        Of columns of metadata: the mark of their decimals, or the form of their dates, as
        `competition.datasets.metadata.Reading` has it.
    """

    kind: InputKind
    columns: tuple[str, ...]
    settings: dict[str, Any]
    forms: dict[str, str] = {}

    @property
    def types(self) -> dict[str, str]:
        """Of metadata: what each column holds."""
        return self.settings.get("types", {})


class SavedModel(Record):
    """A level-1 model.

    Attributes
    ----------
    model : str
        Name in the registry.
    columns : tuple of str
        What it reads.
    gap : float
        OOF GAP.
    scale : tuple of float
        Slope and shift of its log odds (`competition.saved.refit`).
    """

    model: str
    columns: tuple[str, ...]
    gap: float
    scale: tuple[float, float]


class SavedStackPart(Record):
    """The meta-learners.

    Attributes
    ----------
    name : str
        Of the meta-learner, or "selection".
    learners : tuple of tuple of str
        The meta-learners that weigh anything in each fold.
    metadata : tuple of str
        Metadata columns that they see.
    inputs : tuple of str
        Inputs whose absence they see, in their order.
    """

    name: str
    learners: tuple[tuple[str, ...], ...]
    metadata: tuple[str, ...]
    inputs: tuple[str, ...]


class SavedDecision(Record):
    """From probabilities to tags that are set.

    Attributes
    ----------
    rule : {"f1", "precision", "tags"}
    value : float
    thresholds : tuple of float
        The probability that each tag must exceed.
    f1_c, f1_o, precision, recall : tuple of float
        Of out-of-fold predictions, each fold by thresholds that the others have chosen: mean over
        folds, and standard deviation among them.
    disagreement : float
        How far models differ, in log odds, at the 99th percentile of training ads; an ad on which
        they differ more is marked unsure.
    """

    rule: Rule
    value: float
    thresholds: tuple[float, ...]
    f1_c: tuple[float, float]
    f1_o: tuple[float, float]
    precision: tuple[float, float]
    recall: tuple[float, float]
    disagreement: float


class SavedCalibration(Record):
    """From the stack's probabilities to such that mean frequencies (`saved.calibration`).

    Attributes
    ----------
    scale : tuple of float
        Slope and shift of log odds, (1, 0) where moving them was worse out of fold.
    before, after : float
        Reliability error out of fold, without it and with each fold moved by what others teach.
    """

    scale: tuple[float, float]
    before: float
    after: float


class SavedWords(Record):
    """Which words of an ad are unknown, beside ``words/``, which holds the known ones.

    Attributes
    ----------
    columns : tuple of str
        The texts whose words count.
    usual, most : float
        Of training ads, each against the ads of the other folds: the mean share of unknown words,
        and `competition.saved.unsure.unknown_share` at the 99th percentile; an ad with more is
        marked unsure.
    """

    columns: tuple[str, ...]
    usual: float
    most: float


class SavedStep(Record):
    """A stack on the way to one within a budget (`competition.saved.budget.Step`)."""

    dropped: tuple[str, ...]
    n_models: int
    gap: float
    ms: float
    mb: float


class SavedBudget(Record):
    """What a stack was to cost at most, and how models were dropped until it did.

    Attributes
    ----------
    ms, mb : float or None
        Milliseconds an ad on the machine of the run, and megabytes.
    nested_gap : float
        GAP of the same choice where each fold's models are chosen without the fold.
    way : tuple of SavedStep
        From all models to those of this stack.
    """

    ms: float | None
    mb: float | None
    nested_gap: float
    way: tuple[SavedStep, ...]


class SavedDistillation(Record):
    """The stack that the one model of this one was trained to imitate.

    Attributes
    ----------
    stack : str
        Name of its meta-learner, or "selection".
    n_models : int
        Its level-1 models.
    stack_gap : float
        Its OOF GAP.
    share : float
        Of its probabilities in the network's targets; the rest are labels.
    gaps : tuple of (float, float)
        Each share that was tried, with the OOF GAP of the network that it makes.
    """

    stack: str
    n_models: int
    stack_gap: float
    share: float
    gaps: tuple[tuple[float, float], ...]
