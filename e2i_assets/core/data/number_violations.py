"""What to say about a column of text that may hold numbers, with the keys of the experiment file that settle it."""

from e2i_assets.core.data.number_texts import NumberTexts
from e2i_assets.core.data.row_places import RowPlaces
from e2i_assets.core.errors import Violation
from e2i_assets.core.experiments.source_section import Source


def rest_rule(found: NumberTexts, places: RowPlaces, is_target: bool) -> str:
    """Return what is wrong with a column of which some cells are no numbers."""
    form = found.form
    numbers, cells = int(found.counts[found.are_numbers(form)].sum()), int(found.counts[found.present].sum())
    kind = "durations" if form[0] == "duration" else f"numbers with {found.unit!r}" if found.unit else "numbers"
    words = ", ".join(map(repr, found.rest_words(form)))
    ways = f"write columns: {{missing: {{{found.name}: [{words}]}}}} if they mean a missing value"
    ways += "" if is_target else f", {_codes_or_drop(found.name)}"
    return (
        f"contains {kind} in {numbers:,} of {cells:,} cells, but not in the others: {found.rest(form, places)}; {ways}."
        f" If they are numbers with another decimal separator or unit, write all numbers alike in the source"
    )


def units_rule(found: NumberTexts, units: tuple[str, ...], is_target: bool) -> str:
    """Return what is wrong with numbers in several units."""
    shown = ", ".join(repr(one) if one else "none" for one in units)
    ways = "" if is_target else f", or write {_codes_or_drop(found.name)}"
    return f"contains numbers in different units ({shown}): write all in one unit in the source{ways}"


def _codes_or_drop(name: str) -> str:
    return f"columns: {{categorical: [{name}]}} if the column holds codes, or columns: {{drop: [{name}]}}"


def in_doubt(found: NumberTexts, source: Source) -> Violation:
    """Return the violation for numbers whose sign may separate decimals or thousands."""
    sign = str(found.is_in_doubt)
    example = next(
        str(one)
        for one, is_one in zip(found.texts, found.are_numbers(found.form), strict=True)
        if is_one and sign in one
    )
    what = "a comma" if sign == "," else "a dot"
    keys = f"columns: {{decimal: {{{found.name}: '{sign}'}}}}, or with the other sign"
    if source.csv is not None:
        keys += ", or decimal and thousands under source.csv for all columns"
    rule = f"contains numbers such as {example!r}, in which {what} may separate decimals or thousands: write {keys}"
    return Violation("columns", found.name, rule)
