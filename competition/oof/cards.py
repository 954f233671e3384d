"""Cards of finished models: what each is, what it scores, and what it was made from.

A card lies as ``card.json`` beside the predictions that it describes, and carries a digest of
itself. Its `kind` says who made them: ``level1`` (a run), ``rival`` (a network that an ablation
compares the stack with), ``external`` (somebody else) or ``stack`` (a meta-learner).
"""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from competition import __version__
from competition.evaluation.bootstrap import Difference
from competition.evaluation.leaks import StandingOut
from competition.evaluation.metrics import Scores
from competition.oof.fold_files import damaged
from competition.oof.scales import Curve, Scale
from competition.utils.errors import StoreError
from competition.utils.files import digest, write_json

DIGEST = "digest"  # key of a card's own digest in its file


class OutdatedCardError(StoreError):
    """A card in the form of another version of this package, an earlier one as a rule."""


class _Record(BaseModel):
    """Immutable, and without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class Level1Details(_Record):
    """How a level-1 model was made.

    Attributes
    ----------
    kind : {"level1", "rival"}
        Rivals are level-1 models that no stack reads.
    level1 : str
        Name in the registry.
    inputs : tuple of str
        Columns that it reads.
    parameters : dict
        Constructor parameters that differ from the defaults.
    seed : int
    origin : str
        What it starts from: names of checkpoints, "own arrays" or "from scratch".
    """

    kind: Literal["level1", "rival"] = "level1"
    level1: str
    inputs: tuple[str, ...]
    parameters: dict[str, Any]
    seed: int
    origin: str = ""


class ExternalDetails(_Record):
    """Where predictions made elsewhere come from.

    Attributes
    ----------
    oof_file : str
    test_file : str or None
        None where the dataset has no test ads.
    folds_given : bool
        Whether the OOF file names the fold of each ad.
    scale : {"probability", "logit", "score"}
        Of the numbers in the files.
    curves : tuple of Curve
        By which scores became probabilities: of each fold, then of the test ads; empty on the other
        scales.
    lacking : tuple of str
        Ads that the files lack. Their stored probabilities are the tags' means over the others.
    """

    kind: Literal["external"] = "external"
    oof_file: str
    test_file: str | None
    folds_given: bool
    scale: Scale = "probability"
    curves: tuple[Curve, ...] = ()
    lacking: tuple[str, ...] = ()


class FoldOffset(_Record):
    """A level-1 model whose fold models predict with large offsets, which the stack removes.

    Attributes
    ----------
    spread : float
        Largest less smallest of `fold_offsets`.
    fold_offsets : tuple of float
        Mean logit of each fold model on the test ads.
    gap, gap_folds : float
        Of the model as it is: with all ads in one list, and as the mean of folds.
    """

    spread: float
    fold_offsets: tuple[float, ...]
    gap: float
    gap_folds: float


class StackDetails(_Record):
    """How a stack was made, and what it is worth.

    Attributes
    ----------
    level2 : str
        Name of the meta-learner, or of the choice among several.
    models : tuple of str
        Level-1 models, as the meta-learner sees them.
    metadata : tuple of str
        Metadata columns that it sees.
    parameters : dict
        Of each meta-learner by its name.
    candidates : dict of str to float
        OOF GAP of each meta-learner to choose from, which the weights do not see.
    candidates_without_fold : dict of str to tuple of float
        OOF score of each without fold k, for every k: what the weights are made from. Empty where
        there is a single meta-learner, as are the errors.
    standard_errors : dict of str to tuple of float
        Of the difference between each of these and the highest without fold k.
    failed : dict of str to str
        Why other meta-learners failed.
    chosen : tuple of str
        The meta-learner that weighs most in each fold.
    weights : dict of str to tuple of float
        What each weighs in each fold; they sum to 1.
    dropped : dict of str to int
        Those that could not win on a part of the ads and were not fitted to all, with the number of
        ads of that part.
    outrun : tuple of str
        Costly ones that fell behind on the first fits and were not fitted on.
    corrections : dict of str to tuple of float, or None
        How much of its correction each fold of a meta-learner uses; None where none corrects.
    best_model : str
        The level-1 model with the highest GAP.
    gain : Difference
        What the stack gains over its best model (`competition.evaluation.gain`).
    standing_out : dict of str to StandingOut
        Level-1 models that predict one fold suspiciously well.
    large_offsets : dict of str to FoldOffset
        Level-1 models whose folds were moved to a common level.
    left_out : dict of str to str
        Models made elsewhere that were not used: each with the one that says the same; "" for one
        that says the same of every ad.
    """

    kind: Literal["stack"] = "stack"
    level2: str
    models: tuple[str, ...]
    metadata: tuple[str, ...]
    parameters: dict[str, Any]
    candidates: dict[str, float] = {}
    candidates_without_fold: dict[str, tuple[float, ...]] = {}
    standard_errors: dict[str, tuple[float, ...]] = {}
    failed: dict[str, str] = {}
    chosen: tuple[str, ...] = ()
    weights: dict[str, tuple[float, ...]] = {}
    dropped: dict[str, int] = {}
    outrun: tuple[str, ...] = ()
    corrections: dict[str, tuple[float, ...]] | None = None
    metric: str = "gap"
    best_model: str
    gain: Difference
    standing_out: dict[str, StandingOut]
    large_offsets: dict[str, FoldOffset]
    left_out: dict[str, str] = {}


class _Finished(_Record):
    """What the card of every finished model says.

    Attributes
    ----------
    model : str
        Name in the store.
    scores : Scores
        Of the out-of-fold predictions.
    scores_per_fold : tuple of Scores
        Of each fold that has true tags.
    fold_offsets : tuple of float
        Mean logit of each fold model on the test ads; empty where these are too few.
    seconds_per_fold : tuple of float
        What fitting and predicting took.
    seconds : float
    written : str
        UTC.
    versions : dict of str to str
        Of this package and of libraries.
    fingerprint : str
        Of the predictions of each fold.
    made_from : dict of str to str
        Components of the fingerprint, and `scoring`.
    files : dict of str to str
        SHA-256 of each file that the card describes.
    """

    model: str
    scores: Scores
    scores_per_fold: tuple[Scores, ...]
    fold_offsets: tuple[float, ...]
    seconds_per_fold: tuple[float, ...]
    seconds: float
    written: str
    versions: dict[str, str]
    fingerprint: str
    made_from: dict[str, str]
    files: dict[str, str]


class Level1Card(_Finished, Level1Details):
    """Card of a level-1 model that a run has trained, or of a rival."""


class ExternalCard(_Finished, ExternalDetails):
    """Card of predictions made elsewhere."""


class StackCard(_Finished, StackDetails):
    """Card of a stack."""


Details = Level1Details | ExternalDetails | StackDetails
ModelCard = Level1Card | ExternalCard  # what a stack stacks; a rival's is left out by its kind
Card = Level1Card | ExternalCard | StackCard
_CARD: TypeAdapter[Card] = TypeAdapter(Annotated[Card, Field(discriminator="kind")])


def make_card(values: dict[str, Any], details: Details) -> Card:
    """Make the card of a finished model from what every card says and what is its own."""
    # Through JSON, so that a card just made equals the one that is read back.
    return _CARD.validate_json(json.dumps({**values, **details.model_dump()}))


def write_card(path: Path, card: Card) -> None:
    """Write a card, whole or not at all."""
    write_json(path, sealed(card.model_dump(mode="json")))


def sealed(values: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON values of a card with a digest of them."""
    return {**values, DIGEST: digest(values)}


