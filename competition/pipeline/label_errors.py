"""The likely label errors of a dataset, as a stored stack sees them, to be checked by hand."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, TextIO, cast

from competition.config.profile import Profile, StackSettings
from competition.datasets.base import AdDataset, files_of
from competition.datasets.shown_values import shown_value
from competition.evaluation.label_errors import LabelErrors, rank_label_errors
from competition.oof.cards import StackCard
from competition.oof.fold_files import shared_components
from competition.pipeline.context import Context, open_context, open_store
from competition.pipeline.settings import plan_meta_learners
from competition.pipeline.stack import SELECTION, UNFIT
from competition.pipeline.stack_input import STACK
from competition.pipeline.time_limit.plan import as_it_ran
from competition.utils import spreadsheets
from competition.utils.errors import StoreError
from competition.utils.files import PathLike, written_whole
from competition.utils.progress import Progress

MOST = 1000
HEADER = ("rank", "id", "tag", "dimension", "given", "probability", "score", "confident")
NUMBERS = ("probability", "score")  # a minus sign begins no formula
LONGEST = 500  # characters of a text of the ad


@dataclass(frozen=True, eq=False)
class FoundLabelErrors:
    """Likely label errors of a dataset.

    Attributes
    ----------
    dataset : AdDataset
    stack : StackCard
        Whose out-of-fold predictions contradict the labels.
    pairs : LabelErrors
        The most suspicious first.
    """

    dataset: AdDataset
    stack: StackCard
    pairs: LabelErrors

    def rows(self) -> Iterator[tuple[str, ...]]:
        """Yield a row of `HEADER` for every pair, the texts and files of the ad after it."""
        ads, pairs, tags = self.dataset.ads, self.pairs, self.dataset.tags
        train, columns = self.dataset.train_ids, self.columns
        for rank in range(len(pairs)):
            ad, tag = train[pairs.ad[rank]], tags[pairs.tag[rank]]
            yield (
                str(rank + 1),
                str(ad),
                tag.name,
                tag.dimension,
                str(pairs.given[rank]),
                f"{pairs.probability[rank]:.4f}",
                f"{pairs.score[rank]:.4f}",
                "yes" if pairs.confident[rank] else "no",
                *(self._shown(ads.at[ad, column], column) for column in columns),
            )

    def _shown(self, cell: Any, column: str) -> str:
        if not isinstance(cell, str):
            return shown_value(cell, column, self.dataset.described.get("readings", {}))
        cell = " | ".join(files_of(cell))
        return cell if len(cell) <= LONGEST else f"{cell[:LONGEST]}…"

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the ads that help to check a label by hand."""
        inputs = self.dataset.inputs.values()
        return tuple(c for given in inputs if given.kind != "array" for c in given.columns)

    def write(self, path: PathLike) -> None:
        """Write all pairs as a CSV file, whole or not at all.

        Texts that a spreadsheet would take for formulas get an apostrophe before them.

        Raises
        ------
        WriteError
            If the system refuses to write.
        """
        with (
            written_whole(Path(path)) as temporary,
            temporary.open("w", encoding="utf-8", newline="") as file,
        ):
            self.write_rows(file, (*HEADER, *self.columns))

    def write_rows(self, file: TextIO, columns: Sequence[str]) -> None:
        """Write some of the columns, the first ones, as CSV to an open file."""
        head = [[spreadsheets.as_text(name) for name in columns]]
        cells = (
            [
                one if name in NUMBERS else spreadsheets.as_text(one)
                for name, one in zip(columns, row, strict=False)
            ]
            for row in self.rows()
        )
        spreadsheets.write_rows(file, chain(head, cells))


def label_errors(
    data: PathLike | AdDataset,
    settings: Profile | StackSettings,
    out: PathLike = ".",
    *,
    most: int = MOST,
    progress: Progress | None = None,
) -> FoundLabelErrors:
    """Find the labels of the training ads that a stored stack contradicts most.

    Parameters
    ----------
    data : path or AdDataset
        Folder of ads, or ads that are read already.
    settings : Profile or StackSettings
        Its ``level2`` says which stack.
    out : path
        Folder that holds ``oof/``.
    most : int
        Pairs of an ad and a tag to return.
    progress : Progress or None

    Raises
    ------
    StoreError
        If that stack is not stored, or was made from other ads, labels or folds.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from competition import label_errors, load_profile, make_demo, run
    >>> quick = ['models=["tfidf_logreg"]', "folds.n=3", "level2.model=mean"]
    >>> with TemporaryDirectory() as folder:
    ...     make_demo(f"{folder}/ads", 40, films=False)
    ...     profile = load_profile("text", quick)
    ...     result = run(f"{folder}/ads", profile, folder, n_jobs=1)
    ...     found = label_errors(f"{folder}/ads", profile, folder, most=3)
    >>> len(found.pairs), found.stack.model
    (3, 'stack-mean')
    """
    context = open_context(data, settings, out, progress=progress)
    dataset, store = context.dataset, open_store(context)
    if isinstance(settings, Profile):
        settings = as_it_ran(cast(Context[Profile], context)).profile
    learners = plan_meta_learners(settings)
    name = STACK + (SELECTION if len(learners) > 1 else next(iter(learners)))
    card = store.card(name)
    if not isinstance(card, StackCard):
        raise StoreError(
            f"{store.folder} holds no {name}: run `python -m competition run` with the same "
            "profile first."
        )
    shared = shared_components(dataset, store.folds)
    unfit = [UNFIT[part] for part in UNFIT if card.made_from.get(part) != shared[part]]
    if unfit:
        raise StoreError(
            f"{store.folder / name} was made from {', '.join(unfit)}: run `python -m competition "
            "run` with the same profile again."
        )
    oof, _ = store.read(name, card)
    return FoundLabelErrors(dataset, card, rank_label_errors(dataset.labels, oof, most))
