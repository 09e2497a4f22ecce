import contextlib
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from e2i_assets.core.errors import ExperimentInvalid
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.experiments.file import experiment_from, parse_experiment

SMALLEST = """\
name: visits
owner: team:forecasting
source: {csv: data/visits.csv}
target: count
problem_type: regression
algorithm: Ridge
"""


def changed(**changes: Any) -> str:
    """Return the smallest file with changed values; None removes a key."""
    document = {**yaml.safe_load(SMALLEST), **changes}
    return yaml.safe_dump({key: value for key, value in document.items() if value is not None}, sort_keys=False)


def classified(**changes: Any) -> str:
    return changed(**{"problem_type": "binary_classification", "algorithm": "LogisticRegression", **changes})


def mistakes(text: str) -> list[str]:
    with pytest.raises(ExperimentInvalid) as caught:
        parse_experiment(text, "visits.yaml")
    return [str(violation) for violation in caught.value.violations]


def test_omitted_keys_take_the_defaults_of_the_contract() -> None:
    experiment = parse_experiment(SMALLEST, "visits.yaml")
    assert (experiment.target_name, experiment.metric, experiment.source.kind) == ("count", "rmse", "csv")
    assert (experiment.hpo.enabled, experiment.hpo.trials, experiment.hpo.timeout_hours) == (True, 100, None)
    assert (experiment.hpo.sampler, experiment.hpo.used_pruner, experiment.hpo.seed) == ("tpe", "median", 42)
    assert (experiment.early_stopping.enabled, experiment.early_stopping.patience) == (True, 10)
    assert (experiment.warm_start.enabled, experiment.warm_start.min_similarity) == (True, 0.2)
    assert (experiment.split.seed, experiment.hpo.workers, experiment.warm_start.max_configurations) == (42, None, 10)
    assert experiment.success_criteria == {}


@pytest.mark.parametrize(
    ("problem_type", "algorithm", "metric"),
    [
        ("binary_classification", "XGBoost", "roc_auc"),
        ("multiclass_classification", "XGBoost", "f1_weighted"),
        ("regression", "XGBoost", "rmse"),
    ],
)
def test_the_default_metric_depends_on_the_problem_type(problem_type: str, algorithm: str, metric: str) -> None:
    assert parse_experiment(changed(problem_type=problem_type, algorithm=algorithm), "x").metric == metric


def test_fractional_hours_are_accepted_and_null_is_no_limit() -> None:
    assert parse_experiment(changed(hpo={"timeout_hours": 0.0002}), "x").hpo.timeout_hours == 0.0002
    assert parse_experiment(SMALLEST + "hpo: {timeout_hours: null}\n", "x").hpo.timeout_hours is None


def test_a_target_can_be_binned_from_a_number() -> None:
    cut = {"name": "any", "column": "count", "bins": [0], "labels": ["no", "yes"]}
    experiment = parse_experiment(classified(target=cut), "x")
    assert (experiment.target_name, experiment.target.bins, experiment.target.labels) == ("any", (0.0,), ("no", "yes"))


def test_yaml_1_1_booleans_are_read_as_labels() -> None:
    target = "target: {name: any, column: count, bins: [1e-1], labels: [no, yes]}\n"
    text = classified().replace("target: count\n", target)
    experiment = parse_experiment(text, "x")
    assert (experiment.target.labels, experiment.target.bins) == (("no", "yes"), (0.1,))


def test_an_experiment_survives_being_stored() -> None:
    text = classified(
        target={"name": "any", "column": "count", "bins": [0], "labels": ["no", "yes"]},
        columns={"group": "person", "drop": ["cost"]},
        search_space={"solver": None, "C": {"high": 10.0}},
        fixed={"tol": 0.001},
        success_criteria={"minimum_auc": 0.6},
    )
    experiment = parse_experiment(text, "x")
    again = experiment_from(experiment.model_dump(mode="json"), "stored experiment visits")
    assert again == experiment
    assert Experiment.model_validate_json(experiment.model_dump_json()) == experiment


