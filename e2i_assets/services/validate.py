"""What is wrong with experiment files, and, when asked, with the rows that they name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from e2i_assets.adapters.files.experiment_files import ExperimentFolder, read_experiment, read_folder, strict
from e2i_assets.adapters.settings import Settings
from e2i_assets.core.errors import E2iError, Violations
from e2i_assets.core.experiments.experiment import Experiment


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong with one experiment; ``error`` is None when nothing is.

    Attributes:
        unused: Columns that nobody asked to keep out of the features and that are none, with the reason.
        notes: What a person should know of the rows, each a sentence.
    """

    name: str
    error: E2iError | None
    unused: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def mistakes(self) -> str | None:
        """All of it, in words."""
        return None if self.error is None else str(self.error)

    def as_document(self) -> dict[str, object]:
        """Return it as ``--json`` shows it: each mistake with its place, the value and the rule."""
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
    """Judge experiments, all in the folder when none is named.

    Args:
        settings: Of the project.
        names: Names of experiments, or paths of files anywhere.
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
    """Return the verdict on an experiment and its rows.

    Raises:
        E2iError: The rows cannot be read, or stand in the way of a training.
    """
    from e2i_assets.adapters.sources import datasets
    from e2i_assets.core.data.dataset import dataset_of, pointed_out
    from e2i_assets.core.data.feature_columns import unused
    from e2i_assets.services import data_gates

    data = dataset_of(datasets.load(experiment.source, settings.root, settings.environment), experiment)
    data_gates.require_open(settings, experiment, data)
    return Verdict(name, None, unused(data.left_out, experiment), pointed_out(data))