def read_card(path: Path) -> Card:
    """Read a card.

    Raises
    ------
    OutdatedCardError
        If it has the form of another version.
    StoreError
        If it is damaged, or was changed after it was written.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(values, dict):
            raise damaged(path, "it is not a card")
        stated = values.pop(DIGEST, None)
        unchanged = stated == digest(values)
    except (ValueError, RecursionError) as bad:  # a ValueError too: no UTF-8, endless numbers
        raise damaged(path, "it is not JSON that was written here") from bad
    if stated is not None and not unchanged:
        raise damaged(path, "it was changed after it was written")
    if stated is None and "model" in values:
        raise _outdated(path)
    try:
        return _CARD.validate_python(values)
    except ValidationError as bad:
        if _of_another_version(values):
            raise _outdated(path) from None
        mistake = bad.errors(include_url=False)[0]
        where = ".".join(str(part) for part in mistake["loc"])
        raise damaged(path, f"it is not a card ({where or 'the whole'}: {mistake['msg']})") from bad


def _outdated(path: Path) -> OutdatedCardError:
    return OutdatedCardError(
        f"{path} was written by another version of this package: run again, or `add-oof` "
        "where the predictions were made elsewhere."
    )


def _of_another_version(values: dict[str, Any]) -> bool:
    written_by = values.get("versions")
    return (
        isinstance(written_by, dict) and written_by.get("competition", __version__) != __version__
    )
