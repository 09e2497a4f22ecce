"""The report of `benchmarks.memory`: regrets on validation and test, trials to the cold study's gain, and FLAML."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import report

Array = NDArray[np.float64]
AFTER = (1, 3, 5, 10, 20)
FLAML = "FLAML AutoML"
STOPPED = "random configurations"
DRAWN = "random configurations, rounds drawn"
# The cost of a study besides its fits: a sample of TPE, and once the meta-features with the choice of the first trials.
SECONDS_A_DRAW = 0.01
SECONDS_AT_THE_START = 1.0
_RESAMPLES = 2000
# A set with a tiny possible gain must not decide a mean.
_CLIPPED = (-0.5, 2.0)


class Pair:
    """The measurements of one set with one algorithm.

    Args:
        found: The record of `benchmarks.memory.courses`.
        yardstick: The random configurations whose median has regret 1.
    """

    def __init__(self, found: Mapping[str, Any], yardstick: str = STOPPED) -> None:
        self.found = found
        cold = found["cold"]
        random = found[yardstick]
        self.best = max(max(one["validation"]) for one in cold)
        self.typical = float(np.median(random["validation"]))
        winners = [one["test"][int(np.argmax(one["validation"]))] for one in cold]
        self.best_test = float(np.mean(winners))
        self.typical_test = float(np.median(random["test"]))

    @property
    def tells(self) -> bool:
        """Whether there is a possible gain."""
        return self.best - self.typical > 1e-9

    def regrets(self, way: str) -> Array:
        """Return the validation regret of the best value so far, shape (seeds, trials)."""
        values = np.array([one["validation"] for one in self.found[way]])
        return (self.best - np.maximum.accumulate(values, axis=1)) / (self.best - self.typical)

    def test_regrets(self, way: str) -> Array:
        """Return the test regret of the model that would be trained after each trial, shape (seeds, trials)."""
        scale = max(abs(self.best_test - self.typical_test), 0.1 * abs(self.best - self.typical))
        rows = []
        for one in self.found[way]:
            values, test = np.array(one["validation"]), np.array(one["test"])
            chosen = [int(np.argmax(values[: k + 1])) for k in range(len(values))]
            rows.append((self.best_test - test[chosen]) / scale)
        return np.array(rows)

    def needed(self, way: str, share: float) -> tuple[float, float]:
        """Return the trials and the share of the cold CPU time that a variant needs for this share of the cold gain."""
        target = 1 - share * (1 - float(np.median(self.regrets("cold")[:, -1])))
        trials, time = [], []
        cold_seconds = float(np.mean([sum(one["seconds"]) for one in self.found["cold"]]))
        for regret, one in zip(self.regrets(way), self.found[way], strict=True):
            there = np.flatnonzero(regret <= target + 1e-12)
            trials.append(float(there[0] + 1) if len(there) else np.inf)
            time.append(sum(one["seconds"][: there[0] + 1]) / cold_seconds if len(there) else np.inf)
        return float(np.median(trials)), float(np.median(time))

    def against_flaml(self, way: str) -> list[tuple[float, float]]:
        """Return the gain over FLAML at FLAML's own CPU time for each seed: validation regret and test regret."""
        rival = self.found[FLAML][0]
        found = []
        regrets, tests = self.regrets(way), self.test_regrets(way)
        rival_regret = (self.best - rival["validation"][0]) / (self.best - self.typical)
        rival_test = float(self.test_regrets(FLAML)[0, 0])
        for seed, one in enumerate(self.found[way]):
            spent = SECONDS_AT_THE_START + np.cumsum(np.array(one["seconds"]) + SECONDS_A_DRAW)
            done = max(int((spent <= rival["seconds"][0]).sum()) - 1, 0)
            found.append((rival_regret - regrets[seed, done], rival_test - tests[seed, done]))
        return found


def write(folder: Path, sets: Sequence[str], algorithms: Sequence[str], ways: Sequence[str]) -> None:
    """Write the report from the stored records."""
    pairs: dict[tuple[str, str], Pair] = {}
    wide: dict[tuple[str, str], Pair] = {}
    for name in sets:
        for algorithm in algorithms:
            path = folder / f"{name}.{algorithm}.json"
            found = json.loads(path.read_text()) if path.exists() else {}
            if "cold" in found and "ours" in found:
                pairs[name, algorithm] = Pair(found)
                if DRAWN in found:
                    wide[name, algorithm] = Pair(found, DRAWN)
    telling = {key: pair for key, pair in pairs.items() if pair.tells}
    silent = [" with ".join(key) for key in pairs if key not in telling]
    used = [way for way in ways if way != FLAML and all(way in pair.found for pair in telling.values())]
    report.write(
        report.RESULTS / "memory.md",
        "Effect of the memory on a study",
        report.machine("optuna", "lightgbm", "xgboost"),
        [
            _regret_table(telling, used, silent),
            *[
                _regret_table({key: pair for key, pair in telling.items() if key[1] == one}, used, [], f", {one} alone")
                for one in algorithms
            ],
            _regret_table(
                {key: pair for key, pair in wide.items() if pair.tells},
                used,
                [],
                ", 1 = rounds drawn at random",
            ),
            _needed_table(telling, used),
            _paired_table(telling, used),
        ],
        command="E2I_CORPUS=... .venv/bin/python -m benchmarks.memory --work FOLDER",
    )


