"""What `run --plan` says in place of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from competition.config.profile import Profile


def print_plan(
    data: Path | None,
    settings: Profile,
    out: Path,
    jobs: int | None,
    own_folds: Path | None,
    holdout: float | Path | None,
    device: str,
    on: str,
) -> None:
    """Print what a run with these arguments would do; without ads of one's own, on the demo's."""
    from competition.datasets.remote import is_url
    from competition.pipeline.context import demo_folder
    from competition.pipeline.forecast import plan_run
    from competition.report.forecast import print_forecast

    if data is None and not demo_folder(out).is_dir():
        raise typer.BadParameter("--plan needs ads: name them by --data.")
    print_forecast(
        plan_run(
            data or demo_folder(out),
            settings,
            out,
            n_jobs=jobs,
            own_folds=own_folds,
            holdout=holdout,
            device=device,
            on=on,
        ),
        copied=data is not None and is_url(data),
    )
