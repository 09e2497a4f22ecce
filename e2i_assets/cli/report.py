"""`e2i report`: prints the path of a training report, and opens it in a browser."""

import webbrowser

from e2i_assets.adapters.files.experiment_files import read_folder
from e2i_assets.adapters.files.report_files import ReportMissing
from e2i_assets.adapters.settings import current_settings
from e2i_assets.cli.console import err
from e2i_assets.core.suggestions import did_you_mean
from e2i_assets.services.write_report import latest_report


def report(name: str, show: bool) -> None:
    """Print the path of an experiment's latest report on a line of its own, for use in scripts.

    Args:
        name: Name of the experiment.
        show: Whether to open the report in a browser.

    Raises:
        ReportMissing: There is no report.
        E2iError: The experiment does not exist, but one with a similar name does.
    """
    settings = current_settings()
    try:
        path = latest_report(settings, name)
    except ReportMissing:
        folder = read_folder(settings.experiments)
        if name not in folder.experiments and did_you_mean(name, folder.experiments):
            folder.experiment(name)  # raises: a mistyped name is the more likely cause
        raise
    print(path)
    if show and not webbrowser.open(path.as_uri()):
        err.print("[yellow]No browser could be started:[/] open the file above yourself.")
