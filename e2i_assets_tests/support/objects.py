"""Tables with objects of Python in place of categories, for comparison with tables that are written in a test."""

import pandas as pd


def as_objects(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with its categories as what they stand for."""
    categories = [name for name, dtype in table.dtypes.items() if isinstance(dtype, pd.CategoricalDtype)]
    return table.astype(dict.fromkeys(categories, object))
