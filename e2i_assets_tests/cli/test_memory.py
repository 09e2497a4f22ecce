"""`e2i memory`: its output, its changes and its errors."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from direct_rows import record_trials
from finished_project import registered

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.repositories.pattern_rows import PatternRow
from e2i_assets.adapters.repositories.study_rows import StudyRow, TrialRow
from e2i_assets.core.data.split_tables import SplitFacts
from e2i_assets.core.memory import meta_vector
from e2i_assets.services.project import Project

RunCli = Callable[..., Result]

FEATURES = {"n_samples": 569.0, "log_n_samples": math.log10(569), "n_features": 30.0, "log_n_features": math.log10(30)}


@pytest.fixture(autouse=True)
def _no_starter_memory(project: Project) -> None:
    """Remove the shipped starter memory, because these tests count patterns."""
    project.starter_patterns.remove()


def pattern(name: str, **changes: Any) -> PatternRow:
    """Return a pattern of a problem identical to the experiment ``plain``."""
    features = FEATURES | changes.pop("features", {})
    values: dict[str, Any] = {
        "spec_hash": f"spec of {name}",
        "data_hash": f"data of {name}",
        "algorithm_name": "LogisticRegression",
        "problem_type": "binary_classification",
        "search_space": {"C": {"type": "float", "low": 0.01, "high": 10.0, "log": True}},
        "best_hyperparameters": {"C": 0.5},
        "top_configurations": [{"values": {"C": 0.5}, "value": 0.8125}],
        "best_value": 0.8125,
        "optimization_metric": "roc_auc",
        "n_samples": int(features["n_samples"]),
        "n_features": int(features["n_features"]),
        "n_trials": 10,
        "n_completed": 8,
        "n_pruned": 2,
        "class_balance": 0.37,
        "study_name": name,
        "meta_features": features,
        "trials": [{"values": {"C": 0.5}, "value": 0.8125}],
        "default_value": 0.75,
        "meta_vector": meta_vector.meta_vector(features),
        "meta_version": meta_vector.VERSION,
    }
    return PatternRow(**values | changes)


def store(project: Project, *patterns: PatternRow) -> list[str]:
    return [project.patterns.store(one) for one in patterns]


def used(project: Project, pattern_id: str) -> str:
    """Record a use of a pattern by a study of ``plain``, and return the study's name."""
    store = project.studies
    study = StudyRow(
        study_name="later",
        spec_hash="spec of later",
        experiment_id=project.experiments.register("plain", {"target": "target"}),
        split_id=None,
        data_hash="data",
        algorithm_name="LogisticRegression",
        problem_type="binary_classification",
        sampler_name="tpe",
        pruner_name="none",
        metric="roc_auc",
        seed=1,
        search_space={},
        fixed_params={},
        n_trials=3,
    )
    study_id = store.start(study)
    record_trials(
        store.database,
        study_id,
        [
            TrialRow(
                trial_number=0, state="COMPLETE", origin="warm_start", params={"C": 0.5}, value=0.75, duration_seconds=1
            )
        ],
    )
    figures: dict[str, Any] = {"value": 0.75, "default_value": 0.625, "best_value": 0.6875, "rank": 1, "n_ranked": 3}
    assert project.patterns.record_use(pattern_id, study_id, 0, 0.875, 0.125, **figures)
    return study.study_name


def store_warm_start(project: Project) -> None:
    """Store a warm start of ``plain``."""
    registered(project)
    facts = SplitFacts(
        experiment="plain",
        problem_type="binary_classification",
        target="target",
        features=("a",),
        classes=(0, 1),
        data_hash="all of plain",
        split_hash="split of plain",
        search_hash="data of plain",
        strategy="stratified",
        seed=42,
        counts={"train": 569},
        left_out=0,
    )
    for asset, document in (
        ("validation_splits", facts.model_dump_json()),
        ("warm_start", json.dumps({"meta_features": FEATURES})),
    ):
        folder = project.asset_folder(asset, "plain")
        folder.mkdir(parents=True)
        (folder / "value.json").write_text(document)
    assert project.read(SplitFacts, "validation_splits", "plain") == facts


