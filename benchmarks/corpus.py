"""The corpus of real tables: a folder with one Parquet file per problem (target last) and an index.csv.

An option or E2I_CORPUS names the folder; it is not part of the project.
"""

import os
from pathlib import Path
from typing import Any

import pandas as pd

from e2i_assets.core.data.dataset import Dataset, dataset_of
from e2i_assets.core.data.split_tables import SearchRows, SplitFacts
from e2i_assets.core.data.splits import ROLES, SEARCHED, assign, entity_keys, strategy
from e2i_assets.core.errors import E2iError
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.experiments.file import experiment_from
from e2i_assets.core.fitting.fit_context import Rows
from e2i_assets.core.fitting.joined_rows import JoinedRows
from e2i_assets.core.search.final_model_choice import is_foldable

_FURTHER = "further"
KINDS = {"binary": "binary_classification", "multiclass": "multiclass_classification", "regression": "regression"}
# Data sets that share rows.
SAME_SOURCE = {"loans_rate": "loans", "loan_grade": "loans", "optdigits": "digits", "digits": "digits"}
# What comparisons on unseen rows optimise; the error that they report is 1 - ROC AUC, log loss or RMSE.
ERROR_METRICS = {"binary_classification": "roc_auc", "multiclass_classification": "log_loss", "regression": "rmse"}


def folder(given: str | None) -> Path:
    """Return the folder of the corpus.

    Raises:
        E2iError: Neither the option nor the environment names a folder with an index.csv.
    """
    named = given or os.environ.get("E2I_CORPUS")
    if not named or not (Path(named) / "index.csv").is_file():
        raise E2iError("name the folder of the data sets with --corpus or E2I_CORPUS: it must contain index.csv")
    return Path(named)


def index(corpus: Path) -> pd.DataFrame:
    """Return the index entry of each data set, by its name."""
    return pd.read_csv(corpus / "index.csv", index_col="name")


def metric_of(corpus: Path, name: str) -> str:
    """Return the metric that comparisons on unseen rows optimise for a data set."""
    return ERROR_METRICS[KINDS[str(index(corpus).loc[name, "problem_type"])]]


def as_error(metric: str, value: float) -> float:
    """Return the error that comparisons report for a value of `metric_of`: lower is better."""
    return 1.0 - value if metric == "roc_auc" else value


def problem(corpus: Path, name: str, algorithm: str, **sections: Any) -> tuple[Experiment, SearchRows]:
    """Return a data set as an experiment with its train and validation rows, split as in the product.

    Args:
        corpus: The folder.
        name: A data set of the index.
        algorithm: The algorithm to tune.
        sections: Sections of the experiment file, such as ``hpo={"trials": 20}``.
    """
    experiment, rows, _ = problem_with_test(corpus, name, algorithm, None, **sections)
    return experiment, rows


def problem_with_test(
    corpus: Path, name: str, algorithm: str, most_rows: int | None, **sections: Any
) -> tuple[Experiment, SearchRows, Rows]:
    """Return the same for a random sample of at most this number of rows, and its test rows."""
    frame = pd.read_parquet(corpus / f"{name}.parquet")
    if most_rows is not None and len(frame) > most_rows:
        frame = frame.sample(most_rows, random_state=0)
    facts_of_set = index(corpus).loc[name]
    experiment = experiment_of(facts_of_set, name, algorithm, target=str(frame.columns[-1]), **sections)
    return experiment, *searched_and_test(frame, experiment)


def problem_with_unseen(
    corpus: Path, name: str, algorithm: str, most_rows: int, most_further: int = 0, **sections: Any
) -> tuple[Experiment, SearchRows, Rows]:
    """Return the same with more unseen rows, so less noise.

    They are the test rows, the holdout rows, and at most ``most_further`` rows of the table that are not in the sample.
    """
    frame = pd.read_parquet(corpus / f"{name}.parquet")
    if len(frame) > most_rows:
        frame = frame.sample(min(len(frame), most_rows + most_further), random_state=0)
    experiment = experiment_of(index(corpus).loc[name], name, algorithm, target=str(frame.columns[-1]), **sections)
    return experiment, *searched_and_unseen(frame, experiment, most_rows)


def searched_and_unseen(frame: pd.DataFrame, experiment: Experiment, most_rows: int) -> tuple[SearchRows, Rows]:
    """Split the first rows of a table; the unseen rows are those of test and holdout, and all further ones."""
    facts, parts = _split(frame, experiment, most_rows)
    unseen = JoinedRows(JoinedRows(parts["test"], parts["holdout"]), parts[_FURTHER])
    return SearchRows(facts, parts["train"], parts["validation"]), Rows(unseen.features, unseen.target)


def experiment_of(
    facts: "pd.Series[Any]", name: str, algorithm: str, target: str = "target", **sections: Any
) -> Experiment:
    """Return a data set as an experiment, from its index entry."""
    return experiment_from(
        {
            "name": name,
            "owner": "team:benchmarks",
            "source": {"parquet": f"{name}.parquet"},
            "target": target,
            "problem_type": KINDS[str(facts["problem_type"])],
            "algorithm": algorithm,
            **sections,
        },
        name,
    )


def searched_and_test(frame: pd.DataFrame, experiment: Experiment) -> tuple[SearchRows, Rows]:
    """Split a table in the same way, and return the test rows as well."""
    facts, parts = _split(frame, experiment)
    return SearchRows(facts, parts["train"], parts["validation"]), parts["test"]


def search_rows(frame: pd.DataFrame, experiment: Experiment) -> SearchRows:
    """Split a table as in the product, without a database for stored splits, and return train and validation."""
    return searched_and_test(frame, experiment)[0]


def _split(
    frame: pd.DataFrame, experiment: Experiment, most_rows: int | None = None
) -> tuple[SplitFacts, dict[str, Rows]]:
    """Split the first rows of a table; the others are further unseen rows."""
    data = dataset_of(frame, experiment)
    how = strategy(experiment.problem_type, False, False)
    first, further = data.frame.iloc[:most_rows], data.frame.iloc[most_rows or len(data.frame) :]
    codes = first[data.target].map(data.classes.index) if data.classes else None
    assignment = assign(entity_keys(first, None, ()), how, experiment.split.seed, strata=codes)
    searched = first.loc[assignment.roles.isin(SEARCHED), data.target]
    facts = split_facts(experiment, data, how).model_copy(
        update={
            "counts": assignment.counts(),
            "searched_classes": tuple(int((searched == label).sum()) for label in data.classes),
        }
    )
    parts = {role: facts.rows(first.loc[assignment.roles == role]) for role in ROLES}
    foldable = is_foldable(experiment, facts, lambda: SearchRows(facts, parts["train"], parts["validation"]))
    return facts.model_copy(update={"foldable": foldable}), {**parts, _FURTHER: facts.rows(further)}


def split_facts(experiment: Experiment, data: Dataset, how: str) -> SplitFacts:
    """Return the facts of a split as in the product, without a registry of its rows."""
    return SplitFacts(
        experiment=experiment.name,
        problem_type=data.problem_type,
        target=data.target,
        features=data.features,
        classes=data.classes,
        data_hash=data.data_hash,
        split_hash=data.data_hash,
        search_hash=data.data_hash,
        strategy=how,
        seed=experiment.split.seed,
        counts={},
        left_out=0,
    )
