"""Fuzz targets for what surrounds the rows: rows for a served model, texts for MLflow, and the variables of a shell."""

from collections.abc import Callable
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import fuzz_values as values
import numpy as np
import pandas as pd
from hypothesis import strategies as st

from e2i_assets.adapters.mlflow.tracked_run import LONGEST_PARAM, cut, param_text
from e2i_assets.adapters.postgres.shell_variables import embedded_url, remove_shell_variables
from e2i_assets.adapters.settings import from_environment
from e2i_assets.core.algorithms import registry
from e2i_assets.core.algorithms.prepared_data import Task
from e2i_assets.core.fitting.fit_context import Rows, fit_context
from e2i_assets.core.fitting.fitted_model import FittedModel

# 10. Serving types: the same rows in columns of other types, or with a cell that no such column can have.
_SAME: dict[str, list[Callable[[pd.Series], pd.Series]]] = {
    "count": [
        lambda column: column.astype("int8"), lambda column: column.astype(float), lambda column: column.astype("Int64"),
        lambda column: column.map(Decimal), lambda column: column.astype(object), lambda column: column.astype("uint64"),
    ],
    "share": [
        lambda column: column.astype("Float64"), lambda column: column.astype(object),
        lambda column: column.astype("float64[pyarrow]"),
    ],
    "town": [
        lambda column: column.astype("category"), lambda column: column.astype("string"),
        lambda column: column.astype("string[pyarrow]"), lambda column: column.where(column.notna(), pd.NA),
        lambda column: column.where(column.notna(), None),
    ],
    "code": [
        lambda column: column.astype("Int64"), lambda column: column.astype(float), lambda column: column.astype("category"),
        lambda column: column.map(Decimal, na_action="ignore"), lambda column: column.astype("Int64").astype("string"),
    ],
}  # fmt: skip
SERVED = st.tuples(
    st.sampled_from(["LightGBM", "XGBoost", "LogisticRegression", "ExtraTrees"]),
    st.fixed_dictionaries({name: st.integers(0, len(forms) - 1) for name, forms in _SAME.items()}),
    st.none() | st.tuples(st.sampled_from(sorted(_SAME)), values.scalars),
)


@cache
def _model(name: str) -> tuple[FittedModel, pd.DataFrame]:
    """Return a model, and rows with missing, rare and unknown cells in the types of the train rows."""
    random = np.random.default_rng(4)
    frame = pd.DataFrame(
        {
            "count": random.integers(0, 9, 400), "share": random.normal(size=400),
            "town": random.choice(["Ulm", "Bad Aibling", None], 400), "code": random.integers(100, 170, 400).astype(float),
        }
    )  # fmt: skip
    frame.loc[::9, ["share", "code"]] = np.nan
    target = pd.Series(np.where(frame["count"] + random.normal(size=400) > 4, "yes", "no"))
    learnt = frame.assign(code=frame["code"].map("{:.0f}".format, na_action="ignore").astype("category"))
    rows, chosen = Rows(learnt.astype({"town": "category"}), target), registry.algorithm(name)
    context = fit_context(chosen, Task("binary_classification", 2), rows, rows, ("no", "yes"))
    few = {"n_estimators": 5} if "n_estimators" in chosen.parameters else {}
    shown = frame.head(12).copy()
    shown.loc[1, ["town", "code"]] = ["Nowhere", 7]
    return context.model(context.fit({**chosen.default_values, **few, **chosen.fixed_values})), shown


def once() -> None:
    """Fit the models outside of the cases."""
    for name in ("LightGBM", "XGBoost", "LogisticRegression", "ExtraTrees"):
        _model(name)


