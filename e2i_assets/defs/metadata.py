"""Metadata that assets show in the Dagster UI: tables, inline images and links instead of raw values."""

import base64
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any

import dagster as dg
import pandas as pd

from e2i_assets.core.data.split_tables import SplitTables
from e2i_assets.core.evaluation import measures
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.figures import figure, rounded
from e2i_assets.core.memory.portfolio import weights
from e2i_assets.core.memory.warm_start import WarmStart
from e2i_assets.core.plots.captions import CAPTIONS
from e2i_assets.core.search import tuning
from e2i_assets.core.search.leaderboard import interval_text, leaderboard_of
from e2i_assets.core.search.study_result import StudyResult
from e2i_assets.core.search.trials import TrialRecord
from e2i_assets.services.train import StoredTraining

MOST_ROWS = 100
_MOST_ALTERNATIVES = 20
# At 1,440 pixels.
_LONGEST_ADDRESS = 72


def table(rows: Iterable[Mapping[str, Any]]) -> dg.TableMetadataValue:
    """Return rows as a table. Cells become text, numbers or Booleans; long tables are truncated.

    A column without a single value is left out, and an empty cell is a dash: the UI would show null.
    """
    shown = list(rows)[:MOST_ROWS]
    names = [name for name in (shown[0] if shown else ()) if any(row.get(name) is not None for row in shown)]
    records = [dg.TableRecord({name: _cell(row.get(name)) for name in names}) for row in shown]
    return dg.MetadataValue.table(records, schema=dg.TableSchema([dg.TableColumn(name) for name in names]))


def present(shown: Mapping[str, Any]) -> dict[str, Any]:
    """Return metadata without what says nothing, None and empty tables, and numbers with four significant digits."""
    return {
        name: rounded(value) if isinstance(value, float) else value
        for name, value in shown.items()
        if value is not None and not (isinstance(value, dg.TableMetadataValue) and not value.records)
    }


def column_schema(frame: pd.DataFrame) -> dg.TableSchema:
    """Return the columns of a table with their types."""
    return dg.TableSchema([dg.TableColumn(str(name), str(kind)) for name, kind in frame.dtypes.items()])


def picture(png: bytes, title: str, caption: str) -> dg.MarkdownMetadataValue:
    """Return a PNG image that the UI shows inline, below its title and caption."""
    image = f"![{title}](data:image/png;base64,{base64.b64encode(png).decode()})"
    return dg.MetadataValue.md(f"**{title}.** {caption}\n\n{image}")


def pictures(files: Mapping[str, bytes]) -> dict[str, dg.MarkdownMetadataValue]:
    """Return PNG images (by file name) as inline images, each below its title and what it shows."""
    return {file.removesuffix(".png"): picture(png, *CAPTIONS[file]) for file, png in files.items()}


def found(result: StudyResult) -> dict[str, float]:
    """Return the best and the default value in the natural orientation of the metric; the UI plots both over time."""
    metric, greater = next(iter(result.objectives.greater_is_better.items()))
    values = {f"best_{metric}": result.best.value if result.best else None, f"default_{metric}": result.default_value}
    return {name: value if greater else -value for name, value in values.items() if value is not None}


def trial_rows(result: StudyResult) -> list[dict[str, Any]]:
    """Return the trials as table rows, the best first, trials without a value last."""
    front = {trial.number for trial in result.pareto_front}
    weighs = len(result.objectives.greater_is_better) > 1 or any(trial.constraint_values for trial in result.trials)
    ordered = sorted(result.trials, key=lambda one: (one.value is None, -(one.value or 0.0), one.number))
    return [
        {
            "trial": trial.number,
            "state": trial.state,
            "origin": trial.origin,
            "value": trial.value,
            **(_judged(trial, trial.number in front) if weighs else {}),
            "rounds": trial.rounds,
            "seconds": trial.seconds,
            "parameters": ", ".join(f"{name}={_short(value)}" for name, value in trial.sampled.items()),
            "reason": trial.error_message,
        }
        for trial in ordered
    ]


def class_balance(experiment: Experiment, tables: SplitTables) -> dict[str, Any]:
    """Return the class counts of the train rows, and the recommended and the configured treatment of imbalance."""
    facts = tables.facts
    if not facts.classes:
        return {}
    found = tuning.found_imbalance(experiment, facts, facts.rows(tables.tables["train"]))
    recommended = f"recommended: {found.recommended}, because {found.rationale}"
    return {
        "train_classes": table({"class": name, "rows": rows} for name, rows in found.class_distribution.items()),
        "imbalance": f"{found.severity}: {recommended}; configured: {experiment.imbalance}",
    }


