"""Comparisons of experiments for Python programs and notebooks: ``e2i_assets.compare``."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import pandas as pd

from e2i_assets.adapters.current_user import current_user
from e2i_assets.api.experiments import Experiment
from e2i_assets.core.comparison import ModelComparison
from e2i_assets.core.errors import E2iError
from e2i_assets.core.report.comparison import comparison_page, sentences
from e2i_assets.services.compare import compare as compared_models

_TABLES = ("metrics", "segments")


@dataclass(frozen=True, slots=True)
class Comparison:
    """Models on the same test rows. A notebook shows it as a page.

    Attributes:
        found: All results.
    """

    found: ModelComparison

    @property
    def models(self) -> pd.DataFrame:
        """A row for each experiment: what the model is worth and what it costs, see `ComparedModel`."""
        rows = [{key: value for key, value in asdict(one).items() if key not in _TABLES} for one in self.found.models]
        return pd.DataFrame(rows).set_index("experiment")

    @property
    def gains(self) -> pd.DataFrame:
        """A row for each other model: its gain over the first with the paired 95 % interval, see `PairedGain`."""
        rows = [
            {"experiment": name, **({} if gain is None else asdict(gain))} for name, gain in self.found.gains.items()
        ]
        return pd.DataFrame(rows).set_index("experiment")

    @property
    def metrics(self) -> pd.DataFrame:
        """All metrics on test, shape (metrics, experiments)."""
        return pd.DataFrame({one.experiment: dict(one.metrics) for one in self.found.models})

    @property
    def segments(self) -> pd.DataFrame:
        """The compared metric of each segment, shape (segments, experiments)."""
        return pd.DataFrame({one.experiment: dict(one.segments) for one in self.found.models}, dtype=float)

    @property
    def differences(self) -> pd.DataFrame:
        """The settings and parameters that differ, shape (settings, experiments), as text."""
        names = [one.experiment for one in self.found.models]
        return pd.DataFrame(map(dict, self.found.differences), columns=["setting", *names]).set_index("setting")

    def html(self) -> str:
        """Return the page that ``e2i compare --html`` writes."""
        return comparison_page(self.found, datetime.now(UTC))

    def _repr_html_(self) -> str:
        from html import escape

        return f'<iframe srcdoc="{escape(self.html())}" width="100%" height="600"></iframe>'

    def __str__(self) -> str:
        return "\n".join(sentences(self.found))


def compare(first: Experiment, *others: Experiment, metric: str | None = None, user: str | None = None) -> Comparison:
    """Compare the latest models of experiments on their common test rows, like ``e2i compare``.

    This is a use of the test rows, and is recorded.

    Args:
        first: The reference.
        others: One or more experiments of the same project.
        metric: The compared metric; by default the optimised one of the first experiment.
        user: The recorded user; by default ``E2I_USER`` or the account of this process.

    Raises:
        NotComparable: The experiments differ in their test rows or in their question.
        E2iError: They are of different projects, one has no trained model, or the metric does not exist.
    """
    if any(one.project.store != first.project.store for one in others):
        raise E2iError("only experiments of one project can be compared: open them from the same folder")
    user = user or current_user(first.project.settings.environment)
    names = [first.name, *(one.name for one in others)]
    return Comparison(compared_models(first.project, names, user, metric))