def served(case: tuple[str, dict[str, int], tuple[str, Any] | None], folder: Path) -> None:
    """Rows that mean the same have the same prediction; a cell of another kind is refused with its column."""
    name, forms, other = case
    model, rows = _model(name)
    expected = model.predict_proba(rows)
    changed = pd.DataFrame({column: _SAME[column][form](rows[column]) for column, form in forms.items()})
    assert np.array_equal(model.predict_proba(changed), expected)
    if other is None:
        return
    column, cell = other
    cells = [cell, *rows[column].astype(object)[1:]]
    refused = ""
    try:
        found = model.predict_proba(changed.assign(**{column: pd.Series(cells, dtype=object)}))
    except ValueError as error:
        refused = str(error)
    if refused:
        assert repr(column) in refused
        return
    assert np.isfinite(found).all()
    assert np.array_equal(found[1:], expected[1:])


# 11. MLflow's limits.
TEXTS = st.tuples(values.structures, st.text(max_size=200), st.integers(1, 400), st.integers(60, 500))


def limited(case: tuple[Any, str, int, int], folder: Path) -> None:
    """A text for MLflow is within its limit, and a shorter one is unchanged."""
    structure, text, times, limit = case
    whole = text * times
    found = cut(whole, limit)
    assert len(found) <= limit
    assert found == whole or f"{len(whole):,}" in found
    assert len(param_text(structure)) <= LONGEST_PARAM


# 12. Shell variables: those of libpq 17 with the parameter that replaces each, and our own.
LIBPQ = {
    "PGHOST": "host", "PGPORT": "port", "PGDATABASE": "dbname", "PGUSER": "user", "PGPASSWORD": "password",
    "PGSSLMODE": "sslmode", "PGSSLROOTCERT": "sslrootcert", "PGGSSENCMODE": "gssencmode",
    "PGCHANNELBINDING": "channel_binding", "PGTARGETSESSIONATTRS": "target_session_attrs", "PGCLIENTENCODING": "client_encoding",
    **dict.fromkeys([
        "PGHOSTADDR", "PGSERVICE", "PGSERVICEFILE", "PGSYSCONFDIR", "PGOPTIONS", "PGTZ", "PGDATESTYLE", "PGGEQO",
        "PGREQUIREAUTH", "PGSSLNEGOTIATION", "PGSSLCERTMODE", "PGREQUIRESSL", "PGREQUIREPEER", "PGCONNECT_TIMEOUT",
        "PGSSLMINPROTOCOLVERSION", "PGSSLMAXPROTOCOLVERSION", "PGMINPROTOCOLVERSION", "PGMAXPROTOCOLVERSION", "PGLOADBALANCEHOSTS",
    ]),
    # Not used with a password and without TLS and Kerberos.
    **dict.fromkeys(["PGPASSFILE", "PGSSLCERT", "PGSSLKEY", "PGSSLCRL", "PGSSLCRLDIR", "PGSSLSNI", "PGSSLCOMPRESSION",
                     "PGKRBSRVNAME", "PGGSSLIB", "PGGSSDELEGATION", "PGAPPNAME"], "unused"),
}  # fmt: skip
OURS = [
    "E2I_CORES", "E2I_DATABASE_URL", "E2I_ROOT", "E2I_STATE", "E2I_TIME_ZONE", "E2I_AUTOMATION", "E2I_SCAN_SECONDS",
    "E2I_LEASE_SECONDS", "E2I_DASK_ADDRESS", "E2I_TRACING_ENDPOINT", "E2I_MLFLOW_URI", "HOME", "COLUMNS", "TZ", "LANG",
]  # fmt: skip
VARIABLES = st.dictionaries(st.sampled_from([*LIBPQ, *OURS]), values.texts.filter(lambda text: "\0" not in text))


def exported(environment: dict[str, str], folder: Path) -> None:
    """No variable of a shell reaches the embedded server, and each of ours is accepted or refused by name."""
    from psycopg2.extensions import parse_dsn

    left = dict(environment)
    remove_shell_variables(left)
    address = embedded_url("u", "p", 5432, "d").replace("+psycopg2", "")
    given = {*parse_dsn(address), "unused"}
    assert not [name for name in left if name.startswith("PG") and LIBPQ[name] not in given]
    ours = {name: text for name, text in environment.items() if not name.startswith("PG")}
    from_environment({**ours, "E2I_ROOT": str(folder), "E2I_STATE": str(folder / "state")})