def test_descriptive_fields_do_not_change_the_hash_and_all_others_do() -> None:
    plain = parse_experiment(SMALLEST, "x").spec_hash
    for_people = changed(description="for the board", owner="ada@example.org", tags={"stage": "trial"})
    assert parse_experiment(for_people, "x").spec_hash == plain
    assert parse_experiment(changed(metric="rmse"), "x").spec_hash == plain
    for change in (
        {"metric": "mae"},
        {"hpo": {"seed": 1}},
        {"columns": {"drop": ["a"]}},
        {"fixed": {"fit_intercept": False}},
    ):
        assert parse_experiment(changed(**change), "x").spec_hash != plain


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            {"name": "My visits"},
            "name: 'My visits' must consist of lower-case letters, digits and _,",
        ),
        ({"name": "../visits"}, "name: '../visits' must consist of lower-case letters"),
        ({"name": 7}, "name: 7 must be text: put the value in quotes"),
        ({"name": None}, "name: nothing is missing: this key is required"),
        ({"owner": "ada"}, "owner: 'ada' must be a team, such as team:forecasting, or an e-mail address"),
        ({"source": {}}, "source: {} must have exactly one of sample, csv, parquet, sql; it has 0"),
        (
            {"source": {"csv": "a.csv", "sample": "rand_hie"}},
            "must have exactly one of sample, csv, parquet, sql; it has 2",
        ),
        ({"source": {"csvv": "a.csv"}}, "source.csvv: 'csvv' is not a known key; did you mean 'csv'?"),
        ({"source": {"sample": "rand"}}, "source.sample: 'rand' is not one of rand_hie; did you mean 'rand_hie'?"),
        (
            {"source": {"csv": "/etc/rows.csv"}},
            "source.csv.path: '/etc/rows.csv' must be a path inside the project folder",
        ),
        ({"source": {"csv": "data/../../rows.csv"}}, "must be a path inside the project folder"),
        ({"source": {"parquet": "C:\\rows.parquet"}}, "must be a path inside the project folder"),
        ({"source": {"sql": {"query": " "}}}, "source.sql.query: ' ' must not be empty"),
        ({"source": {"sql": {}}}, "source.sql.query: nothing is missing: this key is required"),
        ({"target": None}, "target: nothing is missing: this key is required"),
        ({"target": ["a"]}, "target: ['a'] must be a mapping of keys to values"),
        ({"problem_type": "clasification"}, "problem_type: 'clasification' is not one of binary_classification,"),
        ({"algorithm": "ridge regression"}, "did you mean 'Ridge'?"),
        ({"algorithm": "xgb"}, "did you mean 'XGBoost'?"),
        (
            {"algorithm": "LogisticRegression"},
            "does not support regression: choose one of CatBoost, ExtraTrees, GradientBoosting, HistGradientBoosting,",
        ),
        ({"metric": "auc"}, "metric: 'auc' is not one of rmse, mae, mse, r2"),
        ({"metric": "roc_auc"}, "metric: 'roc_auc' is not a metric of regression: choose one of rmse, mae, mse, r2"),
        ({"hpo": {"trials": 0}}, "hpo.trials: 0 must be at least 1"),
        ({"hpo": {"trials": 2.5}}, "hpo.trials: 2.5 must be a whole number"),
        ({"hpo": {"trials": True}}, "hpo.trials: True must be a whole number"),
        ({"hpo": {"timeout_hours": 0}}, "hpo.timeout_hours: 0 must be greater than 0"),
        ({"hpo": {"timeout_hours": float("inf")}}, "hpo.timeout_hours: inf must be finite"),
        ({"hpo": {"timeout_hours": "2 h"}}, "hpo.timeout_hours: '2 h' must be a number"),
        ({"hpo": {"sampler": "tpee"}}, "hpo.sampler: 'tpee' is not one of tpe, random, cmaes, qmc, grid, nsga2, gp;"),
        ({"hpo": {"pruner": "threshold"}}, "hpo.pruner: 'threshold' is not one of median, successive_halving,"),
        ({"hpo": {"enabled": "yes"}}, "hpo.enabled: 'yes' must be true or false"),
        ({"hpo": {"n_trials": 5}}, "hpo.n_trials: 'n_trials' is not a known key; did you mean 'trials'?"),
        (
            {"hpo": {"budget": 5}},
            "hpo.budget: 'budget' is not a known key; the known keys are enabled, trials",
        ),
        ({"hpo": 30}, "hpo: 30 must be a mapping of keys to values"),
        ({"split": {"train": 0.7}}, "split.train: 'train' is not a known key; the known keys are seed"),
        ({"early_stopping": {"patience": 0}}, "early_stopping.patience: 0 must be at least 1"),
        ({"warm_start": {"min_similarity": 1.5}}, "warm_start.min_similarity: 1.5 must be at most 1.0"),
        ({"warm_start": {"max_configurations": 0}}, "warm_start.max_configurations: 0 must be at least 1"),
        ({"serach_space": {}}, "serach_space: 'serach_space' is not a known key; did you mean 'search_space'?"),
        ({"columns": {"id": "a"}}, "columns.id: 'a' must be a list, such as [a, b]"),
        ({"columns": {"id": ["a", "a"]}}, "columns.id: ['a', 'a'] contains 'a' twice"),
        ({"columns": {"drop": ["count"]}}, "columns.drop: 'count' is the target: remove it here"),
        ({"columns": {"group": "count"}}, "columns.group: 'count' is the target"),
        ({"columns": {"time": "count"}}, "columns.time: 'count' is the target"),
        ({"columns": {"id": ["count"]}}, "columns.id: 'count' is the target"),
        (
            {"columns": {"group": "p", "drop": ["p"]}},
            "columns.drop: 'p' is the group column, which is never a feature",
        ),
        ({"columns": {"group": "p", "time": "p"}}, "columns.time: 'p' is also columns.group"),
        ({"columns": {"categorical": ["p"], "drop": ["p"]}}, "columns.categorical: 'p' is not a feature"),
        ({"success_criteria": {"roc_auc": 0.7}}, "success_criteria.roc_auc: 0.7 is not one of"),
        ({"success_criteria": {"r2": "high"}}, "success_criteria.r2: 'high' must be a finite number"),
        ({"tags": {"a b": "c"}}, "tags.a b: 'a b' must consist of letters, digits, _ . and -"),
        ({"positive_label": "yes"}, "positive_label: 'yes' is for binary_classification only, not for regression"),
        ({"imbalance": "smote"}, "imbalance: 'smote' is for classification only, not for regression: remove it"),
        ({"imbalance": "oversample"}, "imbalance: 'oversample' is not one of none, class_weight, random_oversample,"),
        ({"fixed": {"tol": [1]}}, "fixed.tol: [1] must be a single text, number, true or false"),
        ({"fixed": {"tol": float("nan")}}, "fixed.tol: nan must be finite"),
    ],
)
def test_a_mistake_is_reported_with_its_path_its_value_and_the_allowed_values(
    change: dict[str, Any], expected: str
) -> None:
    found = mistakes(changed(**change))
    assert len(found) == 1
    assert expected in found[0]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"metric": "auc"}, "metric: 'auc' is not one of roc_auc,"),
        ({"metric": "auc"}, "did you mean 'roc_auc'?"),
        ({"metric": "f1_score"}, "did you mean 'f1'?"),
        ({"success_criteria": {"minimum_acc": 0.6}}, "did you mean 'minimum_a"),
        ({"positive_label": [1]}, "positive_label: [1] must be a single text, number, true or false"),
    ],
)
def test_a_classification_has_its_own_allowed_values(change: dict[str, Any], expected: str) -> None:
    assert expected in mistakes(classified(**change))[0]


