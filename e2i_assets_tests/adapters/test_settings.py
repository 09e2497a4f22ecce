"""Settings: what the environment says, read once and judged."""

from pathlib import Path

import pytest

from e2i_assets.adapters.settings import cores, from_environment
from e2i_assets.core.errors import E2iError

ROOT = Path(__file__).parents[2]


def test_the_cores_are_those_that_the_environment_gives_or_the_process_has():
    assert from_environment({"E2I_HOME": str(ROOT), "E2I_CORES": "3"}).cores == 3
    assert from_environment({"E2I_HOME": str(ROOT)}).cores >= 1


@pytest.mark.parametrize("given", ["0", "-1", "two", "1.5", "²"])
def test_a_number_of_cores_that_is_none_is_an_error(given):
    with pytest.raises(E2iError, match="whole number, at least 1"):
        cores({"E2I_CORES": given})
