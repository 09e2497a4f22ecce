"""How a picture begins and ends: a figure of our own, and a PNG small enough to stand inline in metadata."""

import io
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DPI = 80
_SMALL = 30_000
_COLOURS = 64


def new_figure() -> "Figure":
    """Make a figure of our own: pyplot keeps global state, which is not safe in a server's threads."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 3.6), dpi=_DPI, layout="constrained")
    return figure


def png(figure: "Figure") -> bytes:
    """Return the figure as a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    _write_names_as_they_are(figure)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # A name in a script that the font lacks is drawn as boxes, and the report beside the picture has it in text.
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        # Without the version of the library in it, so that equal figures are equal bytes.
        # `savefig` draws everything twice, the first time for the size of a tight box that nobody asks for.
        FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": None})  # type: ignore[no-untyped-call]
    drawn = buffer.getvalue()
    return drawn if len(drawn) <= _SMALL else _of_few_colours(drawn)


def _of_few_colours(drawn: bytes) -> bytes:
    """Return the same picture from a palette, a third of the size: a plot has few colours, and many shades of edges."""
    from PIL import Image

    buffer = io.BytesIO()
    with Image.open(io.BytesIO(drawn)) as picture:
        few = picture.convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE)
        few.save(buffer, format="png", optimize=True)
    return buffer.getvalue()


def _write_names_as_they_are(figure: "Figure") -> None:
    r"""Set nothing as a formula but powers of ten: a class named ``$\x$`` would end the training that draws it.

    Labels of numbers hold nothing that could be a formula, and are left to be made when they are drawn.
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
                axis.get_ticklabels(which="both")  # asked for, so that they are there
    for text in figure.findobj(lambda artist: isinstance(artist, Text) and id(artist) not in formulas):
        text.set_parse_math(False)  # type: ignore[attr-defined]
