"""How a picture begins and ends: a figure of our own, and a PNG small enough to stand inline in metadata."""

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DPI = 80


def new_figure() -> "Figure":
    """Make a figure of our own: pyplot keeps global state, which is not safe in a server's threads."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 3.6), dpi=_DPI, layout="constrained")
    return figure


def png(figure: "Figure") -> bytes:
    """Return the figure as a PNG."""
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    buffer = io.BytesIO()
    # Without the version of the library in it, so that equal figures are equal bytes.
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
