"""What every command works with: the ads, the settings, where files lie, cores and progress.

Below ``out``::

    oof/<dataset>/                         the store of OOF predictions
        folds.csv  tuning/  ablation/
    submissions/
    benchmarks/image-ads/<dataset>/        tables, plots and fits of the image-ad benchmark
    cache/                                 may be removed at any time
        digests.parquet                    of the files that were read
        features/                          what was extracted
        demo_ads/                          the ads of a run without ads of its own
        <dataset>/                         columns as the models read them
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Generic, Self, TypeAlias, TypeVar

from competition.config.profile import Profile, StackSettings
from competition.datasets import load_dataset
from competition.datasets.base import AdDataset
from competition.datasets.remote import is_url, shown
from competition.evaluation.chosen_metric import metric_of
from competition.execution.devices import check_device_name, n_cores
from competition.folds_file import load_or_make_folds
from competition.oof.store import LOCKS, OofStore
from competition.pipeline.settings import check_settings
from competition.utils.errors import ProfileError
from competition.utils.files import PathLike
from competition.utils.locks import locked
from competition.utils.progress import Progress

P = TypeVar("P", bound=Profile | StackSettings)
S = TypeVar("S", bound=Profile | StackSettings, covariant=True)


@dataclass(frozen=True, eq=False)
class Context(Generic[S]):
    """What a command works with, once for all that it calls.

    Attributes
    ----------
    dataset : AdDataset
        The ads as far as they are known by now: with the features that were extracted, without
        the ads that are held out.
    profile : Profile or StackSettings
    out : Path
        Folder that holds ``oof/``, ``submissions/``, ``benchmarks/`` and ``cache/``.
    n_jobs : int
        Tasks at a time.
    n_cores : int
        Cores that they share.
    device : str
        Where networks run: a name of PyTorch's, or "auto".
    progress : Progress
        Receives remarks, and how far the command has come.
    keep_models : bool
        Whether each fold's fitted level-1 models are kept, to tag new ads with.
    dims : dict of str to int
        Values in a row of inputs of arrays, where it is known already; elsewhere most ads show it.
    """

    dataset: AdDataset
    profile: S
    out: Path
    n_jobs: int
    n_cores: int
    device: str
    progress: Progress
    keep_models: bool = False
    dims: Mapping[str, int] = field(default_factory=dict)

    def with_dataset(self, dataset: AdDataset) -> Self:
        """Return the same context with other ads."""
        return replace(self, dataset=dataset)

    @property
    def store_folder(self) -> Path:
        """Folder of the dataset's OOF predictions."""
        return self.out / "oof" / self.dataset.name

    @property
    def folds_file(self) -> Path:
        return self.store_folder / "folds.csv"

    @property
    def tuning_folder(self) -> Path:
        return self.store_folder / "tuning"

    @property
    def ablation_folder(self) -> Path:
        return self.store_folder / "ablation"

    @property
    def submissions(self) -> Path:
        return self.out / "submissions"

    @property
    def benchmark_folder(self) -> Path:
        """Folder of the image-ad benchmark's results for the dataset."""
        return self.out / "benchmarks" / "image-ads" / self.dataset.name

    @property
    def cache(self) -> Path:
        return self.out / "cache"

    @property
    def features_folder(self) -> Path:
        return self.cache / "features"

    @property
    def digests_file(self) -> Path:
        """Digests of the files that were read, so that each is read for it once."""
        return self.cache / "digests.parquet"

    @property
    def columns_folder(self) -> Path:
        """Folder of the dataset's columns as the models read them."""
        return self.cache / self.dataset.name


AnyContext: TypeAlias = Context[Profile | StackSettings]


def open_context(
    data: PathLike | AdDataset,
    profile: P,
    out: PathLike,
    *,
    n_jobs: int | None = None,
    device: str = "auto",
    progress: Progress | None = None,
) -> Context[P]:
    """Read a folder of ads, or take ads that are read already.

    Parameters
    ----------
    data : path or AdDataset
        Folder of ads or its URL, or the ads.
    profile : Profile or StackSettings
    out : path
    n_jobs : int or None
        Tasks at a time; None takes one per core.
    device : str
    progress : Progress or None

    Raises
    ------
    DatasetError
        If the ads cannot be read.
    ProfileError
        If `profile` is something else or sets what a plug-in does not take, `n_jobs` is no number
        of tasks, or `out` is a file.
    ModelError
        If there is no device of that name, or no plug-in that the profile names.
    MetricError
        If there is no such metric.
    """
    if not isinstance(profile, Profile | StackSettings):
        raise ProfileError(
            f"Settings are expected, not {profile!r}: pass what load_profile('text') returns, or "
            "for `stack` what load_stack_settings() returns."
        )
    check_device_name(device)
    check_settings(profile)
    metric_of(profile.metric)
    if n_jobs is not None and n_jobs < 1:
        raise ProfileError(
            f"n_jobs = {n_jobs}: a whole number of at least 1, or None, is expected."
        )
    if is_url(out):
        raise ProfileError(
            f"Results go to a folder, not to {shown(out)}: name one that all machines see."
        )
    cores = n_cores()
    where, listener = Path(out).absolute(), progress or Progress()
    check_out(where)
    dataset = load_dataset(data, listener, cache=where / "cache")
    # Processes that work on it may have another current folder.
    dataset = replace(dataset, root=dataset.root.absolute())
    return Context(dataset, profile, where, n_jobs or cores, cores, device, listener)


def check_out(out: Path) -> None:
    """Raise a ProfileError if a file stands where the folder of the results would be."""
    try:
        taken = next((one for one in (out, *out.parents) if one.exists()), out)
    except OSError as bad:
        raise ProfileError(f"`out` cannot be a folder's name ({bad.strerror}).") from bad
    if "\0" in str(out):
        raise ProfileError("`out` cannot be a folder's name (it holds a null character).")
    if not taken.is_dir():
        raise ProfileError(f"{taken} is a file: results need a folder. Name another one for `out`.")


def open_store(context: AnyContext, own_folds: Path | None = None) -> OofStore:
    """Open the dataset's store; its folds are made where it has none.

    Parameters
    ----------
    context : Context
    own_folds : Path or None
        A user's own folds.csv.

    Raises
    ------
    FoldsError
        If folds.csv does not fit the ads, or differs from the user's own.
    """
    dataset, wanted = context.dataset, context.profile.folds
    with folds_locked(context):
        folds = load_or_make_folds(
            context.folds_file, dataset, wanted.n, wanted.seed, own_folds, context.progress
        )
    return OofStore(context.store_folder, tuple(dataset.tag_names), folds, dataset.test_ids)


def folds_locked(context: AnyContext) -> AbstractContextManager[None]:
    """Let no other process write the store's folds.csv."""
    return locked(context.store_folder / LOCKS, [context.folds_file.name], context.progress)


def demo_folder(out: Path) -> Path:
    """Folder of the demo ads of a run without ads of its own."""
    return out / "cache" / "demo_ads"