CUT = {"name": "any", "column": "count", "bins": [0], "labels": ["no", "yes"]}


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (
            {**CUT, "bins": [1, 1]},
            "target.bins: [1, 1] must be at least one number, in ascending order",
        ),
        ({**CUT, "bins": []}, "target.bins: [] must be at least one number"),
        ({**CUT, "bins": ["a"]}, "target.bins.0: 'a' must be a number"),
        ({**CUT, "labels": ["no"]}, "target.labels: ['no'] must be 2 labels, one more than there are bins"),
        ({**CUT, "labels": ["no", "no"]}, "target.labels: ['no', 'no'] contains 'no' twice"),
        ({**CUT, "labels": ["no", True]}, "target.labels.1: True must be text"),
        ({**CUT, "name": "Count"}, "target.name: 'Count' must differ from target.column, which it is cut from"),
        (
            {"column": "count", "bins": [0], "labels": ["no", "yes"]},
            "target.name: None is required: name, bins and labels must be given together",
        ),
        ({"column": "count", "name": "any", "bins": [0]}, "target.labels: None is required"),
        (
            {**CUT, "bins": [0, 4], "labels": ["a", "b", "c"]},
            "target.labels: ['a', 'b', 'c'] must be 2 labels",
        ),
    ],
)
def test_a_target_that_cannot_be_binned_is_reported(target: dict[str, Any], expected: str) -> None:
    assert any(expected in mistake for mistake in mistakes(classified(target=target)))


