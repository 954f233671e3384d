"""A saved stack, ready to tag new ads."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from competition.config.profile import Profile
from competition.datasets.base import AdDataset
from competition.execution.devices import one_thread
from competition.features.memory import ColumnsInMemory
from competition.level1.base import Level1Model
from competition.level1.registry import load_model
from competition.level2.base import MetaLearner
from competition.level2.components.blend import Blend
from competition.level2.data import Ads
from competition.level2.registry import load_meta_learner
from competition.pipeline.context import Context, open_context
from competition.pipeline.extract import extract_features
from competition.pipeline.stack_input import missing_inputs
from competition.saved.answer import Answer, Read, decided, explained
from competition.saved.checkpoints import profile_here
from competition.saved.manifest import BLENDS, WORDS, Manifest, read_manifest
from competition.saved.new_ads import open_new_ads, with_all_inputs
from competition.saved.refit import WHOLE, Scale, rescaled
from competition.saved.unsure import WORDS as COUNTED
from competition.saved.unsure import (
    unknown_share,
    words_of,
)
from competition.utils.errors import StoreError
from competition.utils.files import PathLike
from competition.utils.progress import Progress
from competition.utils.registry import load_plugins
from competition.utils.state import read_state


@dataclass(eq=False)
class SavedStack:
    """A stack that was saved: it tags ads that it has never seen.

    Attributes
    ----------
    folder : Path
    manifest : Manifest
    out : Path or None
        Folder that receives ``cache/``, where features of ads are kept between calls; None keeps
        none.
    device : str
        Where networks run.
    n_jobs : int or None
        Processes that extract features.
    plugins : tuple of Path
        Files of the plug-ins whose models it holds.
    progress : Progress
    """

    folder: Path
    manifest: Manifest
    out: Path | None = None
    device: str = "auto"
    n_jobs: int | None = None
    plugins: tuple[Path, ...] = ()
    progress: Progress = field(default_factory=Progress)

    @property
    def tags(self) -> list[str]:
        """Names of the tags, in the order of the columns of what it predicts."""
        return [tag.name for tag in self.manifest.tags]

    def predict_proba(
        self,
        ads: PathLike | pd.DataFrame | AdDataset,
        root: PathLike = ".",
        *,
        calibrated: bool = False,
    ) -> pd.DataFrame:
        """Probability of every tag for every ad.

        Parameters
        ----------
        ads : path, DataFrame or AdDataset
            A folder of ads in any layout (its test ads, or all where it has none); a table, or a
            frame, with one column per input, named as in training, and the ids in a column or the
            index. What an ad lacks, or no ad has, is missing, as in training.
        root : path
            What paths in a frame are relative to.
        calibrated : bool
            Move all by the stack's sigmoid, so that a number means a frequency; the order stays.
            Without it they are those of the run. Where the sigmoid was worse out of fold, nothing
            is moved.

        Returns
        -------
        DataFrame of shape (n_ads, n_tags), dtype float32
            Indexed by ad id, in the order of a frame; one column per tag.

        Raises
        ------
        CompetitionError
            If the ads cannot be read, or a checkpoint that features need is not to be had.
        """
        found = self.answer(ads, root).probabilities
        if calibrated and self.manifest.calibration is not None:
            scale = Scale(*self.manifest.calibration.scale)
            moved = rescaled(found.to_numpy(), scale)
            return pd.DataFrame(moved, index=found.index, columns=found.columns)
        return found

    def predict(
        self, ads: PathLike | pd.DataFrame | AdDataset, root: PathLike = "."
    ) -> pd.DataFrame:
        """Set tags, by the rule and the thresholds that were chosen when the stack was saved.

        Parameters
        ----------
        ads, root
            As of `predict_proba`.

        Returns
        -------
        DataFrame of shape (n_ads, 3)
            Indexed by ad id. ``tags``: a tuple of the tags that are set, the most probable first.
            ``unsure``: the ad has no input at all, or the level-1 models differ more on it, or
            more of its words are unknown, than on 99 % of the training ads. ``why``: which of
            these, as a text.
        """
        return self.answer(ads, root).decided

    def explain(
        self, ads: PathLike | pd.DataFrame | AdDataset, root: PathLike = "."
    ) -> pd.DataFrame:
        """Tell what each level-1 model says of each tag, and what it does to the stack's answer.

        Parameters
        ----------
        ads, root
            As of `predict_proba`.

        Returns
        -------
        DataFrame
            Columns ``id``, ``tag``, ``model``, ``probability`` (the model's), ``stack`` (the
            stack's) and ``effect``: by how much the stack's log odds fall where the model says of
            every tag what the other models say on average.
        """
        explanation = self.answer(ads, root, explain=True).explanation
        assert explanation is not None  # as it was asked for
        return explanation

    def answer(
        self,
        ads: PathLike | pd.DataFrame | AdDataset,
        root: PathLike = ".",
        *,
        explain: bool = False,
    ) -> Answer:
        """Tell all of some ads at once: each is read, extracted and predicted once.

        Parameters
        ----------
        ads, root
            As of `predict_proba`.
        explain : bool
            Whether to tell what `explain` does, which takes the meta-learners once more per model.
        """
        read = self._level1(ads, root)
        ids, level1 = read.dataset.test_ids, read.ads
        stacked = self._stacked(level1)
        return Answer(
            pd.DataFrame(stacked, index=ids, columns=self.tags),
            decided(self.manifest, read, stacked),
            pd.DataFrame(level1.missing, index=ids, columns=list(self.manifest.level2.inputs)),
            read.faults,
            explained(self.manifest, read, stacked, self._stacked) if explain else None,
        )

    def _level1(self, source: PathLike | pd.DataFrame | AdDataset, root: PathLike) -> Read:
        """Extract features of the ads, and predict them by the level-1 models of all folds."""
        new = open_new_ads(source, self.manifest, root, self.progress)
        with self.context(new) as context:
            extracted, extractions = extract_features(context)
            dataset = with_all_inputs(extracted.dataset, self.manifest)
            columns = ColumnsInMemory(dataset, self.manifest.kinds)
            shape = (len(dataset.test_ids), len(self.manifest.models), len(self.tags))
            probabilities = np.empty(shape, dtype=np.float32)
            models_of = self.models
            with one_thread(()):  # as in the run that trained them
                for place, (name, models) in enumerate(models_of.items()):
                    self.progress.update("level 1", place, shape[1], name)
                    saved = self.manifest.models[name]
                    frame = columns.frame(saved.columns, models[0].text_terms)
                    tests = np.stack([model.predict_proba(frame) for model in models])
                    mean = np.asarray(tests.mean(axis=0, dtype=np.float64), dtype=np.float32)
                    probabilities[:, place] = rescaled(mean, Scale(*saved.scale))
            self.progress.update("level 1", shape[1], shape[1])
            metadata = dataset.ads[list(self.manifest.level2.metadata)]
            missing = missing_inputs(dataset)[list(self.manifest.level2.inputs)].to_numpy()
            faults = tuple(fault for one in extractions for fault in one.faults)
            told = list(dict.fromkeys(faults))  # a file that several features read, once
            if told:
                shown = "; ".join(f"{ad}: {file}: {why}" for ad, file, why in told[:3])
                self.progress.remark(f"{len(told):,} file(s) count as missing: {shown}.")
            unknown = self._has_unknown_words(columns)
            return Read(dataset, Ads(probabilities, metadata, missing), unknown, faults)

    def _has_unknown_words(self, columns: ColumnsInMemory) -> np.ndarray:
        words = self.manifest.words
        if words is None:
            return np.zeros(len(columns.dataset.test_ids), dtype=bool)
        found = words_of(columns.frame(words.columns, COUNTED))
        return unknown_share(found, self._known_words, words.usual) > words.most

    def _stacked(self, ads: Ads) -> np.ndarray:
        """Mean of the meta-learners of all folds: (n_ads, n_tags), float32."""
        of_folds = []
        for place, learners in enumerate(self._learners):
            found = {name: learner.predict_proba(ads) for name, learner in learners.items()}
            blend = self._blends[place] if self._blends else None
            of_folds.append(next(iter(found.values())) if blend is None else blend.mean(found))
        tests = np.stack(of_folds)
        return np.asarray(tests.mean(axis=0, dtype=np.float64), dtype=np.float32)

    @contextmanager
    def context(self, dataset: AdDataset) -> Iterator[Context[Profile]]:
        """Open what features of new ads are extracted with; without `out` nothing is kept."""
        with tempfile.TemporaryDirectory() as temporary:
            context = open_context(
                dataset,
                self._profile,
                self.out or temporary,
                n_jobs=self.n_jobs,
                device=self.device,
                progress=self.progress,
            )
            yield replace(context, dims=self.manifest.dims)

    @cached_property
    def _profile(self) -> Profile:
        """The settings of the features on this machine, once their checkpoints are compared."""
        return profile_here(self.folder, self.manifest)

    def load(self) -> None:
        """Load all models, which otherwise happens when the first ads come."""
        _ = self._profile, self.models, self._learners, self._blends
        if self.manifest.words is not None:
            _ = self._known_words

    @cached_property
    def models(self) -> dict[str, list[Level1Model]]:
        """The level-1 models of every fold."""
        load_plugins(self.plugins)
        found = {}
        for name, saved in self.manifest.models.items():
            of_model = self.folder / "level1" / name
            one = self.manifest.keep == "refit"
            folders = [of_model / WHOLE] if one else self._folds(of_model)
            found[name] = [load_model(saved.model, folder) for folder in folders]
            for part in (part for model in found[name] for part in model.parts()):
                if "device" in part.get_params(deep=False):
                    part.set_params(device=self.device)
        return found

    @cached_property
    def _learners(self) -> list[dict[str, MetaLearner]]:
        """The meta-learners of each fold, by their names."""
        load_plugins(self.plugins)
        folders = self._folds(self.folder / "level2")
        return [
            {name: load_meta_learner(name, folder / name) for name in names}
            for folder, names in zip(folders, self.manifest.level2.learners, strict=True)
        ]

    @cached_property
    def _known_words(self) -> np.ndarray:
        """Hashes of the words of the training ads, ascending."""
        return read_state(self.folder / WORDS, np.ndarray)

    @cached_property
    def _blends(self) -> list[Blend]:
        return read_state(self.folder / "level2" / BLENDS, list)

    def _folds(self, folder: Path) -> list[Path]:
        return [folder / f"fold_{fold}" for fold in range(len(self.manifest.level2.learners))]


def load_stack(
    folder: PathLike,
    *,
    out: PathLike | None = None,
    device: str = "auto",
    n_jobs: int | None = None,
    plugins: Sequence[PathLike] = (),
    progress: Progress | None = None,
) -> SavedStack:
    """Load a saved stack.

    Parameters
    ----------
    folder : path
    out : path or None
        Folder that receives ``cache/``, where features of ads are kept between calls.
    device : str
        Where networks run.
    n_jobs : int or None
        Processes that extract features; None takes one per core.
    plugins : sequence of path
        The files of plug-ins that the run had: a saved stack holds none of their code.
    progress : Progress or None

    Raises
    ------
    StoreError
        If the folder holds no saved stack, or a file of it is absent, was changed, or is foreign.

    Examples
    --------
    >>> from competition import CompetitionError, load_stack
    >>> try:
    ...     load_stack("no/such/folder")
    ... except CompetitionError as bad:
    ...     print("there is no manifest.json" in str(bad))
    True
    """
    path = Path(folder).absolute()
    manifest = read_manifest(path)
    given = tuple(Path(one).absolute() for one in plugins)
    lacking = sorted(set(manifest.plugins) - {one.name for one in given})
    if lacking:
        raise StoreError(
            f"{folder} holds models of the plug-in {', '.join(lacking)}, whose code is not in it. "
            "Name the file: --plugin PATH, or plugins=[PATH]."
        )
    where = None if out is None else Path(out)
    return SavedStack(path, manifest, where, device, n_jobs, given, progress or Progress())
