"""A project that is prepared for a study, and the program that searches it, which tests may kill."""

import os
import subprocess
import sys
from pathlib import Path

import search_program
from prepared_study import Prepared, prepared

from e2i_assets.adapters.files import asset_values
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.repositories.study_rows import TrialRow


class Searched(Prepared):
    """A prepared project whose study is searched by a separate program, which tests kill."""

    def started(self) -> subprocess.Popen[str]:
        """Start the program, and return it when the search begins."""
        address, folder = self.project.database.url, str(self.project.settings.root)
        program = subprocess.Popen(
            [sys.executable, search_program.__file__, address, folder, "cells"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        assert program.stdout is not None
        assert program.stdout.readline() == "searching\n"
        return program


def ready(database: Database, folder: Path, budget: int) -> Searched:
    """Prepare the project for its study."""
    made = prepared(database, folder, f"{{trials: {budget}, workers: 1}}")
    asset_values.write(made.start, made.project.asset_folder("warm_start", "cells"))
    return Searched(made.project, made.rows, made.start)


def finished(trials: list[TrialRow]) -> dict[int, tuple[object, ...]]:
    """Return the trials that ended without a fault, which must not change again."""
    return {
        trial.trial_number: (trial.state, trial.value, dict(trial.params), dict(trial.intermediate_values))
        for trial in trials
        if trial.state in ("COMPLETE", "PRUNED", "FAIL")
    }


def point(trial: TrialRow) -> tuple[object, ...]:
    """Return the sampled configuration."""
    return tuple(sorted(trial.user_attrs["sampled"].items()))
