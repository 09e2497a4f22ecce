"""A metric as text in a table."""


def shown(value: float) -> str:
    """Return a metric with four decimals, or with four significant digits when it is very small or very large."""
    return f"{value:.4f}" if value == 0 or 0.001 <= abs(value) < 1e6 else f"{value:.4g}"
