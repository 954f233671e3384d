"""The whole run: ads, folds, level-1 models, stack, scores, submission."""

from dataclasses import dataclass
from pathlib import Path

from competition.config.profile import Profile
from competition.datasets.base import AdDataset
from competition.evaluation.metrics import Scores
from competition.execution.devices import n_cores
from competition.level2.registry import meta_parameters
from competition.oof.cards import Level1Card, StackCard
from competition.oof.store import OofStore
from competition.pipeline.extract import Extraction, open_ads
from competition.pipeline.holdout import hold_out, score_holdout
from competition.pipeline.level1 import cross_fit_models, level1_job, model_context, open_store
from competition.pipeline.plan import plan_metadata, plan_models
from competition.pipeline.stack import fit_stack
from competition.pipeline.submit import Submitted, submit
from competition.utils.progress import Progress


@dataclass(frozen=True, eq=False)
class RunResult:
    """What a run leaves behind.

    Attributes
    ----------
    dataset : AdDataset
    extractions : list of Extraction
        What became of every feature.
    store : OofStore
    cards : list of Level1Card
        Of every level-1 model.
    stack : StackCard
    n_trained : int
        (model, fold) tasks of level 1 that were run, not read.
    submitted : Submitted or None
        None where the dataset has no test ads.
    holdout : Scores or None
        Of the stack on the training ads that were held out, if there were any.
    """

    dataset: AdDataset
    extractions: list[Extraction]
    store: OofStore
    cards: list[Level1Card]
    stack: StackCard
    n_trained: int
    submitted: Submitted | None
    holdout: Scores | None = None


def run(
    data: Path,
    profile: Profile,
    out: Path,
    *,
    n_jobs: int | None = None,
    own_folds: Path | None = None,
    holdout: float | None = None,
    device: str = "auto",
    progress: Progress | None = None,
) -> RunResult:
    """Run a profile on a folder of ads; what is stored already is read, not run.

    Parameters
    ----------
    data : Path
        Folder of ads.
    profile : Profile
    out : Path
        Folder that holds ``oof/``, ``submissions/`` and ``cache/``.
    n_jobs : int or None
        (model, fold) tasks at a time; None takes one per core.
    own_folds : Path or None
        A user's own folds.csv.
    holdout : float or None
        Share of the training ads to keep from everything and to score at the end; the run then has
        a store of its own.
    device : str
        Where networks run: a name of PyTorch's, or "auto".
    progress : Progress or None
        Is told how far the run has come.
    """
    progress = progress or Progress()
    cores = n_cores()
    n_jobs = n_jobs or cores
    dataset, extractions = open_ads(
        data, profile, out, n_jobs=n_jobs, n_cores=cores, device=device, progress=progress
    )
    cache = out / "cache" / dataset.name
    held_out = None
    if holdout is not None:
        dataset, held_out = hold_out(dataset, holdout, profile.folds.seed)
    plan = plan_models(profile, dataset)
    absent = sorted(set(profile.level1) - {planned.name for planned in plan})
    if absent:
        progress.remark(f"Left out, as nothing that they read is there: {', '.join(absent)}.")
    store = open_store(dataset, profile, out, own_folds, progress)
    folds = store.folds
    progress.remark(
        f"{dataset.name}: {len(folds.ids):,} training ads and {len(store.test_ids):,} test ads, "
        f"{len(store.tags)} tags, {folds.n} folds, {len(plan)} level-1 models"
    )
    if own_folds is None and folds.n != profile.folds.n:
        progress.remark(
            f"The profile asks for {profile.folds.n} folds; the {folds.n} of "
            f"{store.folder / 'folds.csv'} are obeyed. Remove that file to make new ones."
        )
    jobs = [level1_job(planned, profile.seed, dataset, folds, cache, progress) for planned in plan]
    context = model_context(profile, dataset, device)
    cards, n_trained = cross_fit_models(jobs, context, dataset, store, n_jobs, cores, progress)
    params = {
        name: meta_parameters(name, given, profile.seed)
        for name, given in profile.level2.params.items()
    }
    metadata = plan_metadata(profile, dataset)
    stack = fit_stack(
        params, metadata, cards, dataset, store, seed=profile.seed, n_jobs=n_jobs, progress=progress
    )
    submitted = submit(dataset, store, stack, out / "submissions", held_out)
    kept = None if held_out is None else score_holdout(dataset, store, stack.model, held_out)
    return RunResult(dataset, extractions, store, cards, stack, n_trained, submitted, kept)
