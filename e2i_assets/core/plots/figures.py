"""Figures without pyplot's global state, and their PNGs, small enough for inline metadata."""

import io
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DPI = 80
_SMALL = 30_000
_COLOURS = 64


def new_figure() -> "Figure":
    """Return a figure without pyplot, whose global state is not safe in the threads of a server."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 3.6), dpi=_DPI, layout="constrained")
    return figure


def png(figure: "Figure") -> bytes:
    """Return the figure as a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    _disable_math_text(figure)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # The font draws boxes for characters that it lacks; the report shows the same names as text.
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        # Without the version of the library in the metadata, equal figures give equal bytes.
        # `savefig` draws everything twice, the first time to measure a tight bounding box that is not needed here.
        FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": None})  # type: ignore[no-untyped-call]
    drawn = buffer.getvalue()
    return drawn if len(drawn) <= _SMALL else _quantized(drawn)


def _quantized(drawn: bytes) -> bytes:
    """Return the same image with a palette, a third of the size: most colours of a plot are shades at edges."""
    from PIL import Image

    buffer = io.BytesIO()
    with Image.open(io.BytesIO(drawn)) as picture:
        few = picture.convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE)
        few.save(buffer, format="png", optimize=True)
    return buffer.getvalue()


def _disable_math_text(figure: "Figure") -> None:
    r"""Disable math text in every label except powers of ten: a class named ``$\x$`` would raise while drawing.

    Numeric tick labels cannot contain a formula, so they are still created lazily.
    """
    from matplotlib.text import Text
    from matplotlib.ticker import LogFormatter, NullFormatter, ScalarFormatter

    formulas: set[int] = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            formatter = axis.get_major_formatter()
            if isinstance(formatter, LogFormatter):
                formulas.update(map(id, axis.get_ticklabels(which="both")))
            elif not isinstance(formatter, ScalarFormatter | NullFormatter):
                axis.get_ticklabels(which="both")  # this call creates the labels
    for text in figure.findobj(lambda artist: isinstance(artist, Text) and id(artist) not in formulas):
        text.set_parse_math(False)  # type: ignore[attr-defined]
