"""Fuzz target: hostile arguments and environment variables of `e2i`."""

import os
import tempfile
from pathlib import Path
from typing import Any

import fuzz_guard
import fuzz_values as values
from hypothesis import strategies as st
from typer.testing import CliRunner

from e2i_assets.cli.main import app

_STATUS = {0, 1, 2}
_SETTINGS = (
    "E2I_SOURCE_ROWS", "E2I_SOURCE_MB", "E2I_SOURCE_FOLDERS", "E2I_CORES", "E2I_LEASE_SECONDS", "E2I_DASK_ADDRESS",
    "E2I_MLFLOW_TRACKING_URI", "E2I_MLFLOW_URL", "E2I_DAGSTER_URL", "E2I_SCAN_SECONDS", "E2I_TIME_ZONE", "E2I_TRACING_ENDPOINT",
)  # fmt: skip


def _of_a_process(text: str) -> bool:
    """Return whether a process can receive this text as an argument and a message may repeat it."""
    try:
        return b"\0" not in text.encode("utf-8", "surrogateescape") and len(text) < 6000
    except UnicodeEncodeError:
        return False


_words = st.one_of(
    values.texts.filter(_of_a_process),
    st.sampled_from(["e", "rows.csv", "experiments/e.yaml", "--json", "http://u:p@[::1", "http://h:x"]),
)
_names = st.one_of(st.just("churn"), _words)
_known = st.one_of(st.just("e"), _words)
_options = st.lists(
    st.tuples(st.sampled_from(["--csv", "--parquet", "--target", "--owner", "--algorithm", "--problem"]), _words),
    max_size=4,
).map(lambda pairs: [word for pair in pairs for word in pair])
_typed = st.one_of(
    st.tuples(_names, _options).map(lambda case: ["experiment", "new", case[0], *case[1]]),
    st.tuples(_names, _options).map(lambda case: ["experiment", "new", f"--csv={case[0]}", *case[1], "e"]),
    st.tuples(st.lists(_known, max_size=3), st.lists(st.sampled_from(["--data", "--json"]), max_size=2)).map(
        lambda case: ["experiment", "validate", *case[1], "--", *case[0]]
    ),
    st.lists(_known, min_size=1, max_size=2).map(lambda names: ["experiment", "schema", "--force", "--", *names]),
    st.just(["experiment", "list"]),
    st.lists(_words, max_size=3),
)  # fmt: skip
COMMAND_LINES = st.tuples(_typed, st.dictionaries(st.sampled_from(_SETTINGS), _words, max_size=2))
EXPERIMENT = (
    "name: e\nowner: team:t\nsource: {csv: rows.csv}\ntarget: y\nproblem_type: binary_classification\n"
    "algorithm: XGBoost\n"
)
ROWS = "y,a\n" + "".join(f"{'ab'[number % 2]},{number * 1.5}\n" for number in range(30))
# These need the database; separate tests pass them invalid names.
_WITH_DATABASE = {"run", "check", "predict", "holdout", "track", "report", "up", "memory", "db"}


def typed(case: tuple[list[str], dict[str, str]], folder: Path) -> int | None:
    """Run one command line in a project folder with one experiment.

    Returns:
        Its exit status; None for a command that is not run here.

    Raises:
        AssertionError: It did not end with a message and an exit status.
    """
    words, settings = case
    if words and words[0] in _WITH_DATABASE:
        return None
    (folder / "experiments").mkdir()
    (folder / "experiments" / "e.yaml").write_text(EXPERIMENT)
    (folder / "rows.csv").write_text(ROWS)
    ours: dict[str, Any] = {name: None for name in os.environ if name.startswith("E2I_")}
    # A wide terminal, because messages must not be truncated.
    ours |= {"E2I_HOME": str(folder), "E2I_STATE": str(folder / "state"), "COLUMNS": "200", **settings}
    result = CliRunner().invoke(app, words, env=ours)
    if not isinstance(result.exception, SystemExit | None):
        raise result.exception
    assert result.exit_code in _STATUS
    fuzz_guard.readable(result.output)
    return result.exit_code


def once() -> None:
    """Import the modules of the commands, and check that they work with valid input."""
    for words in (["new", "f"], ["validate", "--data"], ["schema", "e"], ["list"]):
        with tempfile.TemporaryDirectory() as folder:
            assert typed((["experiment", *words], {}), Path(folder)) == 0
