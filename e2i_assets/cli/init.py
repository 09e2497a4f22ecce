"""`e2i init`: makes a project folder with a sample experiment, the settings as comments, and a file for `dg`."""

from pathlib import Path

from e2i_assets.adapters.package_data import package_data
from e2i_assets.adapters.settings import EXPERIMENTS_FOLDER
from e2i_assets.cli.console import out
from e2i_assets.core.errors import E2iError
from e2i_assets.core.experiments.schema import json_schema_text

_SAMPLE = f"{EXPERIMENTS_FOLDER}/rand_visits.yaml"
_SETTINGS = ".env.example"
# dg looks for the root module inside the folder, and finds this one; the definitions come from the package.
_DG = f"""\
# For Dagster's command dg (dg dev, dg check defs, dg launch), whose definitions are those of e2i_assets.
directory_type = "project"

[project]
root_module = "{EXPERIMENTS_FOLDER}"
defs_module = "{EXPERIMENTS_FOLDER}"
code_location_name = "e2i_assets"
code_location_target_module = "e2i_assets.definitions"
"""


def init(folder: Path) -> None:
    """Write the files of a new project, and print the next commands.

    Raises:
        E2iError: One of the files exists; nothing is written.
    """
    files = {
        _SAMPLE: package_data(_SAMPLE).read_text(encoding="utf-8"),
        "docs/experiment.schema.json": json_schema_text(),
        _SETTINGS: package_data(_SETTINGS).read_text(encoding="utf-8"),
        "dg.toml": _DG,
    }
    existing = ", ".join(name for name in files if (folder / name).exists())
    if existing:
        raise E2iError(f"{folder.resolve()} has {existing} already, nothing was written: choose another folder")
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        out.print(f"Wrote [green]{path}[/].", highlight=False)
    enter = "" if folder.resolve() == Path.cwd() else f"  cd {folder}\n"
    out.print(f"The sample is on data that come with the program. Next:\n{enter}  e2i run\n  e2i up", highlight=False)
