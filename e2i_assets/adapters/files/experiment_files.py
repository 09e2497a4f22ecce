"""The folder of experiment files: one YAML file per experiment, each read independently."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from e2i_assets.adapters.files.text_files import FileUnreadable, text_of
from e2i_assets.core.errors import E2iError, ExperimentInvalid, Violation
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.experiments.file import parse_experiment
from e2i_assets.core.suggestions import did_you_mean

_ENDINGS = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class ExperimentFolder:
    """The contents of a folder of experiment files.

    Attributes:
        experiments: The valid experiments by name, in the order of their file names.
        files: The file of each valid experiment.
        invalid: The mistakes of each invalid file, by path.
    """

    experiments: Mapping[str, Experiment]
    files: Mapping[str, Path]
    invalid: Mapping[Path, ExperimentInvalid]

    def experiment(self, name: str) -> Experiment:
        """Return an experiment.

        Raises:
            ExperimentInvalid: The file of that name is invalid.
            E2iError: No experiment has that name.
        """
        if name in self.experiments:
            return self.experiments[name]
        for path, mistakes in self.invalid.items():
            if path.stem == name:
                raise mistakes
        known = ", ".join(self.experiments) or "none"
        near = did_you_mean(name, self.experiments)
        raise E2iError(f"there is no experiment {name!r}{near or '.'} There are: {known}")

    def require_valid(self) -> None:
        """Check that all files are valid.

        Raises:
            ExperimentInvalid: One file is invalid; with its mistakes.
            E2iError: Several files are invalid; with all their mistakes.
        """
        if len(self.invalid) == 1:
            raise next(iter(self.invalid.values()))
        if self.invalid:
            raise E2iError("\n".join(str(mistakes) for mistakes in self.invalid.values()))


def read_experiment(path: Path) -> Experiment:
    """Read one experiment file.

    Raises:
        ExperimentInvalid: The file is invalid; with all its mistakes.
        E2iError: The file does not exist.
    """
    if not path.is_file():
        raise E2iError(f"there is no experiment file {path}")
    try:
        text = text_of(path)
    except FileUnreadable as error:
        raise ExperimentInvalid(f"experiment file {path}", [Violation("the file", path.name, str(error))]) from error
    return parse_experiment(text, str(path))


def files_in(folder: Path) -> list[Path]:
    """Return the experiment files of a folder, ordered by name.

    Raises:
        E2iError: The folder does not exist.
    """
    if not folder.is_dir():
        raise E2iError(f"there is no experiments folder {folder}: create it, or set E2I_HOME to the project folder")
    return [
        path
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in _ENDINGS and not path.name.startswith(".") and path.is_file()
    ]


def read_folder(folder: Path) -> ExperimentFolder:
    """Read every ``.yaml`` and ``.yml`` file of a folder; an invalid file does not affect the valid ones.

    Raises:
        E2iError: The folder does not exist.
    """
    return read_files(files_in(folder))


def read_files(paths: Iterable[Path], read: Callable[[Path], Experiment] = read_experiment) -> ExperimentFolder:
    """Read experiment files, each independently.

    Args:
        paths: The experiment files.
        read: The function that reads one.
    """
    experiments: dict[str, Experiment] = {}
    files: dict[str, Path] = {}
    invalid: dict[Path, ExperimentInvalid] = {}
    for path in paths:
        try:
            experiment = read(path)
        except ExperimentInvalid as mistakes:
            invalid[path] = mistakes
            continue
        if experiment.name in experiments:
            rule = f"is the name of the experiment in {files[experiment.name].name} as well: each needs its own"
            invalid[path] = ExperimentInvalid(f"experiment file {path}", [Violation("name", experiment.name, rule)])
            continue
        experiments[experiment.name] = experiment
        files[experiment.name] = path
    return ExperimentFolder(experiments, files, invalid)


def strict(folder: ExperimentFolder) -> ExperimentFolder:
    """Return the folder with the files whose name differs from their experiment's name moved to the invalid ones.

    A registered experiment is looked up by name: its file must be recognisable without opening all files.
    """
    misnamed = {
        path: ExperimentInvalid(
            f"experiment file {path}",
            [Violation("name", name, f"is not the name of the file: call the file {name}.yaml, or correct the name")],
        )
        for name, path in folder.files.items()
        if path.stem != name
    }
    named = {name: one for name, one in folder.experiments.items() if folder.files[name] not in misnamed}
    return replace(folder, experiments=named, invalid={**folder.invalid, **misnamed})


def mistakes_by_file(folder: ExperimentFolder) -> dict[str, str]:
    """Return the mistakes of each invalid file in one line, by file name."""
    return {path.name: ", ".join(str(one) for one in mistakes.violations) for path, mistakes in folder.invalid.items()}
