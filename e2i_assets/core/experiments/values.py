"""The types of texts, numbers and lists in an experiment file, each with the message for an invalid value."""

import codecs
import itertools
import math
import re
import unicodedata
from collections.abc import Callable
from datetime import datetime
from pathlib import PurePosixPath, PureWindowsPath
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, StrictInt, StrictStr

Scalar = str | int | float | bool | None


def _matches(pattern: str, rule: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(rule)
        return text

    return check


def _inside_the_project(path: str) -> str:
    ways = (PurePosixPath(path), PureWindowsPath(path))
    outside = any(way.is_absolute() or way.drive or way.root or ".." in way.parts for way in ways)
    if not path.strip() or outside or path.startswith("~"):
        raise ValueError(
            "must be a path inside the project folder, such as data/rows.csv; to read a file outside it, create a "
            "link to it in the project folder and list its folder in E2I_SOURCE_FOLDERS"
        )
    return path


def _composed(name: str) -> str:
    """Return a name in Unicode NFC, the form of all column names."""
    return unicodedata.normalize("NFC", name)


def _by_column(raw: object) -> object:
    """Return a list of columns as a mapping, so that both forms are one."""
    return dict.fromkeys(raw) if isinstance(raw, list) and all(isinstance(one, str) for one in raw) else raw


def _date_form(form: str) -> str:
    day = datetime(2031, 11, 24, 13, 45)
    try:
        found = datetime.strptime(day.strftime(form), form).replace(tzinfo=None)
    except ValueError:
        found = datetime.min
    if (found.year, found.month) != (day.year, day.month):
        raise ValueError("must be a form of dates with year and month, such as '%d/%m/%Y' or '%m/%d/%Y %H:%M'")
    return form


def _delimiter(text: str) -> str:
    if len(text) != 1 or not text.isascii() or text.isalnum() or text in "\r\n\"'\0":
        raise ValueError("must be one ASCII character other than a letter, digit or quotation mark, such as ; or a tab")
    return text


def _encoding(name: str) -> str:
    try:
        found = codecs.lookup(name)
    except (LookupError, ValueError):
        raise ValueError("must be the name of an encoding, such as utf-8, cp1252 or utf-16") from None
    if not getattr(found, "_is_text_encoding", False) or found.name in _NO_FILE_ENCODINGS:
        raise ValueError("is not an encoding of text files: use, for example, utf-8, cp1252 or utf-16")
    return name


def _word(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("must be a text or a number: put words such as null or true in quotes")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("must be a text or a finite number: put words such as .nan in quotes")
    return value


def _without_repeats(items: tuple[Any, ...]) -> tuple[Any, ...]:
    if twice := [item for position, item in enumerate(items) if item in items[:position]]:
        raise ValueError(f"contains {twice[0]!r} twice: remove one of the two")
    return items


def _distinct_labels(labels: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the labels if they differ as text too: 1 and "1" are one label."""
    _without_repeats(tuple(f"{label:g}" if isinstance(label, float) else str(label) for label in labels))
    return labels


def _rising(bins: tuple[float, ...]) -> tuple[float, ...]:
    if not bins or any(low >= high for low, high in itertools.pairwise(bins)):
        raise ValueError("must be at least one number, in ascending order without repeats")
    return bins


def _algorithms(value: object) -> object:
    """Return a name, or several different names as a tuple; a list of one name is that name."""
    if isinstance(value, str):
        return value
    if not isinstance(value, list | tuple) or not value or not all(isinstance(one, str) for one in value):
        raise ValueError(f"must be the name of an algorithm, a list of names, or {AUTO}")
    _without_repeats(tuple(value))
    if AUTO in value and len(value) > 1:
        raise ValueError(f"contains {AUTO}, which stands for several algorithms: write {AUTO} alone, or names alone")
    return value[0] if len(value) == 1 else tuple(value)


def _scalar(value: object) -> object:
    if value is not None and not isinstance(value, str | int | float):
        raise ValueError("must be a single text, number, true or false")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("must be finite")
    return value


def _level(level: float) -> float:
    if round(level, 3) != level:
        raise ValueError("must have at most three decimals, such as 0.9 or 0.975")
    return level


def _number(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be a number")
    return value


# The algorithm of an experiment that compares those with `in_auto`.
AUTO = "auto"
_NO_FILE_ENCODINGS = frozenset({"idna", "punycode", "unicode_escape", "raw_unicode_escape", "utf-7", "undefined"})
_SLUG = r"[a-z][a-z0-9_]{0,62}"
_OWNER = r"team:[A-Za-z0-9_.-]+|[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,7}"
_VARIABLE = r"[A-Z_][A-Z0-9_]*"
_TABLE = r"[a-z_][a-z0-9_]{0,62}(\.[a-z_][a-z0-9_]{0,62})?"
_TAG = r"[A-Za-z0-9_.-]{1,63}"
_PARQUET = r".*[^/]\.parquet"
_TEXT = r"(?s:.*\S.*)"

Slug = Annotated[
    StrictStr,
    AfterValidator(
        _matches(_SLUG, "must consist of lower-case letters, digits and _, start with a letter, and be at most 63 long")
    ),
    Field(json_schema_extra={"pattern": f"^{_SLUG}$"}),
]
Owner = Annotated[
    StrictStr,
    AfterValidator(_matches(_OWNER, "must be a team, such as team:forecasting, or an e-mail address")),
    Field(json_schema_extra={"pattern": f"^({_OWNER})$"}),
]
Column = Annotated[
    StrictStr, AfterValidator(_matches(_TEXT, "must be the name of a column")), AfterValidator(_composed)
]
ColumnList = Annotated[tuple[Column, ...], AfterValidator(_without_repeats)]
Text = Annotated[StrictStr, AfterValidator(_matches(_TEXT, "must not be empty"))]
EnvironmentVariable = Annotated[
    StrictStr,
    AfterValidator(_matches(_VARIABLE, "must be the name of an environment variable, such as E2I_SOURCE_URL")),
    Field(json_schema_extra={"pattern": f"^{_VARIABLE}$"}),
]
ProjectPath = Annotated[StrictStr, AfterValidator(_inside_the_project)]
ParquetPath = Annotated[
    ProjectPath,
    AfterValidator(_matches(_PARQUET, "must be a path in the project folder that ends in .parquet")),
    Field(json_schema_extra={"pattern": f"^{_PARQUET}$"}),
]
TableName = Annotated[
    StrictStr,
    AfterValidator(_matches(_TABLE, "must be a table or schema.table, in lower-case letters, digits and _")),
    Field(json_schema_extra={"pattern": f"^{_TABLE}$"}),
]
Tag = Annotated[
    StrictStr, AfterValidator(_matches(_TAG, "must consist of letters, digits, _ . and -, and be at most 63 long"))
]
Number = Annotated[float, BeforeValidator(_number)]
NotNegative = Annotated[float, Field(ge=0), BeforeValidator(_number)]
Positive = Annotated[float, Field(gt=0), BeforeValidator(_number)]
Hours = Positive
Seconds = Positive
Share = Annotated[float, Field(ge=0, le=1), BeforeValidator(_number)]
QuantileLevel = Annotated[float, Field(gt=0, lt=1), BeforeValidator(_number), AfterValidator(_level)]
Bins = Annotated[tuple[Number, ...], AfterValidator(_rising)]
Labels = Annotated[tuple[Text, ...], AfterValidator(_without_repeats)]
Seed = Annotated[StrictInt, Field(ge=0, le=2**32 - 1)]
Label = Annotated[Scalar, BeforeValidator(_scalar)]
Delimiter = Annotated[StrictStr, AfterValidator(_delimiter), Field(json_schema_extra={"minLength": 1, "maxLength": 1})]
Encoding = Annotated[StrictStr, AfterValidator(_encoding)]
DateForm = Annotated[StrictStr, AfterValidator(_date_form)]
DateColumns = Annotated[dict[Column, DateForm | None], BeforeValidator(_by_column)]
MissingWord = Annotated[str | int | float, BeforeValidator(_word)]
MissingWords = Annotated[tuple[MissingWord, ...], AfterValidator(_without_repeats)]
Order = Annotated[tuple[MissingWord, ...], AfterValidator(_distinct_labels)]
Algorithms = Annotated[str | tuple[str, ...], BeforeValidator(_algorithms)]
ParameterValue = Annotated[Scalar, BeforeValidator(_scalar)]