def words(answer: Result) -> str:
    return " ".join(answer.output.split())


def documents(answer: Result) -> Any:
    assert answer.exit_code == 0, answer.output
    return json.loads(answer.stdout)


def test_an_empty_memory_explains_how_it_fills(project: Project, run_cli: RunCli) -> None:
    assert "The memory is empty: each finished study adds a pattern." in words(run_cli("memory", "list"))
    assert documents(run_cli("memory", "list", "--json")) == []
    assert "0 patterns, 0 of them from the starter memory; 0 deleted." in words(run_cli("memory", "stats"))
    assert "There is nothing to delete." in words(run_cli("memory", "prune"))


def test_list_shows_the_newest_patterns_with_values_of_their_metric(project: Project, run_cli: RunCli) -> None:
    first, second = store(
        project,
        pattern("older"),
        pattern(
            "newer", problem_type="regression", optimization_metric="rmse", best_value=-2.5, algorithm_name="Ridge"
        ),
    )
    shown = words(run_cli("memory", "list"))
    assert shown.index(second[:8]) < shown.index(first[:8])
    assert "Ridge rmse 569 0 x newer regression 2.5 30 1.00" in shown
    assert "LogisticRegression roc_auc 569 0 x older binary 0.8125 30 1.00" in shown
    assert [one["pattern_id"] for one in documents(run_cli("memory", "list", "--json"))] == [second, first]
    assert [one["study_name"] for one in documents(run_cli("memory", "list", "--json", "--algorithm", "Ridge"))] == [
        "newer"
    ]
    assert "There are more than 1 patterns: use --limit to show them." in words(
        run_cli("memory", "list", "--limit", "1")
    )
    assert "No pattern matches." in words(run_cli("memory", "list", "--source", "starter"))


def test_show_finds_a_pattern_by_its_id_prefix_and_shows_its_uses(project: Project, run_cli: RunCli) -> None:
    (pattern_id,) = store(project, pattern("earlier"))
    study = used(project, pattern_id)
    shown = words(run_cli("memory", "show", pattern_id[:6]))
    for fact in (
        pattern_id,
        "from earlier",
        "of LogisticRegression for binary_classification by roc_auc",
        "best 0.8125, defaults 0.75",
        "8 completed, 2 pruned; 1 with values",
        "trust 1.00; mean improvement 0.125",
        "0.8125 C 0.5",
        "n_samples 569",
        f"{study}, 0 0.875 0.75 0.625 0.6875 1 of 3",
    ):
        assert fact in shown, shown
    document = documents(run_cli("memory", "show", pattern_id, "--json"))
    assert (document["trials"], document["uses"][0]["rank"]) == ([{"value": 0.8125, "values": {"C": 0.5}}], 1)


def test_an_unknown_or_ambiguous_id_is_an_error(project: Project, run_cli: RunCli) -> None:
    refused = run_cli("memory", "show", "zzz")
    assert refused.exit_code == 1
    assert "there is no pattern zzz: `e2i memory list` shows the patterns" in words(refused)
    ids = store(project, pattern("a"), pattern("b"))
    refused = run_cli("memory", "show", "")
    assert refused.exit_code == 1
    assert all(one in words(refused) for one in ("several patterns begin with", *ids))


