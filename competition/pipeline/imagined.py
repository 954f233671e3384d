"""Ads with the features that a profile would extract, before any is: for plans, not for models."""

from dataclasses import replace

import pandas as pd

from competition.config.profile import Profile
from competition.datasets.base import AdDataset, Input
from competition.pipeline.context import Context
from competition.pipeline.plan import PlannedFeature, PlannedModel, plan_feature, plan_models
from competition.utils.progress import Progress

TO_COME = "to come"  # stands where a feature will be


def planned_features(context: Context[Profile]) -> tuple[list[PlannedFeature], AdDataset]:
    """Say which features a profile extracts, and what the ads have when they are there.

    Returns
    -------
    (list of PlannedFeature, AdDataset)
        In the cells of features stands `TO_COME`, wherever an ad has what it is extracted from.

    Raises
    ------
    ProfileError, FeatureError
        If a feature cannot be what the profile says.
    """
    profile, own, found = context.profile, context.dataset, []
    for name in profile.features:
        planned = plan_feature(name, own, context)
        if own.has(name) and profile.features[name].use == "extract":
            context = context.with_dataset(without_input(context.dataset, name))
        if planned is not None and profile.wants(planned.entry.gives):
            context = context.with_dataset(feature_to_come(context.dataset, planned))
            found.append(planned)
    return found, context.dataset


def models_to_come(context: Context[Profile]) -> list[PlannedModel]:
    """Level-1 models that a profile runs once its features are there."""
    silent = replace(context, progress=Progress())
    return plan_models(context.profile, planned_features(silent)[1])


def model_names(context: Context[Profile]) -> list[str]:
    """Names of these models."""
    return [one.name for one in models_to_come(context)]


def without_input(dataset: AdDataset, name: str) -> AdDataset:
    """Return the ads without an input that they came with, as the profile wants another."""
    inputs = {key: given for key, given in dataset.inputs.items() if key != name}
    ads = dataset.ads.drop(columns=list(dataset.inputs[name].columns))
    return replace(dataset, ads=ads, inputs=inputs)


def feature_to_come(dataset: AdDataset, planned: PlannedFeature) -> AdDataset:
    """Return the ads with a feature that is yet to be extracted."""
    if planned.keeps:
        lacking = dataset.lacks(planned.name) & ~dataset.lacks(planned.source.name)
        own = {
            column: dataset.ads[column].astype(object).mask(lacking, TO_COME)
            for column in dataset.inputs[planned.name].columns
        }
        return replace(dataset, ads=dataset.ads.assign(**own))
    gives, lacks = planned.entry.gives, dataset.lacks(planned.source.name)
    names = planned.entry.metadata if gives == "metadata" else (planned.name,)
    names = tuple(name for name in names if name not in dataset.ads.columns)
    empty = "" if gives == "text" else None
    column = pd.Series(TO_COME, index=dataset.ads.index, dtype=object).mask(lacks, empty)
    columns = pd.DataFrame(dict.fromkeys(names, column), index=dataset.ads.index)
    ads = pd.concat([dataset.ads, columns], axis=1)
    inputs = {**dataset.inputs, planned.name: Input(planned.name, gives, names)}
    return replace(dataset, ads=ads, inputs=inputs)
