"""What could not be saved at the end of a run is refused before anything is trained."""

from collections.abc import Sequence

from competition.config.profile import Profile
from competition.folds import Folds
from competition.pipeline.context import Context
from competition.pipeline.extract import Extraction
from competition.pipeline.run import BeforeTraining
from competition.saved.distil import what_is_read
from competition.saved.save import decision_on


def refusing(decide: str, *, distil: bool) -> BeforeTraining:
    """Return what `competition.pipeline.run.run` calls before it trains.

    Parameters
    ----------
    decide : str
        As of `competition.saved.save.save_stack`. A MetricError says what is wrong with it.
    distil : bool
        Whether `competition.saved.distil.save_distilled` will be called. A ModelError says why it
        could not.
    """

    def refuse(context: Context[Profile], extractions: Sequence[Extraction], folds: Folds) -> None:
        decision_on(context.dataset, decide)
        if distil:
            what_is_read(context, extractions, folds.n)

    return refuse