def headline(experiment: Experiment, done: StoredTraining) -> dict[str, float]:
    """Return the optimized metric on the test rows under its own key, which the UI plots over time."""
    reported = measures.measure(experiment.metric, experiment.problem_type)
    value = done.record.training.report.splits["test"].metrics.get(reported.name) if reported else None
    return {} if reported is None or value is None else {f"test_{reported.name}": value}


def links_to_mlflow(done: StoredTraining) -> dict[str, dg.MetadataValue[Any]]:
    """Return the links to the MLflow run, whose artifacts include the report, and to all runs; empty without a run.

    Dagster does not wrap an address: a long one would make the page wider than the screen and cut its tables. It is a
    link in Markdown instead, behind a click.
    """
    links = {"mlflow_run": done.mlflow_url, "mlflow_runs": done.mlflow_runs_url}
    return {
        name: dg.MetadataValue.url(url) if len(url) <= _LONGEST_ADDRESS else dg.MetadataValue.md(f"[{url}]({url})")
        for name, url in links.items()
        if url is not None
    }


def evaluation(experiment: Experiment, done: StoredTraining) -> dict[str, Any]:
    """Return the plots of the test rows, the metrics for each segment and the gaps between segments."""
    shown: dict[str, Any] = dict(pictures(done.record.model_pictures))
    if done.record.training.segments:
        reported = measures.measure(experiment.metric, experiment.problem_type)
        shown["segments"] = table(done.segment_rows(reported.name if reported else experiment.metric))
        shown["segment_gaps"] = table(asdict(gap) for gap in done.record.gaps)
    return shown


def _judged(trial: TrialRecord, is_pareto: bool) -> dict[str, Any]:
    values = {**trial.constraint_values, **trial.objective_values}
    shown = ", ".join(f"{name}={_short(value)}" for name, value in values.items())
    return {"objectives": shown, "feasible": trial.is_feasible, "pareto": is_pareto}


def _cell(value: Any) -> str | int | float | bool:
    if value is None:
        return "-"
    if isinstance(value, bool | int | str):
        return value
    return rounded(value) if isinstance(value, float) else str(value)


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def algorithm_rows(experiment: Experiment, tuned: tuning.Tuned) -> list[dict[str, Any]]:
    """Return the leaderboard of the algorithms, few columns for Dagster's page."""
    return [
        {
            "algorithm": row.algorithm,
            f"{experiment.metric} (95 %)": f"{figure(row.value)}{interval_text(row)}",
            "trials, seconds": f"{row.trials}, {figure(row.seconds, 3)}",
            "verdict": row.verdict,
        }
        for row in leaderboard_of(tuned.decided(experiment), tuned.identity, tuned.result, tuned.leaderboard)
    ]


def initial_configurations(start: WarmStart) -> list[dict[str, Any]]:
    """Return the configurations that the study tries first as table rows; without a memory, the defaults."""
    if start.contenders is not None:
        return _of_each(start, initial_configurations)
    return _rows(start, range(start.tries or min(1, len(start.configurations))))


def alternative_configurations(start: WarmStart) -> list[dict[str, Any]]:
    """Return the configurations that the first results may move forward, the most promising ones first."""
    if start.contenders is not None:
        return _of_each(start, alternative_configurations)
    rest = range(start.tries, len(start.configurations)) if start.tries else range(0)
    return sorted(_rows(start, rest), key=lambda row: row["expected_regret"])[:_MOST_ALTERNATIVES]


def similar_studies(start: WarmStart) -> list[dict[str, Any]]:
    """Return the similar stored studies with their initial weight in the choice of configurations."""
    if start.contenders is not None:
        return _of_each(start, similar_studies)
    shares = weights(start.problems, {}) if start.problems else ()
    return [
        {
            "study": one.study_name,
            "similarity": round(one.similarity, 3),
            "trust": round(one.trust, 3),
            "weight": f"{share:.1%}",
            "pattern": one.pattern_id,
        }
        for one, share in zip(start.problems, shares, strict=True)
    ]


def _of_each(start: WarmStart, rows: Callable[[WarmStart], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return the rows of the warm start of each algorithm."""
    return [{"algorithm": name, **row} for name, one in (start.contenders or {}).items() for row in rows(one)]


def _rows(start: WarmStart, places: range) -> list[dict[str, Any]]:
    shares = weights(start.problems, {}) if start.problems else ()
    return [
        {
            "origin": one.origin,
            "similarity": one.similarity,
            "study": one.study_name,
            # 0 is the best known configuration of past problems, 1 a typical configuration of the space.
            "expected_regret": round(
                float(sum(s * past.regrets[place] for s, past in zip(shares, start.problems, strict=True))), 3
            ),
            "values": str(one.values),
            "changed": "; ".join(one.notes),
        }
        for place in places
        for one in (start.configurations[place],)
    ]
