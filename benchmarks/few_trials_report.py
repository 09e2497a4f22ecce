"""The report of `benchmarks.few_trials`: errors on unseen rows relative to a reference, with intervals."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks import report

Record = Mapping[str, float]
Pair = tuple[str, str, int]
Records = Mapping[Pair, Mapping[str, Record]]
_RESAMPLES = 5_000
# Its error is near zero, so a small difference is a ratio that outweighs all other data sets.
_NEAR_ZERO = "thyroid"
_COLUMNS = ["way", "trials", "pairs", "data sets", "error", "interval", "median", "better", "equal", "CPU"]
_NOTES = (
    "Error on the unseen rows relative to the reference: geometric mean over the pairs of data set, algorithm and "
    "split, with its 95 % interval, a bootstrap over data sets; then the median. Better, equal: shares of the pairs. "
    "CPU: of search and final fit, relative to the reference, geometric mean."
)


def tables(
    found: Records, ways: Sequence[str], budgets: Sequence[int], cold: str, former: str, first: str
) -> list[report.Table]:
    """Return the comparisons with as many cold trials, with the former product, and between the ways to choose."""
    against = {
        "Against as many cold trials": (cold, lambda at: f"{cold} {at}"),
        "Against the former product, 60 trials": (former, lambda _: former),
        **({f"Against {first} with as many trials": (first, lambda at: f"{first} {at}")} if first in ways else {}),
    }
    rest = {pair: of for pair, of in found.items() if pair[0] != _NEAR_ZERO}
    others = [(way, at) for at in budgets for way in ways if way != cold]
    return [
        *(
            report.Table(
                heading + suffix,
                _COLUMNS,
                [_row(chosen, way, at, reference) for at in budgets for way in ways if way != name],
                _NOTES,
            )
            for suffix, chosen in (("", found), (f", without {_NEAR_ZERO}", rest))
            for heading, (name, reference) in against.items()
        ),
        report.Table(
            "Error against as many cold trials",
            ["group", "pairs", *(f"{way}: {at}" for way, at in others)],
            [
                [
                    name,
                    len(group),
                    *(report.geometric_mean(ratios(group, f"{way} {at}", f"{cold} {at}")) for way, at in others),
                ]
                for name, group in groups(found).items()
            ],
        ),
    ]


def groups(found: Records) -> dict[str, Records]:
    """Return the records of each algorithm, then those of each data set."""
    algorithms = dict.fromkeys(algorithm for _, algorithm, _ in found)
    names = dict.fromkeys(name for name, _, _ in found)
    return {
        **{one: {pair: of for pair, of in found.items() if pair[1] == one} for one in algorithms},
        **{one: {pair: of for pair, of in found.items() if pair[0] == one} for one in names},
    }


def ratios(found: Records, way: str, reference: str, figure: str = "error") -> NDArray[np.float64]:
    """Return a figure relative to the reference, shape (pairs,)."""
    return np.array([of[way][figure] / of[reference][figure] for of in found.values()])


def interval(data_sets: Sequence[str], errors: NDArray[np.float64]) -> tuple[float, float]:
    """Return the 95 % interval of the geometric mean of pairs, from resampled data sets."""
    names = np.array(data_sets)
    by_set = [np.log(errors[names == name]) for name in dict.fromkeys(data_sets)]
    sums, sizes = np.array([one.sum() for one in by_set]), np.array([len(one) for one in by_set])
    drawn = np.random.default_rng(0).integers(len(by_set), size=(_RESAMPLES, len(by_set)))
    means = np.exp(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1))
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


def compared(data_sets: Sequence[str], errors: NDArray[np.float64]) -> list[object]:
    """Return what a table says of ratios: geometric mean with its interval, median, and the shares below 1 and at 1."""
    low, high = interval(data_sets, errors)
    return [
        report.geometric_mean(errors),
        f"{low:.3f} to {high:.3f}",
        float(np.median(errors)),
        f"{(errors < 1).mean():.0%}",
        f"{(errors == 1).mean():.0%}",
    ]


def _row(found: Records, way: str, at: int, reference_of: Callable[[int], str]) -> list[object]:
    here, reference = f"{way} {at}", reference_of(at)
    errors = ratios(found, here, reference)
    names = [name for name, _, _ in found]
    return [
        way,
        at,
        len(errors),
        len(set(names)),
        *compared(names, errors),
        report.geometric_mean(ratios(found, here, reference, "seconds")),
    ]
