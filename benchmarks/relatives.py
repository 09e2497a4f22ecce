"""What similarity is for: an own earlier study of related rows among the studies of other tables.

A table is divided in two. The earlier study searches one part with 30 trials and is stored; the new one searches the
other part with 3 and with 6. Related by chance: the parts are random halves, such as two months. Related by a column:
the parts are the rows below and above the median of a column, such as two regions. The error is 1 - ROC AUC, log loss
or RMSE on rows of the second part that no search has seen.

- cold: no memory.
- others: the shipped memory without the table, as in `benchmarks.few_trials`.
- ours: the same and the earlier study, weighted by similarity as in the product.
- equal: the same, all studies count the same.
- alone: the earlier study is the whole memory.
"""

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import optuna
import pandas as pd

from benchmarks import corpus, few_trials, few_trials_report, recorded, report
from benchmarks.few_trials import ALGORITHMS, MOST_ROWS, MOST_UNSEEN, Problem, Record
from benchmarks.few_trials_ways import chosen, described, remembered
from benchmarks.repeated_fits import Repeated
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.memory.meta_vector import meta_vector, similarity
from e2i_assets.core.memory.portfolio import tries
from e2i_assets.core.memory.uses import distinct
from e2i_assets.core.memory.warm_start import Pattern
from e2i_assets.core.search import tuning
from e2i_assets.core.search.proposals import Proposer
from e2i_assets.core.search.study import search

COLD, OTHERS, OURS, EQUAL, ALONE = WAYS = ("cold", "others", "ours", "equal", "alone")
CHANCE, COLUMN = RELATIONS = ("chance", "column")
BUDGETS = (3, 6)
EARLIER_TRIALS = 30
FEWEST_ROWS = 3_200
EARLIER = "earlier"

Pair = tuple[str, str, str]


