"""The whole benchmark: ads, features, splits, one fit after another, tables and plots."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from competition.config.profile import Profile
from competition.features.columns import Column, read_columns
from competition.features.prepare import prepare_columns
from competition.level1.registry import get_model
from competition.pipeline.context import Context, open_context
from competition.pipeline.crossfit import ModelDefaults
from competition.pipeline.extract import extract_features
from competition.pipeline.plan import PlannedModel, plan_models
from competition.pipeline.settings import refuse_limits
from competition.reproductions.look_read_feel.fits import Fits
from competition.reproductions.look_read_feel.inputs import fitted_vectors, given, made_from
from competition.reproductions.look_read_feel.methods import (
    Method,
    sweep_points,
    table1,
    table2,
)
from competition.reproductions.look_read_feel.plots import write_plots
from competition.reproductions.look_read_feel.results import Benchmark, Outcome, Run
from competition.reproductions.look_read_feel.split import split_ads
from competition.reproductions.look_read_feel.tables import write_tables
from competition.utils.errors import ProfileError
from competition.utils.files import PathLike
from competition.utils.progress import Progress

WITH_VECTORS = ("hmam", "mlgcn")  # get the vectors that are fitted on the ads' own words


def run(
    data: PathLike,
    profile: Profile,
    out: PathLike = ".",
    *,
    n_jobs: int | None = None,
    device: str = "auto",
    splits: int = 1,
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
    splits : int
        Random splits of the ads that the tables are made on; split k has the profile's seeds plus
        k. Sweeps are made on the first.
    progress : Progress or None

    Raises
    ------
    CompetitionError
        If the ads cannot be read or the profile cannot be followed.
    """
    if splits < 1:
        raise ProfileError(f"--splits {splits}: at least one split is needed.")
    refuse_limits(profile, "benchmark")
    context = open_context(data, profile, out, n_jobs=n_jobs, device=device, progress=progress)
    had = given(profile, context.dataset, context.progress)
    context, extractions = extract_features(replace(context, profile=had.extracted))
    dataset, progress = context.dataset, context.progress
    plan = {planned.name: planned for planned in plan_models(had.planned, dataset)}
    names = sorted({column for planned in plan.values() for column in planned.columns})
    columns = {
        column.name: column
        for column in prepare_columns(dataset, names, None, context.columns_folder, progress)
    }
    plan = _with_vectors(plan, columns, context)
    folder = context.benchmark_folder
    fits = [
        Fits(
            dataset,
            split_ads(dataset, profile.folds.seed + number),
            columns,
            folder / "fits",
            ModelDefaults(profile.seed + number, device),
            context.n_cores,
        )
        for number in range(splits)
    ]
    rows = [_described(method, profile) for method in table1(profile, plan, had.absent)]
    ablations, points = table2(plan), sweep_points(plan)
    jobs = [(method, one) for one in fits for method in [*rows, *ablations]]
    jobs += [(point.method, fits[0]) for point in points]
    runs: dict[tuple[str, int], Run] = {}
    clock = _Clock(jobs, progress)
    for done, (method, one) in enumerate(jobs):
        progress.update("benchmark", done, len(jobs), method.label)
        key = method.label, fits.index(one)
        if not method.lacks and key not in runs:
            before = one.n_fitted
            runs[key] = one.run(method)
            clock.took(method, runs[key].seconds, one.n_fitted - before)
    progress.update("benchmark", len(jobs), len(jobs))

    def outcome(method: Method, on: int) -> Outcome:
        return Outcome(method, tuple(runs[method.label, n] for n in range(on) if not method.lacks))

    benchmark = Benchmark(
        dataset,
        extractions,
        [one.split for one in fits],
        fits[0].tasks,
        [outcome(method, splits) for method in rows],
        [outcome(method, splits) for method in ablations],
        [(point, outcome(point.method, 1)) for point in points],
        sum(one.n_fitted for one in fits),
        folder,
    )
    write_tables(benchmark)
    write_plots(benchmark)
    return benchmark


def _with_vectors(
    plan: Mapping[str, PlannedModel], columns: Mapping[str, Column], context: Context[Profile]
) -> dict[str, PlannedModel]:
    """Give word vectors, fitted on the words of all ads, to the models that are given none."""
    hmam, plan = plan.get("hmam"), dict(plan)
    wanting = [n for n in WITH_VECTORS if n in plan and not plan[n].params.get("vectors")]
    if hmam is None or not wanting:
        return plan
    frame = read_columns([columns[name] for name in hmam.columns])
    most = hmam.params.get("max_words", get_model("hmam").parameters["max_words"])
    path = fitted_vectors(frame, most, context.benchmark_folder, context.profile.seed)
    if path:
        for name in wanting:
            params = {**plan[name].params, "vectors": path}
            plan[name] = replace(plan[name], params=params)
    return plan


def _described(method: Method, profile: Profile) -> Method:
    if method.lacks:
        return method
    made = made_from(method.model, method.params, method.columns, profile)
    return replace(method, made_from=made)


class _Clock:
    """Says how long the fits that are left will take, once one of each model is measured."""

    def __init__(self, jobs: list[tuple[Method, Fits]], progress: Progress) -> None:
        pending = {
            path: model for method, fits in jobs for path, model in fits.pending(method).items()
        }
        self._left = Counter(pending.values())
        self._progress = progress
        self._told: set[str] = set()

    def took(self, method: Method, seconds: float, n_fits: int) -> None:
        """Count what a method has fitted just now."""
        if not n_fits:
            return
        model = method.model
        self._left[model] -= n_fits
        if model in self._told or self._left[model] <= 0:
            return
        self._told.add(model)
        each = seconds / n_fits
        total = spelled(each * self._left[model])
        self._progress.remark(
            f"A fit of {model} takes {spelled(each)}; {self._left[model]} are left: about {total}."
        )


def spelled(seconds: float) -> str:
    """Return a span of time in words: "40 s", "12 min", "3.5 h".

    Examples
    --------
    >>> spelled(40), spelled(725), spelled(12600)
    ('40 s', '12 min', '3.5 h')
    """
    if seconds < 100:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
