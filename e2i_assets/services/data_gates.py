"""The gates between a dataset and its training: the schema file and the quality report."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from e2i_assets.adapters.files.text_files import text_of
from e2i_assets.adapters.settings import Settings
from e2i_assets.adapters.sources.limits import source_limits
from e2i_assets.core.data import given_quality, table_schema
from e2i_assets.core.data.dataset import Dataset
from e2i_assets.core.data.feature_columns import roles
from e2i_assets.core.data.quality import GateDecision, QualityReport, assess, gate
from e2i_assets.core.errors import DataInvalid, E2iError, Violation
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.leakage import shifted_target


def schema_file(settings: Settings, name: str) -> Path:
    """Return the path of the schema file of an experiment's rows, which is versioned with the experiment."""
    return settings.experiments / "schemas" / f"{name}.yaml"


def schema_is_outdated(settings: Settings, experiment: Experiment) -> bool:
    """Return whether the schema file is as it was inferred, with columns or a target that the experiment then had."""
    texts = [text_of(path) for path, _ in _schema_files(settings, experiment.name) if path.is_file()]
    return bool(texts) and all(table_schema.is_outdated(text, experiment) for text in texts)


def schema_place(settings: Settings, name: str) -> str:
    """Return where a run writes the schema file that it infers."""
    *_, (_, place) = _schema_files(settings, name)
    return place


def infer_schema(settings: Settings, experiment: Experiment, data: Dataset) -> bool:
    """Write the schema file of a table if it has none in force; return whether it was written.

    With a state in object storage it is written there: the next step may run where this project folder is not.

    Raises:
        E2iError: The folder is not writable, or the store does not answer.
    """
    if settings.address is None:
        return write_schema(settings, experiment, data) is not None
    if schema_in_force(settings, experiment) is not None:
        return False
    text = table_schema.marked(table_schema.inferred(data, experiment.name), experiment)
    settings.store.write(_schema_key(experiment.name), text.encode())
    return True


def _schema_key(name: str) -> str:
    return f"schemas/{name}.yaml"


def _schema_files(settings: Settings, name: str) -> Iterator[tuple[Path, str]]:
    """Yield the schema file of the project folder and that in object storage, each with its name in messages."""
    path = schema_file(settings, name)
    yield path, str(path.relative_to(settings.root)) if path.is_relative_to(settings.root) else str(path)
    if settings.address is not None:
        yield settings.store.file(_schema_key(name)), settings.store.location(_schema_key(name))


def write_schema(settings: Settings, experiment: Experiment, data: Dataset, replace: bool = False) -> Path | None:
    """Write the schema file of a table if it has none in force; return its path if it was written.

    Args:
        settings: Settings of the project.
        experiment: The experiment.
        data: Its table.
        replace: Whether to replace any file, and not only an outdated one.

    Raises:
        E2iError: The folder is not writable.
    """
    name, path = experiment.name, schema_file(settings, experiment.name)
    replace = replace or (path.is_file() and table_schema.is_outdated(text_of(path), experiment))
    if path.is_file() and not replace:
        return None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w" if replace else "x", encoding="utf-8") as file:
            file.write(table_schema.marked(table_schema.inferred(data, name), experiment))
    except FileExistsError:
        return None
    except OSError as error:
        raise E2iError(
            f"{path} cannot be written ({error.strerror}): commit the file that `e2i experiment schema {name}` writes"
        ) from error
    return path


def schema_in_force(settings: Settings, experiment: Experiment) -> tuple[str, str] | None:
    """Return the text of the schema file and its name in messages; None without one, or if a run infers it again."""
    for path, place in _schema_files(settings, experiment.name):
        if path.is_file() and not table_schema.is_outdated(text := text_of(path), experiment):
            return text, place
    return None


def schema_mistakes(settings: Settings, experiment: Experiment, data: Dataset) -> list[str] | None:
    """Return the violations of the schema file, or None if none is in force.

    Raises:
        TableSchemaInvalid: The file is not a valid schema.
    """
    found = schema_in_force(settings, experiment)
    if found is None:
        return None
    text, where = found
    mistakes = table_schema.violations(text, where, data, roles(experiment).keys())
    if mistakes:
        again = f"`e2i experiment schema {experiment.name} --force` infers it again from these rows"
        mistakes[0] += f" (the rules are in {where}: edit it if the rows are right, or {again})"
    return mistakes


def quality(settings: Settings, experiment: Experiment, data: Dataset) -> tuple[QualityReport, GateDecision]:
    """Return the applicable quality report and the decision of the gate.

    Raises:
        DataInvalid: The configured report file is missing or not valid.
    """
    if experiment.quality_report is None:
        report = assess(data, experiment.name, datetime.now(UTC))
        return report, gate(report)
    limits = source_limits(settings.environment)
    path = limits.allowed_file(settings.root, experiment.quality_report, "quality_report")
    if not path.is_file():
        rule = f"is not a file in {settings.root}: remove the key to have the quality measured"
        raise DataInvalid("data", [Violation("quality_report", experiment.quality_report, rule)])
    report = given_quality.parsed(text_of(path), experiment.quality_report)
    return report, given_quality.decided(report, len(data.frame))


def gate_message(report: QualityReport, decision: GateDecision) -> str:
    """Return the message of the gate, which is the same in a run and in ``e2i experiment validate``."""
    steps = () if decision.passed else report.remediation_steps
    return "; ".join((decision.reason, *steps))


def require_open(settings: Settings, experiment: Experiment, data: Dataset) -> None:
    """Check that a table passes all gates.

    Raises:
        DataInvalid: A gate is closed; it has the reasons.
        TableSchemaInvalid: The schema file is not a valid schema.
    """
    mistakes = [Violation("rows", experiment.name, one) for one in schema_mistakes(settings, experiment, data) or ()]
    mistakes += shifted_target.violations(data, experiment.leakage.accepted)
    report, decision = quality(settings, experiment, data)
    if not decision.passed:
        mistakes.append(Violation("quality", experiment.name, gate_message(report, decision)))
    if mistakes:
        raise DataInvalid(f"data of experiment {experiment.name}", mistakes)
