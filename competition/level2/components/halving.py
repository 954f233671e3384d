"""Candidates that cannot win are dropped on a part of the ads, and never fitted to all of them.

Successive halving (Jamieson and Talwalkar 2016, AISTATS): all candidates are fitted to a small part
of the ads, those that keep up to a part four times as large, and so on up to a quarter of all. What
bends may need more ads than what does not, so a candidate is not judged by where it stands, but by
where it would stand on all ads if it went on to gain on the leader as it did from one part to the
next. Learning curves flatten, so that this says too much for it rather than too little.
"""

from collections.abc import Collection

import numpy as np

from competition.level2.components.race import Standing

MANY_ADS = 16_000  # of fewer, all candidates are fitted to all
FEWEST = 1_000  # ads of the smallest part
TIMES = 4  # each part is so many times as large as the one before
FAR = 3.0  # standard errors below the leader, on all ads, from which on a candidate is dropped


def parts(n_ads: int) -> list[np.ndarray]:
    """Positions of ads to look at first, ascending: random, each part within the next.

    The largest is a quarter of all ads.
    """
    order = np.random.default_rng(0).permutation(n_ads)
    sizes = []
    size = n_ads // TIMES
    while size >= min(FEWEST, n_ads // TIMES**2):
        sizes.append(size)
        size //= TIMES
    return [np.sort(order[:size]) for size in reversed(sizes)]


def hopeless(names: Collection[str], before: Standing, now: Standing, steps: int) -> set[str]:
    """Name the candidates that would still be far below the leader on all ads.

    Parameters
    ----------
    names : collection of str
        Candidates that may be dropped.
    before, now : Standing
        On the part before, and on a part four times as large.
    steps : int
        How often a part must grow so to be all ads.
    """
    (earlier, _), (scores, errors) = before, now
    known = [name for name in scores if name in earlier]
    if not known:
        return set()
    leader = max(known, key=lambda name: scores[name])
    found = set()
    for name in known:
        distance = scores[leader] - scores[name]
        gained = max(0.0, earlier[leader] - earlier[name] - distance)
        if name in names and distance - steps * gained > FAR * errors[name]:
            found.add(name)
    return found
