"""The table schema of an experiment: a pandera schema in a file that the user edits.

It is inferred once, from the first rows, and enforced from then on. The inferred rules should detect broken tables, not
new rows: types, missing cells only in columns that had some, known categories where there are few, and numbers at most
one range (maximum minus minimum) outside the observed ones.
"""

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

import pandas as pd

from e2i_assets.core.content_hash import content_hash
from e2i_assets.core.data.column_types import is_number
from e2i_assets.core.data.dataset import Dataset
from e2i_assets.core.errors import E2iError
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.fitting.date_parts import is_date
from e2i_assets.core.fitting.many_categories import FEW_VALUES

if TYPE_CHECKING:
    import pandera.pandas as pa

MOST_EXAMPLES = 5
_HEADER = """\
# The schema of the rows of {name}. It is enforced whenever the rows are read, and by `e2i check`.
# It was inferred from {rows} rows. You can edit this file: an edited file is never overwritten. To infer it again,
# delete the file or run `e2i experiment schema {name} --force`.
#
# A column may have dtype, nullable, unique, and checks such as isin, greater_than_or_equal_to, str_matches:
# all checks of https://pandera.readthedocs.io are allowed. strict: a column that is not listed is an error.
"""
# The last line of an inferred file: digests of what the types depend on in the experiment file, and of the text before.
_MARK = "# inferred: "


class TableSchemaInvalid(E2iError):
    """A schema file that is not a pandera schema or has no columns."""


def is_outdated(text: str, experiment: Experiment) -> bool:
    """Return whether a schema file was inferred with other columns or another target, and nobody has edited it."""
    content, mark, digests = text.rpartition(_MARK)
    reading, _, written = digests.strip().partition(" ")
    return bool(mark) and written == content_hash(content) and reading != _reading(experiment)


def _reading(experiment: Experiment) -> str:
    """Return a digest of what decides the columns and their types, apart from the rows.

    The place of the source is not part of it: a new delivery must match the schema of the one before.
    """
    parts = {"columns", "target", "problem_type"}
    return content_hash({**experiment.model_dump(mode="json", include=parts), "split": experiment.split.column})


def marked(text: str, experiment: Experiment) -> str:
    """Return an inferred text with the line that `is_outdated` reads."""
    return f"{text}{_MARK}{_reading(experiment)} {content_hash(text)}\n"


def inferred(data: Dataset, name: str) -> str:
    """Return the text of a schema file for a table."""
    import pandera.pandas as pa

    columns = {feature: _column(data.frame[feature]) for feature in data.features}
    if data.classes:
        columns[data.target] = pa.Column(object, pa.Check.isin(list(data.classes)))
    else:
        columns[data.target] = _column(data.frame[data.target])
    for other in data.frame.columns:
        if other not in columns:
            columns[other] = pa.Column(nullable=bool(data.frame[other].isna().any()))
    schema = pa.DataFrameSchema(columns, strict=True)
    return _HEADER.format(name=name, rows=len(data.frame)) + str(schema.to_yaml()).rstrip() + "\n"


def violations(text: str, where: str, data: Dataset, kept_out: Collection[str]) -> list[str]:
    """Check a table against a schema file; return a message for each broken rule, with the number of rows and examples.

    Args:
        text: The text of the file.
        where: The name of the file in messages.
        data: The table.
        kept_out: Columns that the experiment excludes from the features; the file may still list them.

    Raises:
        TableSchemaInvalid: The file cannot be read as a schema.
    """
    from pandera.errors import SchemaErrors

    schema = _parsed(text, where)
    absent = [name for name in schema.columns if name not in data.frame.columns]
    mistakes = [
        f"{name} is required, but is left out: {data.left_out.get(name, 'the source does not have it')}"
        for name in absent
        if name not in kept_out and schema.columns[name].required
    ]
    try:
        schema.remove_columns(absent).validate(data.frame, lazy=True)
    except SchemaErrors as error:
        mistakes += _sentences(error.failure_cases, data)
    return mistakes


