"""How long the fuzz tests try: a little in every run, or for minutes, a whole night for one.

``FUZZ_MINUTES=480 pytest -s tests/fuzz`` shares 480 minutes among the tests, each with new inputs.
"""

import os
import random
import time
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

MINUTES = float(os.environ.get("FUZZ_MINUTES", "0"))
AT_ONCE = 100  # examples between two looks at the clock


def fuzz(
    name: str, strategy: st.SearchStrategy[Any], check: Callable[[Any], None], n: int, n_tests: int
) -> None:
    """Call `check` with `n` examples, always the same; in a long run with new ones for its time.

    Parameters
    ----------
    name : str
    strategy : SearchStrategy
    check : callable
        Raises what is no user's error.
    n : int
        Examples of a normal run.
    n_tests : int
        Tests that share a long run's minutes.
    """
    tried = 0

    @given(strategy)
    def one(value: Any) -> None:
        nonlocal tried
        tried += 1
        check(value)

    calm = {
        "deadline": None,
        "suppress_health_check": list(HealthCheck),
        "database": None,
        "phases": (Phase.generate,),  # to shrink an example can take minutes
    }
    if not MINUTES:
        settings(max_examples=n, derandomize=True, **calm)(one)()  # type: ignore[arg-type]
        return
    many = settings(max_examples=AT_ONCE, **calm)(one)  # type: ignore[arg-type]
    end = time.monotonic() + 60 * MINUTES / n_tests
    while time.monotonic() < end:
        seed(random.randrange(2**32))(many)()
    print(f"\n{name}: {tried:,} examples")