def test_similar_shows_the_largest_differences_and_omits_the_same_rows(project: Project, run_cli: RunCli) -> None:
    store_warm_start(project)
    near = pattern("near", features={"log_n_samples": FEATURES["log_n_samples"] + 0.4, "class_entropy": 0.3})
    (near_id, *_) = store(
        project,
        near,
        pattern("plain"),
        pattern("far", features={"log_n_samples": 9.0}),
        pattern("sizes", meta_vector=None, meta_version=None, n_samples=700),
        pattern("other", algorithm_name="XGBoost"),
    )
    used(project, near_id)
    registered(project)
    shown = words(run_cli("memory", "similar", "plain"))
    assert (
        "plain, as described by its stored warm_start: patterns of LogisticRegression for binary_classification"
        in shown
    )
    assert "near log_n_samples 64%, class_entropy 36%" in shown
    assert "sizes only the sizes were compared" in shown
    assert all(name not in shown for name in (" far ", " plain ", " other "))
    (sizes, first) = documents(run_cli("memory", "similar", "plain", "--json"))
    distance = math.hypot(0.3 * 0.4, 0.3 * 0.3)
    assert first["similarity"] == pytest.approx(math.exp(-distance), abs=1e-6)
    assert first["differences"][0] == {"name": "log_n_samples", "share": pytest.approx(0.64, abs=1e-5)}
    assert (first["trust"], first["times_used_as_warmstart"], sizes["differences"]) == (1, 1, [])
    all_of_them = documents(run_cli("memory", "similar", "plain", "--json", "--min-similarity", "0"))
    assert [one["study_name"] for one in all_of_them] == ["sizes", "near", "far"]
    assert len(documents(run_cli("memory", "similar", "plain", "--json", "--limit", "1"))) == 1


def test_similar_says_what_to_do_without_a_similar_pattern(project: Project, run_cli: RunCli) -> None:
    registered(project)
    refused = run_cli("memory", "similar", "plain")
    assert refused.exit_code == 1
    assert "the rows of plain have not been described yet: run `e2i run plain`" in words(refused)
    assert "'nobody' is not registered: `e2i experiment list`" in words(run_cli("memory", "similar", "nobody"))
    store_warm_start(project)
    assert "No pattern has a similarity of 0.2: --min-similarity 0 shows the nearest." in words(
        run_cli("memory", "similar", "plain")
    )


def test_similar_uses_the_pattern_of_an_experiment_without_files(project: Project, run_cli: RunCli) -> None:
    (other,) = store(project, pattern("other"))
    used(project, other)
    store(project, pattern("later", data_hash="data of plain"), pattern("twin", data_hash="data of plain"))
    registered(project)
    answer = run_cli("memory", "similar", "plain")
    assert "plain, as described by its pattern" in words(answer)
    assert [one["study_name"] for one in documents(run_cli("memory", "similar", "plain", "--json"))] == ["other"]


def test_stats_count_patterns_and_successful_uses(project: Project, run_cli: RunCli) -> None:
    (first, _) = store(project, pattern("a"), pattern("b", source="starter"))
    used(project, first)
    shown = words(run_cli("memory", "stats"))
    assert "2 patterns, 1 of them from the starter memory; 0 deleted. 1 studies have used them, in 1 trials." in shown
    assert "problem type metric starter that helped improvement" in shown
    assert "LogisticRegression roc_auc 2 1 0.125 binary 1 1 of 1" in shown
    assert "pgvector" not in shown
    assert documents(run_cli("memory", "stats", "--json"))["kinds"][0]["helped"] == 1
    with project.database.begin() as connection:
        connection.exec_driver_sql("DROP EXTENSION vector CASCADE")
    assert "install it and call SELECT e2i.index_hpo_patterns()" in words(run_cli("memory", "stats"))


@pytest.mark.parametrize("option", [(), ("--dry-run",)])
def test_prune_removes_patterns_only_with_yes(project: Project, run_cli: RunCli, option: tuple[str, ...]) -> None:
    store(project, pattern("worse", data_hash="d", best_value=0.5), pattern("better", data_hash="d"))
    would = words(run_cli("memory", "prune", *option))
    assert "worse" in would
    assert "a better pattern of the same problem is kept" in would
    assert "1 patterns would be deleted: use --yes." in would
    assert len(documents(run_cli("memory", "list", "--json"))) == 2
    assert [one["study_name"] for one in documents(run_cli("memory", "prune", *option, "--json"))] == ["worse"]
    assert "1 patterns deleted." in words(run_cli("memory", "prune", "--yes"))
    assert [one["study_name"] for one in documents(run_cli("memory", "list", "--json"))] == ["better"]
    assert documents(run_cli("memory", "prune", "--older-than", "0", "--yes", "--json"))[0]["study_name"] == "better"


