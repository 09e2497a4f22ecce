"""The folder of experiment files: one YAML file an experiment, each read on its own."""

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
    """What a folder of experiment files holds.

    Attributes:
        experiments: The valid ones by name, in the order of their file names.
        files: The file of each of them.
        invalid: What is wrong with each other file, by path.
    """

    experiments: Mapping[str, Experiment]
    files: Mapping[str, Path]
    invalid: Mapping[Path, ExperimentInvalid]

    def experiment(self, name: str) -> Experiment:
        """Return one experiment.

        Raises:
            ExperimentInvalid: The file of that name is not valid.
            E2iError: There is none of that name.
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
        """Accept the folder only as a whole.

        Raises:
            ExperimentInvalid: The one invalid file's mistakes.
            E2iError: The mistakes of all invalid files, when there are several.
        """
        if len(self.invalid) == 1:
            raise next(iter(self.invalid.values()))
        if self.invalid:
            raise E2iError("\n".join(str(mistakes) for mistakes in self.invalid.values()))


def read_experiment(path: Path) -> Experiment:
    """Read one experiment file.

    Raises:
        ExperimentInvalid: With every mistake in it.
        E2iError: There is no such file.
    """
    if not path.is_file():
        raise E2iError(f"there is no experiment file {path}")
    try:
        text = text_of(path)
    except FileUnreadable as error:
        raise ExperimentInvalid(f"experiment file {path}", [Violation("the file", path.name, str(error))]) from error
    return parse_experiment(text, str(path))


def files_in(folder: Path) -> list[Path]:
    """Return the experiment files of a folder by name.

    Raises:
        E2iError: There is no such folder.
    """
    if not folder.is_dir():
        raise E2iError(f"there is no folder of experiments at {folder}: make it, or set E2I_HOME to the project folder")
    return [
        path
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in _ENDINGS and not path.name.startswith(".") and path.is_file()
    ]


def read_folder(folder: Path) -> ExperimentFolder:
    """Read every ``.yaml`` and ``.yml`` file of a folder; a bad one does not hide the good ones.

    Raises:
        E2iError: There is no such folder.
    """
    return read_files(files_in(folder))


def read_files(paths: Iterable[Path], read: Callable[[Path], Experiment] = read_experiment) -> ExperimentFolder:
    """Read these files, each on its own.

    Args:
        paths: Of experiment files.
        read: How one is read.
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
    """Return the folder with files that are not named like their experiment among the invalid ones.

    A registered experiment is looked up by name: nobody should have to open the files to find its own.
    """
    astray = {
        path: ExperimentInvalid(
            f"experiment file {path}",
            [Violation("name", name, f"is not the name of the file: call the file {name}.yaml, or correct the name")],
        )
        for name, path in folder.files.items()
        if path.stem != name
    }
    kept = {name: one for name, one in folder.experiments.items() if folder.files[name] not in astray}
    return replace(folder, experiments=kept, invalid={**folder.invalid, **astray})


def mistakes_by_file(folder: ExperimentFolder) -> dict[str, str]:
    """Return what is wrong with each invalid file, in a line, by the name of the file."""
    return {path.name: ", ".join(str(one) for one in mistakes.violations) for path, mistakes in folder.invalid.items()}
