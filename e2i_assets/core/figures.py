"""Numbers for people: four significant digits, without an exponent unless a number is extremely large or small."""

import math

_DIGITS = 4
_LARGEST, _SMALLEST = 1e15, 1e-4


def rounded(value: float) -> float:
    """Return a number with four significant digits; whole numbers of up to 2^53 stay exact as integers do."""
    return value if not math.isfinite(value) else float(f"{value:.{_DIGITS}g}")


def figure(value: float | None) -> str:
    """Return a number as text: ``0.9921``, ``12.3``, ``16,040,000``; None as ``-``."""
    if value is None:
        return "-"
    near = rounded(value)
    if not math.isfinite(near) or near == 0:
        return f"{near:g}"
    if not _SMALLEST <= abs(near) < _LARGEST:
        return f"{near:.{_DIGITS}g}"
    decimals = max(_DIGITS - 1 - math.floor(math.log10(abs(near))), 0)
    text = f"{near:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
