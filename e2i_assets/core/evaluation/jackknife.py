"""The blocks of a jackknife, which leaves out one after the other."""

import numpy as np

from e2i_assets.core.metrics import Array


def blocks(n_rows: int, groups: Array | None, seed: int, most: int) -> Array:
    """Return the block of each row, from 0: its row or group, or one of ``most`` blocks of about as many of them.

    Args:
        n_rows: The number of rows.
        groups: Shape (n_rows,): the group of each row, such as a person, which stays whole; None if each row is one.
        seed: The same seed gives the same blocks.
        most: The largest number of blocks.
    """
    unit = np.arange(n_rows) if groups is None else np.unique(groups, return_inverse=True)[1]
    n_units = int(unit.max()) + 1
    if n_units <= most:
        return np.asarray(unit)
    return np.asarray((np.random.default_rng(seed).permutation(n_units) % most)[unit])
