"""What stands between a table and a training: its schema file, and the quality report, brought or made."""

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
    """Return where the schema of an experiment's rows is kept: beside the experiment, to be versioned with it."""
    return settings.experiments / "schemas" / f"{name}.yaml"


def keep_schema(settings: Settings, name: str, data: Dataset, replace: bool = False) -> Path | None:
    """Write the schema file of a table that has none yet; return its path if it was written.

    Raises:
        E2iError: The folder cannot be written to.
    """
    path = schema_file(settings, name)
    if path.is_file() and not replace:
        return None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w" if replace else "x", encoding="utf-8") as file:
            file.write(table_schema.inferred(data, name))
    except FileExistsError:
        return None
    except OSError as error:
        raise E2iError(
            f"{path} cannot be written ({error.strerror}): commit the file that `e2i experiment schema {name}` writes"
        ) from error
    return path


def schema_mistakes(settings: Settings, experiment: Experiment, data: Dataset) -> list[str] | None:
    """Return what breaks the schema file, None where there is no such file.

    Raises:
        TableSchemaInvalid: The file is no schema.
    """
    path = schema_file(settings, experiment.name)
    if not path.is_file():
        return None
    where = str(path.relative_to(settings.root)) if path.is_relative_to(settings.root) else str(path)
    return table_schema.violations(text_of(path), where, data, roles(experiment).keys())


def quality(settings: Settings, experiment: Experiment, data: Dataset) -> tuple[QualityReport, GateDecision]:
    """Return the quality report that counts, and what follows from it.

    Raises:
        DataInvalid: A report that is brought is not there, or is no report.
    """
    if experiment.quality_report is None:
        report = assess(data, experiment.name, datetime.now(UTC))
        return report, gate(report)
    limits = source_limits(settings.environment)
    path = limits.allowed_file(settings.root, experiment.quality_report, "quality_report")
    if not path.is_file():
        rule = f"is not a file in {settings.root}: take the key out to have the quality measured"
        raise DataInvalid("data", [Violation("quality_report", experiment.quality_report, rule)])
    report = given_quality.parsed(text_of(path), experiment.quality_report)
    return report, given_quality.decided(report, len(data.frame))


def gate_message(report: QualityReport, decision: GateDecision) -> str:
    """Return what a person reads of the gate: the same in a run and in ``e2i experiment validate``."""
    steps = () if decision.passed else report.remediation_steps
    return "; ".join((decision.reason, *steps))


def require_open(settings: Settings, experiment: Experiment, data: Dataset) -> None:
    """Accept a table only if nothing stands in its way.

    Raises:
        DataInvalid: With the reason.
        TableSchemaInvalid: The schema file is no schema.
    """
    mistakes = [Violation("rows", experiment.name, one) for one in schema_mistakes(settings, experiment, data) or ()]
    mistakes += shifted_target.violations(data, experiment.leakage.accepted)
    report, decision = quality(settings, experiment, data)
    if not decision.passed:
        mistakes.append(Violation("quality", experiment.name, gate_message(report, decision)))
    if mistakes:
        raise DataInvalid(f"data of experiment {experiment.name}", mistakes)
