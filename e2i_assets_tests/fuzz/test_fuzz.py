"""Hostile input gives one of our errors or none, in bounded time, without side effects.

The short form is part of the suite. The long form, `make fuzz`, counts its cases and prints its seed. Each of its
findings has a regression test.
"""

import os
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import fuzz_guard
import pytest
from fuzz_targets import TARGETS, Target
from hypothesis import HealthCheck, Phase, given, seed, settings

SHORT = 15
SEED = int(os.environ.get("FUZZ_SEED") or random.SystemRandom().randrange(2**32))
CASES = int(os.environ.get("FUZZ_CASES") or 110_000)
BY_NAME = {target.name: target for target in TARGETS}


@pytest.fixture(scope="module", autouse=True)
def _counted() -> Iterator[None]:
    yield
    print(f"\nseed {SEED}\n{fuzz_guard.table()}")


def fuzzed(target: Target, cases: int, number: int) -> None:
    """Run a target on a number of cases."""
    target.before()

    @seed(number)
    @settings(
        max_examples=cases,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
    )
    @given(target.made)
    def run(case: object) -> None:
        with tempfile.TemporaryDirectory() as folder, fuzz_guard.guarded(target.name, Path(folder)):
            target.tried(case, Path(folder))

    run()


@pytest.mark.parametrize("name", BY_NAME)
def test_a_few_hostile_cases_are_rejected_with_a_message(name: str) -> None:
    fuzzed(BY_NAME[name], SHORT, 20260101)


@pytest.mark.fuzz
@pytest.mark.filterwarnings("ignore:Generating overly large repr")
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", BY_NAME)
def test_every_hostile_case_is_rejected_with_a_message(name: str) -> None:
    total = sum(target.share for target in TARGETS)
    fuzzed(BY_NAME[name], round(CASES * BY_NAME[name].share / total), SEED)
