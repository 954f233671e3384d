"""What is stored of the features of a run: read, never written."""

from dataclasses import dataclass

from competition.config.profile import Profile
from competition.datasets.base import AdDataset, files_of
from competition.features.registry import get_extractor
from competition.features.several import key_of_files
from competition.features.store import Digests, FeatureStore, feature_settings
from competition.pipeline.context import Context
from competition.pipeline.extract import extract_stored, source_items
from competition.pipeline.imagined import TO_COME, feature_to_come, without_input
from competition.pipeline.plan import PlannedFeature, plan_feature
from competition.utils.errors import StoreError


@dataclass(frozen=True)
class FeatureSoFar:
    """How much of a feature is stored.

    Attributes
    ----------
    planned : PlannedFeature
    ads : tuple of str
        That have what it is extracted from.
    pending : tuple of str
        Those of them whose feature is not stored.
    n_items : int
        Files or texts that are to be extracted still.
    """

    planned: PlannedFeature
    ads: tuple[str, ...]
    pending: tuple[str, ...]
    n_items: int

    @property
    def name(self) -> str:
        return self.planned.name


def features_so_far(context: Context[Profile]) -> tuple[Context[Profile], list[FeatureSoFar]]:
    """Say of each feature how much is stored.

    Returns
    -------
    (Context, list of FeatureSoFar)
        Its ads have the features that are stored wholly; of the others `TO_COME` stands where they
        will be.

    Raises
    ------
    ProfileError, FeatureError
        If a feature cannot be what the profile says.
    """
    profile, own = context.profile, context.dataset
    digests, found = Digests(context.digests_file), []
    npy = get_extractor("npy")
    for given in own.inputs.values():
        if given.kind == "array" and own.has(given.name) and profile.wants("array"):
            planned = PlannedFeature(given.name, npy, npy.make(), given)
            context, one = _so_far(context, planned, own, digests)
            found.append(one)
    for name in profile.features:
        feature = plan_feature(name, own, context)
        if own.has(name) and profile.features[name].use == "extract":
            context = context.with_dataset(without_input(context.dataset, name))
        if feature is not None and profile.wants(feature.entry.gives):
            context, one = _so_far(context, feature, own, digests)
            found.append(one)
    return context, found


def _so_far(
    context: Context[Profile], planned: PlannedFeature, own: AdDataset, digests: Digests
) -> tuple[Context[Profile], FeatureSoFar]:
    dataset, source = context.dataset, planned.source
    ads = own.ads if source.kind == "array" and source.name in own.inputs else dataset.ads
    cells = ads[source.columns[0]]
    if planned.keeps:
        cells = cells[dataset.lacks(planned.name)]
    present = cells.dropna()
    present = present[present != ""]
    names = tuple(map(str, present.index))
    settings = feature_settings(planned.entry, planned.extractor, digests, source.kind)
    store = FeatureStore(context.features_folder, settings)
    if not store.folder.is_dir() or (present == TO_COME).any():
        n_items = sum(1 if source.kind == "text" else len(files_of(cell)) for cell in present)
        return _to_come(context, planned, FeatureSoFar(planned, names, names, n_items))
    files, items = source_items(dataset.root, source, cells, digests)
    try:
        known = set(store.read().index)
    except StoreError:  # some are damaged: a run extracts these again, and there may be more
        return _to_come(context, planned, FeatureSoFar(planned, names, names, len(items)))
    pending = tuple(ad for ad, keys in files.items() if not {*keys, key_of_files(keys)} <= known)
    so_far = FeatureSoFar(planned, tuple(files), pending, len(set(items) - known))
    if pending:
        return _to_come(context, planned, so_far)
    return extract_stored(context, planned, own, digests), so_far


def _to_come(
    context: Context[Profile], planned: PlannedFeature, so_far: FeatureSoFar
) -> tuple[Context[Profile], FeatureSoFar]:
    return context.with_dataset(feature_to_come(context.dataset, planned)), so_far
