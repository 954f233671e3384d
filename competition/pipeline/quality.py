"""`quality`: fewer models than a profile names, where that is quick, or more, where it is best.

What is quick was measured on the demo (`benchmarks/time_limit.md`): linear models of texts, `probe`
on what encoders and extractors give, one model of trees that all tags share, and meta-learners of
seconds. What a user sets himself, by ``--set`` or in a profile of his own, wins.
"""

from dataclasses import dataclass, replace

from competition.config.profile import Profile
from competition.config.stages import Level1Settings, Level2Settings
from competition.features.registry import get_extractor
from competition.level1.components.seeds import SEEDS
from competition.level1.registry import get_model
from competition.level2.registry import find_meta_learners
from competition.pipeline.context import Context
from competition.pipeline.cost_table import LEVEL1
from competition.pipeline.imagined import model_names, models_to_come
from competition.pipeline.plan import names_by_patterns
from competition.pipeline.reduced import level2_of, without
from competition.utils.errors import ProfileError

FAST = ("tfidf_logreg", "tfidf_nblogreg", "probe", "shared_trees", "zero_shot")
FAST_LEARNERS = ("pooled", "logit_mean", "single")
TREES = ("lightgbm", "xgboost")  # in whose place all tags share the trees of SHARED
SHARED = "shared_trees"
SLOW_TEXTS = ("asr", "ocr")  # extractors
LEFT_OUT = ("!shared_trees", "!text_net")  # patterns of shipped profiles, for the sake of time
SEEDS_OF_BEST = 3


@dataclass(frozen=True)
class Shaped:
    """What `quality` made of a profile.

    Attributes
    ----------
    profile : Profile
        Its quality is "default": there is nothing left to do.
    models, features, learners : tuple of str
        Which it took away; the last are meta-learners.
    remark : str
        That, in a sentence; "" where nothing changed.
    """

    profile: Profile
    models: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    learners: tuple[str, ...] = ()
    remark: str = ""


def shaped(context: Context[Profile]) -> Shaped:
    """Shape the profile of a command by its quality.

    Parameters
    ----------
    context : Context
        With the ads as they came.

    Raises
    ------
    ProfileError, FeatureError
        If the profile cannot be what it says, or nothing can run.
    """
    profile = context.profile
    if profile.quality == "fast":
        return _fast(context)
    if profile.quality == "best":
        best = _best(context)  # no meta-learner is left out: all run, or what the user has set
        remark = (
            'quality = "best": '
            f"{SEEDS_OF_BEST} copies of each model that draws random numbers, "
            f"{len(best.level2.params)} meta-learners"
        )
        return Shaped(best, remark=remark)
    return Shaped(profile)


def with_quality(context: Context[Profile]) -> tuple[Context[Profile], Shaped]:
    """Return the context with its profile shaped, and what that was; it is remarked on."""
    found = shaped(context)
    if found.remark:
        context.progress.remark(found.remark)
    return replace(context, profile=found.profile), found


def _fast(context: Context[Profile]) -> Shaped:
    profile = context.profile
    planned = models_to_come(context)
    before = [one.name for one in planned]
    found = _reduced(context, "")
    try:
        after = model_names(replace(context, profile=found))
    except ProfileError:  # nothing is left: the one that costs least stays
        cheapest = min(planned, key=lambda one: LEVEL1.get(one.model, (float("inf"), 0.0))[0])
        found = _reduced(context, cheapest.name)
        after = model_names(replace(context, profile=found))
    gone = tuple(name for name in before if name not in after)
    features = tuple(name for name in profile.features if name not in found.features)
    said = [f"the models {', '.join(gone)}"] if gone else []
    said += [f"the features {', '.join(features)}"] if features else []
    instead = [name for name in after if name not in before]
    remark = f'quality = "fast" leaves out {" and ".join(said)}' if said else ""
    if said and instead:
        remark += f"; in their place runs {', '.join(instead)}"
    learners = _learners_gone(profile, found)
    if learners:
        remark = f"{remark}; level 2 goes" if remark else 'quality = "fast": level 2 goes'
        remark += f" without {', '.join(learners)}"
    return Shaped(found, gone, features, learners, remark)


def _learners_gone(profile: Profile, shaped: Profile) -> tuple[str, ...]:
    """Meta-learners that a profile stacks by, or shows beside, and its shaped form does not."""
    before, after = (
        dict.fromkeys((*one.level2.params, *one.level2.beside)) for one in (profile, shaped)
    )
    return tuple(name for name in before if name not in after)