def halves(frame: pd.DataFrame, name: str, relation: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return two parts of a shuffled table, by chance or by the median of one of its columns."""
    frame = frame.sample(frac=1.0, random_state=0).reset_index(drop=True)
    if relation == CHANCE:
        return frame.iloc[: len(frame) // 2], frame.iloc[len(frame) // 2 :]
    columns = [one for one in frame.columns[:-1] if frame[one].nunique() > 1]
    order = pd.Series(pd.factorize(frame[columns[zlib.crc32(name.encode()) % len(columns)]], sort=True)[0])
    below = order.rank(method="first") <= len(frame) // 2
    return frame[below], frame[~below]


def problems(folder: Path, pair: Pair) -> tuple[Problem, Problem]:
    """Return the earlier and the new problem of a pair."""
    name, algorithm, relation = pair
    frame = pd.read_parquet(folder / f"{name}.parquet")
    made = []
    for part in halves(frame, name, relation):
        rows = part.iloc[: MOST_ROWS + MOST_UNSEEN].reset_index(drop=True)
        experiment = corpus.experiment_of(
            corpus.index(folder).loc[name],
            name,
            algorithm,
            target=str(frame.columns[-1]),
            hpo={"seed": 0, "workers": 1, "objective": "auto"},
            metric=corpus.metric_of(folder, name),
        )
        searched, unseen = corpus.searched_and_unseen(rows, experiment, MOST_ROWS)
        made.append(Problem(experiment, searched, unseen, Repeated(tuning.scheme(experiment, searched))))
    return made[0], made[1]


def stored(earlier: Problem) -> Pattern:
    """Search the earlier rows without a memory, and return what the memory keeps of it."""
    experiment = earlier.experiment
    plan = replace(tuning.plan(experiment, "benchmark"), trials=EARLIER_TRIALS)
    study = search(tuning.objective(experiment, earlier.rows, earlier.fits), plan, optuna.storages.InMemoryStorage())
    trials = [{"values": one.sampled, "value": one.value} for one in study.trials if one.value is not None]
    ranked = sorted(trials, key=lambda one: -one["value"])
    return Pattern(
        pattern_id=EARLIER,
        study_name=EARLIER,
        similarity=1.0,
        top=tuple(distinct(ranked, experiment.search_space())),
        trials=tuple(trials),
    )


def measured(folder: Path, pair: Pair) -> dict[str, Record]:
    """Return the record of each way and number of trials."""
    earlier, new = problems(folder, pair)
    here, there = (described(one.experiment, one.rows) for one in (new, earlier))
    alike = similarity(meta_vector(here), meta_vector(there))
    own = stored(earlier).model_copy(update={"similarity": alike})
    others = remembered(new.experiment, pair[0], here)
    memories = {
        COLD: [],
        OTHERS: others,
        OURS: [own, *others],
        EQUAL: [one.model_copy(update={"similarity": 1.0}) for one in (own, *others)],
        ALONE: [own],
    }
    more_alike = sum(one.similarity > alike for one in others)
    return {
        f"{way} {budget}": new.searched(budget, partial(from_memory, memory, budget, here))
        | {"similarity": alike, "more_alike": float(more_alike)}
        for way, memory in memories.items()
        for budget in BUDGETS
    }


def from_memory(
    memory: Sequence[Pattern], budget: int, here: Mapping[str, float], experiment: Experiment
) -> tuple[Proposer, int]:
    """Return what the product tries first with a memory, and how many trials that are."""
    count = tries(budget, experiment.warm_start.max_configurations)
    found = chosen(experiment, memory, count, here, "relatives")
    return found.proposer(), found.tries


def tables(found: Mapping[Pair, Mapping[str, Record]]) -> list[report.Table]:
    """Return a table for each relation: relative to no memory, and to one in which all studies count the same."""
    return [_table(relation, {p: one for p, one in found.items() if p[2] == relation}) for relation in RELATIONS]


def _table(relation: str, of: Mapping[Pair, Mapping[str, Record]]) -> report.Table:
    rows = [
        [reference, budget, way, *_compared(of, f"{way} {budget}", f"{reference} {budget}")]
        for reference in (COLD, EQUAL)
        for budget in BUDGETS
        for way in WAYS
        if way != reference
    ]
    alike = [one[f"{COLD} {BUDGETS[0]}"] for one in of.values()]
    return report.Table(
        f"Related by {relation}",
        ["against", "trials", "way", "pairs", "error", "interval", "median", "better", "equal"],
        rows,
        "Error on the unseen rows relative to the reference: geometric mean over the pairs of data set and algorithm, "
        "with its 95 % interval, a bootstrap over data sets. Similarity of the earlier study: "
        f"{np.median([one['similarity'] for one in alike]):.2f} in the median; it is the most similar one in "
        f"{np.mean([one['more_alike'] == 0 for one in alike]):.0%} of the pairs.",
    )


def _compared(of: Mapping[Pair, Mapping[str, Record]], way: str, reference: str) -> list[object]:
    errors = np.array([one[way]["error"] / one[reference]["error"] for one in of.values()])
    return [len(errors), *few_trials_report.compared([name for name, _, _ in of], errors)]


def main() -> None:
    """Measure what the work folder lacks, and write the report."""
    parser = recorded.parser("relatives", __doc__)
    parser.add_argument("--data-sets", nargs="+", help="data sets by name; by default all with enough rows")
    options = recorded.begun(parser)
    folder = corpus.folder(options.corpus)
    sizes = corpus.index(folder)["n_rows"]
    names = options.data_sets or [name for name in few_trials.data_sets(folder) if sizes[name] >= FEWEST_ROWS]
    found: dict[Pair, dict[str, Record]] = {}
    for name, relation, algorithm in product(names, RELATIONS, ALGORITHMS):
        path = options.work / f"{name}.{algorithm}.{relation}.json"
        if not path.exists() and not options.only_report:
            path.write_text(json.dumps(measured(folder, (name, algorithm, relation))))
            print(name, algorithm, relation, flush=True)
        if path.exists():
            found[name, algorithm, relation] = json.loads(path.read_text())
    report.write(
        options.output,
        "An earlier study of related rows",
        report.machine("optuna", "xgboost", "lightgbm", "scikit-learn"),
        tables(found),
        command="E2I_CORPUS=... .venv/bin/python -m benchmarks.relatives",
    )


if __name__ == "__main__":
    main()