def test_the_positive_label_of_a_binned_target_is_one_of_its_bins() -> None:
    assert "not for regression" in mistakes(changed(target=CUT))[0]
    assert "must be at least 3" in mistakes(classified(target=CUT, problem_type="multiclass_classification"))[0]
    assert "'ys' is not one of no, yes; did you mean 'yes'?" in mistakes(classified(target=CUT, positive_label="ys"))[0]


def test_the_source_column_of_a_binned_target_may_be_dropped() -> None:
    parse_experiment(classified(target=CUT, columns={"drop": ["count"]}), "x")


def test_all_mistakes_are_reported_at_once_in_the_order_of_the_file() -> None:
    text = """\
name: Visits
owner: team:forecasting
source: {sample: rand_hy}
target: mdvis
problem_type: regression
algoritm: Ridge
metric: accuracy
columns: {group: zper, drop: [zper, mdvis]}
hpo: {trials: -3, sampler: tpa}
success_criteria: {r3: 0.1, minimum_r2: 7}
"""
    with pytest.raises(ExperimentInvalid) as caught:
        parse_experiment(text, "experiments/visits.yaml")
    assert str(caught.value).splitlines()[0] == "experiment file experiments/visits.yaml:"
    assert [violation.where for violation in caught.value.violations] == [
        "name",
        "source.sample",
        "columns.drop",
        "columns.drop",
        "algorithm",
        "metric",
        "hpo.trials",
        "hpo.sampler",
        "success_criteria.r3",
        "success_criteria.minimum_r2",
        "algoritm",
    ]


def test_a_url_in_the_wrong_key_is_not_shown() -> None:
    sql = {"query": "SELECT 1", "url_env": "postgresql://me:secret@host/db"}
    (found,) = mistakes(changed(source={"sql": sql}))
    assert "secret" not in found
    assert "source.sql.url_env" in found
    assert "must be the name of an environment variable, such as E2I_SOURCE_URL" in found


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
SECTIONS = ("hpo", "columns", "source", "target", "search_space", "fixed", "success_criteria", "early_stopping")


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(st.sampled_from(sorted(Experiment.model_json_schema()["properties"])), ANYTHING, max_size=3),
    st.sampled_from(SECTIONS),
    st.dictionaries(
        st.sampled_from(["trials", "sampler", "drop", "id", "csv", "sql", "bins", "labels", "C"]), ANYTHING
    ),
)
def test_any_file_is_valid_or_rejected_with_its_mistakes(
    values: dict[str, Any], section: str, inner: dict[str, Any]
) -> None:
    raw = {**yaml.safe_load(classified()), **values, section: inner}
    with contextlib.suppress(ExperimentInvalid):
        experiment = experiment_from(raw, "x")
        assert experiment.search_space() is not None
        assert experiment_from(experiment.model_dump(mode="json"), "x") == experiment


@pytest.mark.parametrize(
    ("where", "change"),
    [
        ("fixed.class_weight", {"fixed": {"class_weight": "balanced"}}),
        (
            "search_space.class_weight",
            {"search_space": {"class_weight": {"type": "categorical", "choices": ["balanced", None]}}},
        ),
    ],
)
@pytest.mark.parametrize("choice", ["class_weight", "smote", "recommended"])
def test_class_weights_are_not_combined_with_each_other_or_with_resampling(
    where: str, change: Any, choice: str
) -> None:
    (found,) = mistakes(classified(imbalance=choice, **change))
    assert found.startswith(where)
    assert f"weights the classes, and so does imbalance: {choice}: remove one of the two" in found
    assert parse_experiment(classified(imbalance="none", **change), "visits.yaml").imbalance == "none"
