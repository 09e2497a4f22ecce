"""Where this project stands and what its environment says: read once at the edge, passed on as a value."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from e2i_assets.adapters.addresses import shown_address
from e2i_assets.adapters.postgres.shell_variables import remove_shell_variables
from e2i_assets.core.errors import E2iError

DATABASE_URL = "E2I_DATABASE_URL"
MLFLOW_TRACKING_URI = "E2I_MLFLOW_TRACKING_URI"
MLFLOW_URL = "E2I_MLFLOW_URL"
DAGSTER_URL = "E2I_DAGSTER_URL"
HOME = "E2I_HOME"
STATE = "E2I_STATE"
CORES = "E2I_CORES"
DASK_ADDRESS = "E2I_DASK_ADDRESS"
LEASE_SECONDS = "E2I_LEASE_SECONDS"
AUTOMATION = "E2I_AUTOMATION"
LOOK_SECONDS = "E2I_LOOK_SECONDS"
TIME_ZONE = "E2I_TIME_ZONE"
PICTURES = "E2I_PICTURES"
_LOOK_SECONDS = 30
_DIGITS = 9
_LEASE_SECONDS = 60
# Where `e2i up` serves them when nothing else is asked for.
DAGSTER_HERE, MLFLOW_HERE = "http://127.0.0.1:3000", "http://127.0.0.1:5000"


@dataclass(frozen=True, slots=True)
class Settings:
    """The folders and addresses of one project.

    Attributes:
        root: Folder with ``experiments/`` and ``sql/``.
        state: Folder for everything that can be made again: embedded database, tables, models, logs.
        database_url: A server of one's own, None for the embedded one. Secret.
        mlflow_tracking_uri: An MLflow server of one's own, None for the same database. Secret.
        mlflow_url, dagster_url: Where a person opens the two in a browser: what links lead to.
        cores: Trials at a time of an experiment that does not say how many.
        dask_address: The scheduler of the Dask cluster on which experiments with ``hpo.engine: dask`` are searched.
        lease_seconds: So long a process that searches may be silent before others take over its trials.
        pictures: Whether a study and a training draw their pictures.
        automation: Whether sensors look after the experiments by themselves.
        scan_seconds: Seconds between two looks of a sensor.
        time_zone: The time zone of schedules.
        environment: What the settings were read from: it also has the addresses that ``sql`` sources name. Secret.
    """

    root: Path
    state: Path
    database_url: str | None = field(default=None, repr=False)
    mlflow_tracking_uri: str | None = field(default=None, repr=False)
    mlflow_url: str = MLFLOW_HERE
    dagster_url: str = DAGSTER_HERE
    cores: int = 1
    dask_address: str | None = None
    lease_seconds: float = float(_LEASE_SECONDS)
    pictures: bool = True
    automation: bool = True
    scan_seconds: int = _LOOK_SECONDS
    time_zone: str = "UTC"
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False, compare=False)

    def child_environment(self, database_url: str, **changes: str) -> dict[str, str]:
        """Return the environment of a process that works on this project.

        Args:
            database_url: The database that this process works on, with the rights that it has there.
            changes: Variables that differ from those of this process.
        """
        inherited = dict(self.environment)
        if self.database_url is None:  # the embedded server
            remove_shell_variables(inherited)
        own = {HOME: str(self.root), STATE: str(self.state), DATABASE_URL: database_url}
        return {**inherited, **own, **changes}

    @property
    def experiments(self) -> Path:
        """Where experiment files are looked for."""
        return self.root / "experiments"

    @property
    def sql(self) -> Path:
        """Where the schema is defined."""
        return self.root / "sql"

    @property
    def assets(self) -> Path:
        """Where the values of the assets are kept."""
        return self.state / "assets"

    @property
    def artifacts(self) -> Path:
        """Where MLflow keeps models and figures."""
        return self.state / "mlflow-artifacts"

    @property
    def outbox(self) -> Path:
        """Where trainings wait that MLflow has not taken yet."""
        return self.state / "mlflow-outbox"


def current_settings() -> Settings:
    """Return the settings of this process, which its environment gives; see `from_environment`."""
    return from_environment(os.environ)


def from_environment(environment: Mapping[str, str]) -> Settings:
    """Read the settings.

    Raises:
        E2iError: The project folder has no ``sql/``, or a number or an address is none.
    """
    root = Path(environment.get(HOME) or Path(__file__).parents[2]).resolve()
    if not (root / "sql").is_dir():
        raise E2iError(f"{root} is no project folder, it has no sql/: set {HOME} to the folder of the checkout")
    state = Path(environment.get(STATE) or root / ".e2i")
    mlflow = environment.get(MLFLOW_TRACKING_URI) or None
    # A server of one's own is opened where it is written to, unless a browser has another way.
    server = mlflow if mlflow and mlflow.startswith(("http://", "https://")) else None
    opened = shown_address(MLFLOW_TRACKING_URI, server) if server else MLFLOW_HERE
    return Settings(
        root=root,
        state=state if state.is_absolute() else root / state,
        database_url=environment.get(DATABASE_URL) or None,
        mlflow_tracking_uri=mlflow,
        mlflow_url=shown_address(MLFLOW_URL, environment.get(MLFLOW_URL) or opened),
        dagster_url=shown_address(DAGSTER_URL, environment.get(DAGSTER_URL) or DAGSTER_HERE),
        cores=cores(environment),
        dask_address=environment.get(DASK_ADDRESS) or None,
        lease_seconds=float(count(environment, LEASE_SECONDS, _LEASE_SECONDS)),
        pictures=is_on(environment, PICTURES),
        automation=automation(environment),
        scan_seconds=scan_seconds(environment),
        time_zone=time_zone(environment),
        environment=dict(environment),
    )


def cores(environment: Mapping[str, str]) -> int:
    """Return how many cores this process may use: what the environment says, else what the system allows.

    Raises:
        E2iError: The environment says something else than a whole number above 0.
    """
    if not environment.get(CORES):
        import joblib

        return int(joblib.cpu_count())  # heeds the affinity and the quota of a container
    return count(environment, CORES, 1)


def automation(environment: Mapping[str, str]) -> bool:
    """Return whether sensors look after the experiments of their own accord, which they do unless told not to.

    Raises:
        E2iError: The environment says neither on nor off.
    """
    return is_on(environment, AUTOMATION)


def is_on(environment: Mapping[str, str], name: str) -> bool:
    """Return whether a variable is ``on``, which it is where it is not set.

    Raises:
        E2iError: Its value is neither ``on`` nor ``off``.
    """
    given = environment.get(name, "").strip().lower() or "on"
    if given not in ("on", "off"):
        raise E2iError(f"{name} is {given!r}: it must be on or off")
    return given == "on"


def scan_seconds(environment: Mapping[str, str]) -> int:
    """Return how many seconds lie between two looks of a sensor.

    Raises:
        E2iError: The environment says something else than a whole number above 0.
    """
    return count(environment, LOOK_SECONDS, _LOOK_SECONDS)


def time_zone(environment: Mapping[str, str]) -> str:
    """Return the time zone that schedules go by.

    Raises:
        E2iError: The environment names none.
    """
    given = environment.get(TIME_ZONE) or "UTC"
    try:
        ZoneInfo(given)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # the last: a continent, and what is too long
        raise E2iError(
            f"{TIME_ZONE} is {given!r}: it must be the name of a time zone, such as Europe/Berlin"
        ) from error
    return given


def count(environment: Mapping[str, str], name: str, default: int) -> int:
    """Return the whole number that a variable holds.

    Raises:
        E2iError: It holds something else than a whole number above 0, of nine digits at most.
    """
    given = environment.get(name)
    if not given:
        return default
    # The digits first: Python reads no number of thousands of them.
    if not given.isascii() or not given.isdigit() or len(given) > _DIGITS or int(given) < 1:
        raise E2iError(f"{name} is {given!r}: it must be a whole number, at least 1, of {_DIGITS} digits at most")
    return int(given)
