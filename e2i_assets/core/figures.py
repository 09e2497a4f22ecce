"""Numbers and texts for people.

A number has four significant digits, and no exponent unless it is extremely large or small.
"""

import math

_DIGITS = 4  # significant
_LARGEST, _SMALLEST = 1e15, 1e-4


def rounded(value: float, digits: int = _DIGITS) -> float:
    """Return a number with four significant digits, or with another number of them."""
    return value if not math.isfinite(value) else float(f"{value:.{digits}g}")


def figure(value: float | None, digits: int = _DIGITS) -> str:
    """Return a number as text: ``0.9921``, ``12.3``, ``16,040,000``; None as ``-``."""
    if value is None:
        return "-"
    near = rounded(value, digits)
    if not math.isfinite(near) or near == 0:
        return f"{near:g}"
    if not _SMALLEST <= abs(near) < _LARGEST:
        return f"{near:.{digits}g}"
    decimals = max(digits - 1 - math.floor(math.log10(abs(near))), 0)
    text = f"{near:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def shortened(text: str, longest: int) -> str:
    """Return a text of at most ``longest`` characters, whose last three are dots if it was longer."""
    return text if len(text) <= longest else f"{text[: longest - 3]}..."
