"""What a reader of a stack's score must know, in sentences: for the terminal and the page."""

from competition.evaluation.chosen_metric import CALLED
from competition.level2.components.preselection import MANY, SHOWN
from competition.oof.cards import StackCard
from competition.utils.errors import some


def corrections(card: StackCard) -> list[str]:
    """Say how much of its correction each fold of a meta-learner uses."""
    found = []
    for name, shares in (card.corrections or {}).items():
        listed = ", ".join(f"{share:.2f}" for share in shares)
        remark = "" if any(shares) else ": it is the stack that it corrects, and nothing more"
        found.append(f"{name} uses {listed} of its correction in the folds{remark}.")
    return found


def shares(card: StackCard) -> dict[str, float]:
    """What each meta-learner of a stack weighs, the mean of the folds."""
    return {name: sum(of_folds) / len(of_folds) for name, of_folds in card.weights.items()}


def failures(card: StackCard) -> list[str]:
    """Say which meta-learners failed, or were given up."""
    found = [f"{name} failed and is left out: {reason}" for name, reason in card.failed.items()]
    found += [
        f"{name} was too far behind on {n_ads:,} of the ads to be near the best on all: it was not "
        "fitted to all."
        for name, n_ads in card.dropped.items()
    ]
    return found + [
        f"{name} fell far behind on the first fits and was not fitted on." for name in card.outrun
    ]


def suspicions(card: StackCard) -> list[str]:
    """Warn of level-1 models whose folds do not fit together."""
    used = "The stack does without what it says of that fold."
    if len(card.standing_out) == len(card.models):
        used = "The stack believes it, as every model is such."
    found = [
        f"Warning: {model} has a GAP of {fold.gap:.4f} in fold {fold.fold} and of "
        f"{fold.others:.4f} in the others, more than chance explains: did the model that "
        f"predicts that fold see its labels? {used}"
        for model, fold in card.standing_out.items()
    ]
    found += _left_out(card)
    return found + [
        f"Warning: the fold models of {model} differ by up to {offset.spread:.2f} in their "
        f"mean logit on the same test ads (GAP {offset.gap:.4f} in one list, "
        f"{offset.gap_folds:.4f} as the mean of folds): the stack removes these fold offsets."
        for model, offset in card.large_offsets.items()
    ]


def _left_out(card: StackCard) -> list[str]:
    """Say which models a stack makes no use of, or not everywhere."""
    copies = [f"{name} as {other}" for name, other in card.left_out.items() if other]
    still = [name for name, other in card.left_out.items() if not other]
    found = []
    if len(card.models) > MANY:
        found.append(
            f"Of {len(card.models):,} models each meta-learner that weighs them is shown {SHOWN}, "
            "chosen in every fold by its training ads."
        )
    if copies:
        found.append(
            f"{len(copies):,} model(s) say what another says and are used once: {some(copies, 5)}."
        )
    if still:
        found.append(
            f"{len(still):,} model(s) say the same of every ad and are left out: {some(still, 5)}."
        )
    return found


def gain(card: StackCard) -> str:
    """Say what the stack gains over its best model."""
    found, metric = card.gain, CALLED.get(card.metric, card.metric)
    return (
        f"The stack gains {found.value:+.4f} {metric} over its best model, {card.best_model} "
        f"(mean of folds; 95% interval {found.low:+.4f} to {found.high:+.4f})."
    )


def doubts_of_gain(card: StackCard) -> list[str]:
    """Say what is doubtful about that gain."""
    found = card.gain
    if len(card.candidates) > 1 and shares(card).get("single") == 1:
        return ["It is that model alone: no stack is better by more than chance."]
    if found.value <= 0:
        return ["Warning: the stack does not beat that model: submit with care."]
    if found.low <= 0:
        return ["Warning: a gain this small may be chance: more ads would decide it."]
    return []
