"""The Optuna dashboard: an error that a search maximises, negated, is minimised there under its own name."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest
from optuna.trial import TrialState
from optuna_dashboard import wsgi
from prepared_study import prepared

from e2i_assets.adapters.optuna_storage.natural_values import NaturalValues
from e2i_assets.adapters.optuna_storage.study_session import optuna_storage
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.core.errors import E2iError

Ask = Callable[[str], dict[str, Any]]


@pytest.fixture
def ask(database: Database) -> Ask:
    """Return the answer of the dashboard to a request of its pages."""
    app = wsgi(NaturalValues(optuna_storage(database)))

    def answer(path: str) -> dict[str, Any]:
        request: dict[str, Any] = {"PATH_INFO": path}
        setup_testing_defaults(request)
        found: dict[str, Any] = json.loads(b"".join(app(request, lambda *_: None)))
        return found

    return answer


def test_an_error_is_minimised_under_its_name_and_best_trial_and_reports_are_positive(
    database: Database, tmp_path: Path, ask: Ask
) -> None:
    study = prepared(database, tmp_path, "{trials: 5, workers: 1}\nmetric: log_loss").searched()
    (listed,) = ask("/api/studies")["study_summaries"]
    assert listed["directions"] == ["minimize"]
    shown = ask(f"/api/studies/{listed['study_id']}")
    assert (shown["directions"], shown["objective_names"]) == (["minimize"], ["log_loss"])
    (best,) = shown["best_trials"]
    assert (best["number"], best["values"]) == (study.best.number, [-study.best.value])
    completed = [one for one in shown["trials"] if one["state"] == "Complete"]
    assert min(one["values"][0] for one in completed) == best["values"][0] > 0
    reports = [one["value"] for trial in shown["trials"] for one in trial["intermediate_values"]]
    assert reports
    assert min(reports) > 0


def test_each_of_several_goals_has_its_own_direction(database: Database, tmp_path: Path, ask: Ask) -> None:
    prepared(database, tmp_path, "{trials: 3, workers: 1, objectives: [model_size]}").searched()
    (listed,) = ask("/api/studies")["study_summaries"]
    shown = ask(f"/api/studies/{listed['study_id']}")
    assert (shown["directions"], shown["objective_names"]) == (["maximize", "minimize"], ["roc_auc", "model_size"])
    assert all(value > 0 for trial in shown["best_trials"] for value in trial["values"])


def test_the_value_of_a_trial_is_not_set_by_hand(database: Database) -> None:
    storage = NaturalValues(optuna_storage(database))
    with pytest.raises(E2iError, match="not set by hand"):
        storage.set_trial_state_values(1, TrialState.COMPLETE, [1.0])