def feature_violations(text: str, where: str, features: pd.DataFrame) -> list[str]:
    """Check the features of new rows against a schema file; return a message for each broken rule.

    Args:
        text: The text of the file.
        where: The name of the file in messages.
        features: The features in the types of `Dataset`.

    Raises:
        TableSchemaInvalid: The file cannot be read as a schema.
    """
    from pandera.errors import SchemaErrors

    schema = _parsed(text, where)
    known = [name for name in schema.columns if name in features.columns]
    if not known:
        return []
    try:
        schema.select_columns(known).validate(features[known], lazy=True)
    except SchemaErrors as error:
        return [
            f"{column} breaks {check} in {len(broken):,} of {len(features):,} compared rows, such as "
            f"{broken['failure_case'].iloc[0]}"
            for (column, check), broken in error.failure_cases.groupby(["column", "check"], sort=False, dropna=False)
        ]
    return []


def _parsed(text: str, where: str) -> "pa.DataFrameSchema":
    import pandera.pandas as pa
    import yaml
    from pandera.errors import SchemaDefinitionError, SchemaInitError

    try:
        schema = pa.DataFrameSchema.from_yaml(text)
    except (
        yaml.YAMLError, SchemaInitError, SchemaDefinitionError, TypeError, ValueError, KeyError, AttributeError,
    ) as error:  # fmt: skip
        reason = " ".join(str(error).split())[:300]
        raise TableSchemaInvalid(f"{where} is not a pandera schema: {type(error).__name__}: {reason}") from error
    if not schema.columns:
        raise TableSchemaInvalid(f"{where} has no columns: delete the file to infer it again")
    return schema


def _column(values: pd.Series) -> "pa.Column":
    """Infer what one column must be."""
    import pandera.pandas as pa

    missing = bool(values.isna().any())
    if is_date(values):
        return pa.Column(str(values.dtype), nullable=missing)
    if not is_number(values):
        seen = sorted(map(str, values.dropna().unique()))
        # New rows have values of their own where there are many: towns, product numbers.
        return pa.Column("category", pa.Check.isin(seen) if len(seen) <= FEW_VALUES else None, nullable=missing)
    low, high = float(values.min()), float(values.max())
    span = high - low
    least = 0.0 if 0 <= low <= span else _rounded(low - span, low - span / 2)
    checks = [pa.Check.ge(least), pa.Check.le(_rounded(high + span, high + span / 2))]
    # Whole numbers become fractions as soon as one is missing, so a number is a number.
    return pa.Column("float64", checks, nullable=missing, coerce=True)


def _rounded(bound: float, nearest: float) -> float:
    """Return a bound with three digits, unless that brings it nearer to the values than it may come."""
    rounded = float(f"{bound:.3g}")
    return rounded if abs(rounded - bound) <= abs(bound - nearest) else bound


def _sentences(cases: pd.DataFrame, data: Dataset) -> Iterator[str]:
    for (column, check), broken in cases.groupby(["column", "check"], sort=False, dropna=False):
        name = column if isinstance(column, str) else "the table"
        if check == "column_in_schema":
            unknown = ", ".join(map(str, broken["failure_case"]))
            yield f"{unknown}: not in the schema file; add it there, or drop it under columns.drop"
            continue
        rows = broken[broken["index"].notna()].sort_values("index", kind="stable")
        if rows.empty:
            yield f"{name} breaks {check}: it is {broken['failure_case'].iloc[0]}"
            continue
        shown = ", ".join(_row(case, data) for case in rows.head(MOST_EXAMPLES).to_dict("records"))
        more = f" and {len(rows) - MOST_EXAMPLES} more" if len(rows) > MOST_EXAMPLES else ""
        yield f"{name} breaks {check} in {len(rows)} rows: {shown}{more}"


def _row(case: dict[Any, Any], data: Dataset) -> str:
    """Name a row by its position and, where it has some, its ids."""
    position = int(case["index"])
    named = [f"{name} {data.frame[name].iloc[position]}" for name in data.ids]
    known = f" ({', '.join(named)})" if named else ""
    return f"row {position}{known} has {case['failure_case']}"
