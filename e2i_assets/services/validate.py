"""Validates experiment files and, on request, the rows that they name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from e2i_assets.adapters.files.experiment_files import ExperimentFolder, read_experiment, read_folder, strict
from e2i_assets.adapters.settings import Settings
from e2i_assets.core.errors import E2iError, Violations
from e2i_assets.core.experiments.experiment import Experiment


@dataclass(frozen=True, slots=True)
class Verdict:
    """The validation result of one experiment; ``error`` is None if it is valid.

    Attributes:
        unused: Columns that are automatically excluded from the features, with the reasons.
        notes: Notes about the rows, one sentence each.
    """

    name: str
    error: E2iError | None
    unused: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def mistakes(self) -> str | None:
        """Return all errors as text."""
        return None if self.error is None else str(self.error)

    def as_document(self) -> dict[str, object]:
        """Return the result as ``--json`` prints it: each error with its location, value and rule."""
        found = self.error.violations if isinstance(self.error, Violations) else ()
        mistakes = [{"where": one.where, "value": one.value, "rule": one.rule} for one in found]
        return {
            "name": self.name,
            "valid": self.error is None,
            "unused": dict(self.unused),
            "notes": list(self.notes),
            "error": self.mistakes,
            "mistakes": mistakes,
        }


def verdicts(settings: Settings, names: Sequence[str], with_rows: bool) -> list[Verdict]:
    """Validate experiments; all in the folder if no name is given.

    Args:
        settings: Settings of the project.
        names: Names of experiments or paths of files.
        with_rows: Whether to read the rows too.
    """
    folder = strict(read_folder(settings.experiments))
    if not names:
        good = [_verdict(name, folder, settings, with_rows) for name in folder.experiments]
        return [*good, *(Verdict(path.stem, mistakes) for path, mistakes in folder.invalid.items())]
    return [_verdict(name, folder, settings, with_rows) for name in names]


def _verdict(name: str, folder: ExperimentFolder, settings: Settings, with_rows: bool) -> Verdict:
    try:
        is_file = name.endswith((".yaml", ".yml"))
        experiment = read_experiment(Path(name)) if is_file else folder.experiment(name)
        return _with_rows(name, experiment, settings) if with_rows else Verdict(name, None)
    except E2iError as error:
        return Verdict(name, error)


def _with_rows(name: str, experiment: Experiment, settings: Settings) -> Verdict:
    """Return the result for an experiment and its rows.

    Raises:
        E2iError: The rows cannot be read, or a gate rejects them.
    """
    from e2i_assets.adapters.sources import datasets
    from e2i_assets.core.data.dataset import dataset_of, pointed_out
    from e2i_assets.core.data.feature_columns import unused
    from e2i_assets.services import data_gates

    data = dataset_of(datasets.load(experiment.source, settings.root, settings.environment), experiment, profiled=False)
    data_gates.require_open(settings, experiment, data)
    return Verdict(name, None, unused(data.left_out, experiment), pointed_out(data))
