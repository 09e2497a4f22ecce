"""One experiment for Python programs and notebooks: run it, read its report and its trials, and use its model."""

from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from e2i_assets.api.running import RunResult, run
from e2i_assets.core.data.split_tables import SplitFacts
from e2i_assets.core.errors import E2iError
from e2i_assets.core.fitting.averaged_model import Model
from e2i_assets.core.metrics import metric
from e2i_assets.core.search.tuning import spec_hash
from e2i_assets.services.predict import champion_of, predict_frame
from e2i_assets.services.project import Project
from e2i_assets.services.stored_model import promoted_model
from e2i_assets.services.write_report import latest_report

_OF_TRIALS = ("state", "origin", "duration_seconds", "datetime_start", "datetime_complete", "error_message", "worker")


@dataclass(frozen=True, slots=True)
class Experiment:
    """An experiment of an open project; made by ``Project.experiment``.

    Attributes:
        project: The project as the services take it.
        name: Its name.
    """

    project: Project
    name: str

    def run(self, progress: bool | None = None) -> RunResult:
        """Tune, train and check, like ``e2i run NAME``: a process of its own, which ends with this one.

        Finished work is not repeated. An interruption (Ctrl-C, or that of a notebook) ends the process in order; the
        next call resumes.

        Args:
            progress: Whether to show a line with the asset, the trial and the best value on the standard error. None:
                on a terminal and in a notebook.

        Raises:
            RunFailed: The run failed. Its message is the error, and names the log.
            ExperimentInvalid: The experiment file is not valid.
        """
        self.project.current_experiment(self.name)
        return run(self.project, self.name, progress)

    def report(self) -> Path:
        """Return the path of the report of the latest training, a self-contained HTML file.

        Raises:
            ReportMissing: There is no trained model yet.
        """
        return latest_report(self.project.settings, self.name)

    def model(self) -> Model:
        """Return the champion: ``predict``, ``predict_proba``, ``classes_`` and ``feature_names_in_``.

        It takes tables in the types of the train rows. `predict` of this class also reads cells as the experiment file
        declares them.

        Raises:
            NoChampion: No model is in use.
        """
        champion = champion_of(self.project, self.name)
        return promoted_model(self.project, self.name, champion.challenger_key)

    def predict(self, frame: pd.DataFrame, explain: bool = False) -> pd.DataFrame:
        """Score rows with the champion, like ``e2i predict``.

        Args:
            frame: The rows, shape (n, columns), without the target; it is not changed. Other columns are ignored.
            explain: Whether to add the three largest reasons of each prediction and their effects: log-odds (of the
                positive class of two, otherwise of the predicted one), or the unit of the target.

        Returns:
            n rows with the index of ``frame``: the keys of the experiment, or the number of the row; ``prediction``, a
            label at the threshold of the model or a value in the unit of the target; ``probability_LABEL`` for each
            class; the reasons; and the version, study and training of the model. ``attrs`` has ``unseen``, the rows of
            each category that the model does not know, and ``not_used``, the columns that nothing uses.

        Raises:
            NoChampion: No model is in use.
            NotExplained: The algorithm of the model gives no reasons.
            DataInvalid: A column is missing, or a cell has another type than in the train rows.
            E2iError: There are no rows.
        """
        return predict_frame(self.project, self.name, frame, explain)

    def trials(self) -> pd.DataFrame:
        """Return the trials of the study of the current rows and settings, also while it runs.

        If the experiment compares algorithms, they are those of the chosen one, after the search.

        Returns:
            One row a trial, indexed by its number. ``value`` is the metric of the experiment on the rows that the
            search evaluates, in its natural orientation (lower is better for an error); None for a trial that did not
            complete. ``params_NAME`` are the parameters of the fit, ``values_NAME`` the objectives if there are
            several. Times are in UTC, durations in seconds.

        Raises:
            NoStudy: The current rows and settings have not been searched.
        """
        self.project.current_experiment(self.name)
        experiment = self.project.decided_experiment(self.name)
        facts: SplitFacts = self.project.read(SplitFacts, "validation_splits", self.name)
        study = self.project.studies.by_spec_hash(spec_hash(experiment, facts))
        if study is None:
            raise NoStudy(f"the current rows and settings of {self.name} have no study: `.run()` starts one")
        natural = metric(study.metric, experiment.problem_type).oriented
        rows = [
            {
                "number": one.trial_number,
                "value": None if one.value is None else natural(one.value),
                **{name: value for name, value in asdict(one).items() if name in _OF_TRIALS},
                **{f"params_{name}": value for name, value in one.params.items()},
                **{f"values_{name}": value for name, value in one.objective_values.items()},
            }
            for one in self.project.studies.trials(study.id)
        ]
        return pd.DataFrame(rows, columns=None if rows else ["number", "value", *_OF_TRIALS]).set_index("number")


class NoStudy(E2iError):
    """The current rows and settings have not been searched."""
