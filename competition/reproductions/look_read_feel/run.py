"""The whole benchmark: ads, features, split, one fit after another, tables and plots."""

from pathlib import Path

from competition.config.profile import Profile
from competition.execution.devices import n_cores
from competition.features.prepare import prepare_columns
from competition.pipeline.crossfit import ModelContext
from competition.pipeline.extract import open_ads
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
from competition.utils.progress import Progress

FOLDER = Path("benchmarks", "image-ads")


def run(
    data: Path,
    profile: Profile,
    out: Path,
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
    progress = progress or Progress()
    cores = n_cores()
    dataset, extractions = open_ads(
        data, profile, out, n_jobs=n_jobs or cores, n_cores=cores, device=device, progress=progress
    )
    planned_models = plan_models(with_fine_tuned(profile), dataset)
    plan = {planned.name: planned for planned in planned_models}
    names = sorted({column for planned in plan.values() for column in planned.columns})
    columns = prepare_columns(dataset, names, None, out / "cache" / dataset.name, progress)
    folder = out / FOLDER / dataset.name
    fits = Fits(
        dataset,
        split_ads(dataset, profile.folds.seed),
        {column.name: column for column in columns},
        folder / "fits",
        ModelContext(profile.seed, device),
        cores,
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