def _regret_table(
    pairs: Mapping[tuple[str, str], Pair], ways: Sequence[str], silent: Sequence[str], which: str = ""
) -> report.Table:
    rows = []
    for way in ways:
        cells: list[object] = [way]
        for after in AFTER:
            validation = [np.mean(pair.regrets(way)[:, _upto(pair, way, after)]) for pair in pairs.values()]
            test = [np.mean(pair.test_regrets(way)[:, _upto(pair, way, after)]) for pair in pairs.values()]
            mean = np.mean(np.clip(validation, *_CLIPPED))
            cells.append(f"{np.median(validation):.2f} ({mean:.2f}) / {np.median(test):.2f}")
        rows.append(cells)
    notes = (
        f"Medians over {len(pairs)} pairs of set and algorithm{which}, of the mean over seeds; the mean in brackets."
    )
    if silent:
        notes += f" Left out, nothing being to gain: {', '.join(silent)}."
    return report.Table(
        f"Regret on validation / on test{which}",
        ["tried first", *[f"{n} trial{'s' * (n > 1)}" for n in AFTER]],
        rows,
        notes,
    )


def _upto(pair: Pair, way: str, after: int) -> int:
    return min(after, len(pair.found[way][0]["validation"])) - 1


def _needed_table(pairs: Mapping[tuple[str, str], Pair], ways: Sequence[str]) -> report.Table:
    long = [way for way in ways if all(len(pair.found[way][0]["validation"]) >= 60 for pair in pairs.values())]
    rows = []
    for way in long:
        cells: list[object] = [way]
        for share in (0.9, 1.0):
            found = np.array([pair.needed(way, share) for pair in pairs.values()])
            cells += [_number(np.median(found[:, 0])), _number(np.median(found[:, 1]))]
        rows.append(cells)
    return report.Table(
        "Trials until the gain of the cold study",
        ["tried first", "trials to 90 %", "of the cold study's CPU time", "trials to all", "of its CPU time"],
        rows,
        "Medians; the gain is the difference between a median random configuration and the median result of the cold "
        "studies of the pair.",
    )


def _paired_table(pairs: Mapping[tuple[str, str], Pair], ways: Sequence[str]) -> report.Table:
    rows: list[list[object]] = []

    def line(what: str, differences: Sequence[float]) -> None:
        if differences:
            low, high = _interval(differences)
            better = np.mean(np.array(differences) > 0)
            rows.append([what, np.median(differences), f"{low:.3f} to {high:.3f}", f"{better:.0%}", len(differences)])

    def test_at(pair: Pair, way: str, after: int) -> float:
        return float(np.mean(pair.test_regrets(way)[:, _upto(pair, way, after)]))

    def end(pair: Pair, way: str, after: int) -> float:
        return float(np.mean(pair.regrets(way)[:, _upto(pair, way, after)]))

    every = list(pairs.values())

    def on_test(what: str, warm: int) -> None:
        line(what, [test_at(pair, "cold", 60) - test_at(pair, "ours", warm) for pair in every])

    def on_validation(what: str, way: str, trials: int) -> None:
        line(what, [end(pair, "cold", trials) - end(pair, way, trials) for pair in every])

    on_test("five warm trials against sixty cold ones, test", 5)
    on_test("ten warm trials against sixty cold ones, test", 10)
    on_test("sixty against sixty, test", 60)
    on_validation("sixty against sixty, validation", "ours", 60)
    if (bad := "ours, random memory") in ways:
        on_validation("a random memory against a cold start, ten trials, validation", bad, 10)
        on_validation("the same after twenty", bad, 20)
    gains = [gain for pair in every if FLAML in pair.found for gain in pair.against_flaml("ours")]
    line("FLAML AutoML at its own CPU time, validation", [validation for validation, _ in gains])
    line("FLAML AutoML at its own CPU time, test", [test for _, test in gains])
    warm_worse, cold_worse = np.mean([_worse(pair) for pair in every], axis=0)
    notes = (
        "Positive is in favour of the memory, in units of regret; the interval is a bootstrap of the median, 95 %. "
        "Studies that end worse than a cold one by more than the seed noise of their pair: "
        f"{warm_worse:.1%} with the memory, {cold_worse:.1%} between two cold ones."
    )
    return report.Table("Paired", ["what", "median gain", "interval", "better on", "pairs"], rows, notes)


def _worse(pair: Pair) -> tuple[float, float]:
    """Return the shares of warm and of cold studies that end worse than another cold one by more than the noise."""
    cold, warm = pair.regrets("cold")[:, -1], pair.regrets("ours")[:, -1]
    noise = float(cold.std(ddof=1))
    against_cold = [w - c > noise for w in warm for c in cold]
    between_cold = [a - b > noise for i, a in enumerate(cold) for j, b in enumerate(cold) if i != j]
    return float(np.mean(against_cold)), float(np.mean(between_cold))


def _interval(values: Sequence[float]) -> tuple[float, float]:
    random = np.random.default_rng(0)
    drawn: Callable[[], Array] = lambda: random.choice(values, len(values))  # noqa: E731
    medians = [float(np.median(drawn())) for _ in range(_RESAMPLES)]
    return float(np.quantile(medians, 0.025)), float(np.quantile(medians, 0.975))


def _number(value: float) -> object:
    return float(value) if np.isfinite(value) else "never"