def _reduced(context: Context[Profile], spared: str) -> Profile:
    """Return the profile with what is fast, and with one model that is spared."""
    profile = context.profile
    named = {name: name for name in names_by_patterns(profile)}
    named |= {name: chosen.model or name for name, chosen in profile.level1.items()}
    slow = {
        name
        for name, model in named.items()
        if name != spared and not _is_fast(name, model, profile)
    }
    trees = {name: profile.level1[name] for name in slow if _is_trees(name, profile)}
    reduced = without(profile, context.dataset, slow)
    level1 = dict(reduced.level1)
    for name, chosen in trees.items():  # of a table of its own: on the inputs that it reads
        level1[f"{name}_{SHARED}"] = Level1Settings(model=SHARED, inputs=chosen.inputs)
    models = reduced.models
    patterns = set(names_by_patterns(profile)) & slow
    if patterns & set(TREES) and f"!{SHARED}" not in _own_patterns(profile):
        models = (*models, SHARED)
    level2 = _fast_level2(profile)
    changed = {"models": models, "level1": level1, "level2": level2, "quality": "default"}
    return _without_idle_features(replace(context, profile=reduced.model_copy(update=changed)))


def _is_fast(name: str, model: str, profile: Profile) -> bool:
    """Whether a model stays: it is quick, or the user has named it himself."""
    return model in FAST or profile.sets(f"level1.{name}") or name in _own_patterns(profile)


def _own_patterns(profile: Profile) -> tuple[str, ...]:
    return profile.models if profile.sets("models") else ()


def _is_trees(name: str, profile: Profile) -> bool:
    """Whether a model of a table of its own, which no pattern names, is one of trees."""
    chosen = profile.level1.get(name)
    return chosen is not None and chosen.model in TREES


def _fast_level2(profile: Profile) -> Level2Settings:
    level2 = profile.level2
    if profile.sets("level2.model"):
        return level2
    return _with_own(profile, FAST_LEARNERS)


def _with_own(profile: Profile, names: tuple[str, ...]) -> Level2Settings:
    """Level 2 by these meta-learners and those that the user sets a parameter of."""
    level2, known = profile.level2, find_meta_learners()
    given = level2.model_extra or {}
    if any(profile.sets(f"level2.{key}") for key in given if key not in known):
        return level2  # a parameter of the one meta-learner that the profile names
    own = tuple(key for key in given if profile.sets(f"level2.{key}") and key not in names)
    beside = level2.beside if profile.sets("level2.beside") else ()
    return level2_of(level2, (*names, *own), tuple(one for one in beside if one not in names))


def _without_idle_features(context: Context[Profile]) -> Profile:
    """Return the profile without arrays that no model reads, and texts that take long to read.

    Texts are read from pictures and sound where the ads have no other text, or where a model has
    nothing else to read here.
    """
    profile, own = context.profile, context.dataset
    has_text = any(given.kind == "text" and own.has(name) for name, given in own.inputs.items())
    idle, slow = set(), set()
    for name, feature in profile.features.items():
        entry = get_extractor(feature.extractor)
        if profile.sets(f"features.{name}"):
            continue
        if entry.gives == "array" and not _is_read(name, profile):
            idle.add(name)
        if entry.name in SLOW_TEXTS and has_text and not _is_all_that_is_read(name, profile):
            slow.add(name)
    left = without(profile, own, (), idle | slow)
    lost = set(_names(context)) - set(_names(replace(context, profile=left)))
    if not lost:
        return left
    read = [profile.level1.get(name, Level1Settings()).inputs for name in lost]
    needed = slow if None in read else {one for inputs in read for one in inputs or ()}
    return without(profile, own, (), idle | (slow - needed))


def _names(context: Context[Profile]) -> list[str]:
    """Level-1 models that run; none where the profile has none that can."""
    try:
        return model_names(context)
    except ProfileError:
        return []


def _is_all_that_is_read(feature: str, profile: Profile) -> bool:
    """Whether a model reads this and nothing but such texts, by its table."""
    slow = {name for name, one in profile.features.items() if one.extractor in SLOW_TEXTS}
    inputs = [set(chosen.inputs or ()) for chosen in profile.level1.values()]
    return any(feature in read and read <= slow for read in inputs)


def _is_read(feature: str, profile: Profile) -> bool:
    """Whether a model or another feature reads an array."""
    tables = {name: Level1Settings() for name in names_by_patterns(profile)} | profile.level1
    for name, chosen in tables.items():
        if feature in (chosen.inputs or ()):
            return True
        if chosen.inputs is None and "array" in get_model(chosen.model or name).kinds:
            return True
    return any(other.input == feature for other in profile.features.values())


def _best(context: Context[Profile]) -> Profile:
    profile = context.profile
    patterns = profile.models
    if not profile.sets("models"):
        patterns = tuple(one for one in patterns if one not in LEFT_OUT)
    wider = profile.model_copy(update={"models": patterns})
    runs = model_names(replace(context, profile=wider))
    level1 = {name: Level1Settings() for name in runs} | profile.level1
    for name, chosen in level1.items():
        entry = get_model(chosen.model or name)
        draws = {"random_state", SEEDS} & set(entry.parameters)
        if "seeds" not in chosen.model_fields_set and draws:
            values = {**chosen.model_dump(exclude_unset=True), "seeds": SEEDS_OF_BEST}
            level1[name] = Level1Settings.model_validate(values)
    level2 = profile.level2
    if not profile.sets("level2.model"):
        level2 = _with_own(profile, tuple(find_meta_learners()))
    changed = {"level1": level1, "level2": level2, "quality": "default"}
    return wider.model_copy(update=changed)
