"""What is wrong with experiment files, and, when asked, with the rows that they name."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from e2i_assets.adapters.experiment_files import ExperimentFolder, read_experiment, read_folder, strict
from e2i_assets.adapters.settings import Settings
from e2i_assets.core.errors import E2iError, Violations
from e2i_assets.core.experiments.experiment import Experiment


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong with one experiment; ``error`` is None when nothing is."""

    name: str
    error: E2iError | None

    @property
    def mistakes(self) -> str | None:
        """All of it, in words."""
        return None if self.error is None else str(self.error)

    def as_document(self) -> dict[str, object]:
        """Return it as ``--json`` shows it: each mistake with its place, the value and the rule."""
        found = self.error.violations if isinstance(self.error, Violations) else ()
        mistakes = [{"where": one.where, "value": one.value, "rule": one.rule} for one in found]
        return {"name": self.name, "valid": self.error is None, "error": self.mistakes, "mistakes": mistakes}


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
        if with_rows:
            _require_usable_rows(experiment, settings)
    except E2iError as error:
        return Verdict(name, error)
    return Verdict(name, None)


def _require_usable_rows(experiment: Experiment, settings: Settings) -> None:
    from e2i_assets.adapters import data_gates, datasets
    from e2i_assets.core.data.dataset import dataset_of

    data = dataset_of(datasets.load(experiment.source, settings.root, os.environ), experiment)
    data_gates.require_open(settings, experiment, data)