def test_prune_refuses_contradictory_options(project: Project, run_cli: RunCli) -> None:
    refused = run_cli("memory", "prune", "--dry-run", "--yes")
    assert refused.exit_code == 1
    assert "--dry-run changes nothing and --yes deletes: use one of them" in words(refused)


def test_patterns_are_exported_and_imported_into_another_database(
    project: Project, other_database: Database, run_cli: RunCli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ids = store(project, pattern("a"), pattern("b"), pattern("given", source="starter"))[:2]
    file = str(tmp_path / "north.jsonl.gz")
    assert f"Wrote 2 patterns to {file}." in words(run_cli("memory", "export", file))
    again = run_cli("memory", "export", file)
    assert (again.exit_code, "replace it with --force" in words(again)) == (1, True)
    assert documents(run_cli("memory", "export", file, "--force", "--json")) == {"patterns": 2, "file": file}
    monkeypatch.setenv("E2I_DATABASE_URL", other_database.url)
    run_cli("memory", "starter", "remove")
    assert "2 of 2 patterns are new, with the source import:north." in words(run_cli("memory", "import", file))
    assert {one["pattern_id"] for one in documents(run_cli("memory", "list", "--json"))} == set(ids)
    again = run_cli("memory", "import", file, "--name", "south", "--json")
    assert documents(again) == {"patterns": 2, "new": 0, "source": "import:south"}
    assert {one["source"] for one in documents(run_cli("memory", "list", "--json"))} == {"import:north"}


def test_an_invalid_line_is_an_error_and_nothing_is_imported(project: Project, run_cli: RunCli, tmp_path: Path) -> None:
    store(project, pattern("a"))
    file = tmp_path / "memory.jsonl"
    run_cli("memory", "export", str(file))
    line = json.loads(file.read_text())
    file.write_text(json.dumps(line) + "\n" + json.dumps({**line, "best_value": "x", "spec_hash": "s"}))
    refused = run_cli("memory", "import", str(file))
    assert refused.exit_code == 1
    assert "(nothing was imported): - line 2, best_value: 'x' Input should be a valid number" in words(refused)
    assert len(documents(run_cli("memory", "list", "--json"))) == 1


def test_a_removed_starter_memory_stays_removed_until_it_is_loaded(
    project: Project, run_cli: RunCli, tmp_path: Path
) -> None:
    store(project, pattern("a"), pattern("b"))
    file = str(tmp_path / "starter.jsonl.gz")
    run_cli("memory", "export", file)
    with project.database.begin() as connection:
        connection.exec_driver_sql("DELETE FROM procedural_memories")
    assert "Loaded the starter memory: 2 patterns." in words(run_cli("memory", "starter", "load", file))
    assert {one["source"] for one in documents(run_cli("memory", "list", "--json"))} == {"starter"}
    assert (
        len(documents(run_cli("memory", "list", "--json"))) == 2
    )  # the ships does not replace the choice of the person's choice
    assert "Removed 2 patterns. `e2i memory starter load` restores them." in words(
        run_cli("memory", "starter", "remove")
    )
    assert documents(run_cli("memory", "list", "--json")) == []
    assert documents(run_cli("memory", "starter", "remove", "--json")) == {"removed": 0}
    assert documents(run_cli("memory", "starter", "load", file, "--json")) == {"patterns": 2}


@pytest.mark.parametrize(
    "command",
    [
        (),
        ("list",),
        ("show",),
        ("similar",),
        ("stats",),
        ("prune",),
        ("export",),
        ("import",),
        ("starter", "load"),
        ("starter", "remove"),
    ],
)
def test_help_describes_the_command(run_cli: RunCli, command: tuple[str, ...]) -> None:
    answer = run_cli("memory", *command, "--help")
    assert answer.exit_code == 0
    assert "Usage: e2i memory" in answer.output
