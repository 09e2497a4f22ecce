"""`e2i report`: where the report of a training is; with a browser at hand, the report itself."""

import os
import webbrowser

from e2i_assets.adapters.reports import latest_report
from e2i_assets.adapters.settings import from_environment
from e2i_assets.commands.console import err


def report(name: str, show: bool) -> None:
    """Print the path of an experiment's latest report, alone on its line so that a script can take it.

    Args:
        name: Of the experiment.
        show: Open it as well.

    Raises:
        ReportMissing: There is none.
    """
    path = latest_report(from_environment(os.environ), name)
    print(path)
    if show and not webbrowser.open(path.as_uri()):
        err.print("[yellow]There is no browser that could be started here:[/] open the file above in yours.")
