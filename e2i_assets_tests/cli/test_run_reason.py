"""The reason that `e2i run` prints for a failed step is the message of our error, not that of its cause."""

import dagster as dg

from e2i_assets.cli.run_one import _reason
from e2i_assets.core.errors import E2iError


@dg.op
def writes() -> None:
    try:
        raise OSError(30, "Read-only file system")
    except OSError as error:
        raise E2iError("the schema cannot be written: commit the file") from error


@dg.job
def failing() -> None:
    writes()


def test_the_message_of_our_error_is_kept() -> None:
    result = failing.execute_in_process(raise_on_error=False)
    assert _reason(result) == "writes: the schema cannot be written: commit the file"
