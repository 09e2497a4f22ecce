"""Reads JSON documents of PostgreSQL, with each number as it was written.

A ``jsonb`` column stores decimals: the float 7.6e+24 is returned as 76 and 23 zeros. Python parses that as an integer,
which is not equal to the float, because a float of this size is only near its decimal digits.
"""

import json
from decimal import Decimal
from typing import Any

# Python writes smaller floats with a decimal point, which PostgreSQL keeps.
_SMALLEST_WITHOUT_A_POINT = 10**16


def loads(text: str) -> Any:
    """Return the value of a JSON text; an integer from 1e16 whose digits are those of a float is that float."""
    return json.loads(text, parse_int=_number)


def _number(digits: str) -> float:
    number = int(digits)
    if abs(number) < _SMALLEST_WITHOUT_A_POINT:
        return number
    try:
        near = float(number)
    except OverflowError:
        return number
    return near if Decimal(repr(near)) == number else number
