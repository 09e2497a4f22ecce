"""`e2i report`: where the report of a training is; with a browser at hand, the report itself."""

import webbrowser

from e2i_assets.adapters.files.experiment_files import read_folder
from e2i_assets.adapters.files.report_files import ReportMissing
from e2i_assets.adapters.settings import current_settings
from e2i_assets.cli.console import err
from e2i_assets.core.suggestions import did_you_mean
from e2i_assets.services.report import latest_report


def report(name: str, show: bool) -> None:
    """Print the path of an experiment's latest report, alone on its line so that a script can take it.

    Args:
        name: Of the experiment.
        show: Open it as well.

    Raises:
        ReportMissing: There is none.
        E2iError: There is no such experiment, but one of nearly that name.
    """
    settings = current_settings()
    try:
        path = latest_report(settings, name)
    except ReportMissing:
        folder = read_folder(settings.experiments)
        if name not in folder.experiments and did_you_mean(name, folder.experiments):
            folder.experiment(name)  # raises: a name that was mistyped is the better reason
        raise
    print(path)
    if show and not webbrowser.open(path.as_uri()):
        err.print("[yellow]There is no browser that could be started here:[/] open the file above in yours.")
