"""The whole benchmark: ads, features, split, one fit after another, tables and plots."""

from competition.config.profile import Profile
from competition.features.prepare import prepare_columns
from competition.pipeline.context import open_context
from competition.pipeline.crossfit import ModelDefaults
from competition.pipeline.extract import extract_features
from competition.pipeline.plan import plan_models
from competition.reproductions.look_read_feel.fits import Fits
from competition.reproductions.look_read_feel.methods import (
    sweep_epochs,
    sweep_points,
    table1,
    table2,
    with_fine_tuned,
)
from competition.reproductions.look_read_feel.plots import write_plots
from competition.reproductions.look_read_feel.results import Benchmark, Outcome
from competition.reproductions.look_read_feel.split import split_ads
from competition.reproductions.look_read_feel.tables import write_tables
from competition.utils.files import PathLike
from competition.utils.progress import Progress


def run(
    data: PathLike,
    profile: Profile,
    out: PathLike = ".",
    *,
    n_jobs: int | None = None,
    device: str = "auto",
    progress: Progress | None = None,
) -> Benchmark:
    """Run the benchmark on a folder of ads; what is stored already is read, not run.

    Parameters
    ----------
    data : Path
        Folder of ads.
    profile : Profile
        Its features, and the parameters of the models.
    out : Path
        Folder that holds ``benchmarks/`` and ``cache/``.
    n_jobs : int or None
        Processes that extract features; None takes one per core.
    device : str
        Where networks run.
    progress : Progress or None

    Raises
    ------
    CompetitionError
        If the ads cannot be read or the profile cannot be followed.
    """
    context = open_context(data, profile, out, n_jobs=n_jobs, device=device, progress=progress)
    context, extractions = extract_features(context)
    dataset, progress = context.dataset, context.progress
    planned_models = plan_models(with_fine_tuned(profile), dataset)
    plan = {planned.name: planned for planned in planned_models}
    names = sorted({column for planned in plan.values() for column in planned.columns})
    columns = prepare_columns(dataset, names, None, context.columns_folder, progress)
    folder = context.benchmark_folder
    fits = Fits(
        dataset,
        split_ads(dataset, profile.folds.seed),
        {column.name: column for column in columns},
        folder / "fits",
        ModelDefaults(profile.seed, device),
        context.n_cores,
    )
    rows, ablations, points = table1(profile, plan), table2(plan), sweep_points(plan)
    methods = [*rows, *ablations, *(point.method for point in points)]
    outcomes: dict[str, Outcome] = {}
    for done, method in enumerate(methods):
        progress.update("benchmark", done, len(methods), method.label)
        outcomes[method.label] = fits.outcome(method)
    progress.update("benchmark", len(methods), len(methods))
    benchmark = Benchmark(
        dataset,
        extractions,
        fits.split,
        fits.tasks,
        [outcomes[method.label] for method in rows],
        [outcomes[method.label] for method in ablations],
        [(point, outcomes[point.method.label]) for point in points],
        sweep_epochs(ablations[0]),
        fits.n_fitted,
        folder,
    )
    write_tables(benchmark)
    write_plots(benchmark)
    return benchmark
