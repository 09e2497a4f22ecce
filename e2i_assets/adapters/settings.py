"""Settings of this project from environment variables: read once at the edge and passed on as a value."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from e2i_assets.adapters.addresses import shown_address
from e2i_assets.adapters.environment_values import cores, count, is_on, key_prefix, time_zone
from e2i_assets.adapters.package_data import package_data
from e2i_assets.adapters.postgres.shell_variables import remove_shell_variables
from e2i_assets.adapters.stores.address import folder_or_address
from e2i_assets.adapters.stores.store import Store, store_of
from e2i_assets.core.errors import E2iError

DATABASE_URL = "E2I_DATABASE_URL"
POOLED_DATABASE_URL = "E2I_POOLED_DATABASE_URL"
MLFLOW_TRACKING_URI = "E2I_MLFLOW_TRACKING_URI"
MLFLOW_URL = "E2I_MLFLOW_URL"
DAGSTER_URL = "E2I_DAGSTER_URL"
HOME = "E2I_HOME"
STATE = "E2I_STATE"
SCRATCH = "E2I_SCRATCH"
DASK_ADDRESS = "E2I_DASK_ADDRESS"
LEASE_SECONDS = "E2I_LEASE_SECONDS"
AUTOMATION = "E2I_AUTOMATION"
SCAN_SECONDS = "E2I_SCAN_SECONDS"
PICTURES = "E2I_PICTURES"
PARTITIONED_CHECKS = "E2I_PARTITIONED_CHECKS"
EXPERIMENTS_FOLDER = "experiments"
_SCAN_SECONDS = 30
_LEASE_SECONDS = 60
# The addresses that `e2i up` uses by default.
DAGSTER_HERE, MLFLOW_HERE = "http://127.0.0.1:3000", "http://127.0.0.1:5000"


@dataclass(frozen=True, slots=True)
class Settings:
    """The folders and addresses of a project.

    Attributes:
        root: The project folder, which has ``experiments/``.
        state: Folder of this machine for everything that can be recreated: embedded database, values, models, logs.
        database_url: Your own PostgreSQL server; None for the embedded one. Secret.
        mlflow_tracking_uri: Your own MLflow server; None for MLflow's tables in the project's PostgreSQL. Secret.
        mlflow_url, dagster_url: Browser addresses of the two, used in links.
        cores: Number of parallel trials, for experiments that set none.
        dask_address: The scheduler of the Dask cluster for experiments with ``hpo.engine: dask``.
        lease_seconds: Seconds without a heartbeat after which other processes take over the trials of a worker.
        pictures: Whether studies and trainings draw their pictures.
        automation: Whether sensors monitor the experiments and request runs.
        scan_seconds: Seconds between two scans of a sensor.
        time_zone: The time zone of schedules.
        partitioned_checks: Whether Dagster has a result of each check for each experiment; otherwise one for all.
        key_prefix: The first parts of the key of each Dagster asset, and folders above the asset values.
        address: Place in object storage of values, models, reports and artifacts; None for the state folder. With an
            address, the state folder has only what other machines do not need: logs, Dagster's home, copies.
        environment: The variables that the settings were read from, including the addresses of ``sql`` sources. Secret.
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
    scan_seconds: int = _SCAN_SECONDS
    time_zone: str = "UTC"
    partitioned_checks: bool = True
    key_prefix: tuple[str, ...] = ()
    address: str | None = None
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False, compare=False)

    def child_environment(self, database_url: str, **changes: str) -> dict[str, str]:
        """Return the environment for a child process that works on this project.

        Args:
            database_url: The database of the child process, with the role that it acts as.
            changes: Variables that differ from those of this process.
        """
        inherited = dict(self.environment)
        if self.database_url is None:  # the embedded server
            remove_shell_variables(inherited)
        own = {HOME: str(self.root), **self.state_variables, DATABASE_URL: database_url}
        return {**inherited, **own, **changes}

    @property
    def state_variables(self) -> dict[str, str]:
        """The environment variables with which another process finds the same state."""
        if self.address is None:
            return {STATE: str(self.state)}
        return {STATE: self.address, SCRATCH: str(self.state)}

    @property
    def store(self) -> Store:
        """The store of values, models, champions, reports and the outbox."""
        return store_of(self.state, self.address)

    @property
    def experiments(self) -> Path:
        """The folder of the experiment files."""
        return self.root / EXPERIMENTS_FOLDER

    @property
    def sql(self) -> Path:
        """The folder of the database migrations, which belong to the program."""
        return package_data("sql")

    def value_key(self, asset: str, experiment: str) -> str:
        """Return the key in the store of an asset's value for an experiment."""
        return "/".join(("assets", *self.key_prefix, asset, experiment))

    @property
    def assets(self) -> Path:
        """The folder of the asset values, without an address."""
        return self.state.joinpath("assets", *self.key_prefix)

    @property
    def artifacts(self) -> str:
        """The address of MLflow's artifacts."""
        if self.address is None:
            return (self.state / "mlflow-artifacts").resolve().as_uri()
        # MLflow knows Azure's stores by the scheme with TLS only.
        return f"{self.address.replace('abfs://', 'abfss://', 1)}/mlflow-artifacts"


def current_settings() -> Settings:
    """Return the settings of this process from its environment; see `from_environment`."""
    return from_environment(os.environ)


def own_database_url() -> str | None:
    """Return the database of this process. Workers of a study need it, and have no project folder."""
    return os.environ.get(DATABASE_URL) or None


def own_pooled_url() -> str | None:
    """Return the address of the pooler of this process; None: its workers connect to the database directly."""
    return os.environ.get(POOLED_DATABASE_URL) or None


def from_environment(environment: Mapping[str, str]) -> Settings:
    """Read the settings from environment variables.

    Raises:
        E2iError: There is no project folder, or a number or an address is invalid.
    """
    root = project_folder(environment)
    state, address = _state(environment, root)
    mlflow = environment.get(MLFLOW_TRACKING_URI) or None
    # Your own MLflow server has the same address in a browser, unless another one is configured.
    server = mlflow if mlflow and mlflow.startswith(("http://", "https://")) else None
    opened = shown_address(MLFLOW_TRACKING_URI, server) if server else MLFLOW_HERE
    return Settings(
        root=root,
        state=state,
        address=address,
        database_url=environment.get(DATABASE_URL) or None,
        mlflow_tracking_uri=mlflow,
        mlflow_url=shown_address(MLFLOW_URL, environment.get(MLFLOW_URL) or opened),
        dagster_url=shown_address(DAGSTER_URL, environment.get(DAGSTER_URL) or DAGSTER_HERE),
        cores=cores(environment),
        dask_address=environment.get(DASK_ADDRESS) or None,
        lease_seconds=float(count(environment, LEASE_SECONDS, _LEASE_SECONDS)),
        pictures=is_on(environment, PICTURES),
        automation=is_on(environment, AUTOMATION),
        scan_seconds=count(environment, SCAN_SECONDS, _SCAN_SECONDS),
        time_zone=time_zone(environment),
        partitioned_checks=is_on(environment, PARTITIONED_CHECKS),
        key_prefix=key_prefix(environment),
        environment=dict(environment),
    )


def _state(environment: Mapping[str, str], root: Path) -> tuple[Path, str | None]:
    """Return the state folder and the address of the values; a relative folder is inside the project folder.

    Raises:
        E2iError: The address cannot be used, or its database would be on this machine alone.
    """
    folder, address = folder_or_address(STATE, environment.get(STATE) or ".e2i")
    if address is None:
        return root / str(folder), None
    if not environment.get(DATABASE_URL):
        raise E2iError(
            f"{STATE} is in object storage, and {DATABASE_URL} is not set: the embedded PostgreSQL would keep one half "
            "of the results on this machine. Set the address of a PostgreSQL that every machine reaches"
        )
    return root / (environment.get(SCRATCH) or ".e2i"), address


def project_folder(environment: Mapping[str, str]) -> Path:
    """Return the configured project folder, otherwise the nearest one at or above the working folder.

    Raises:
        E2iError: The configured folder has no ``experiments/``, or no folder has.
    """
    if given := environment.get(HOME):
        root = Path(given).resolve()
        if not (root / EXPERIMENTS_FOLDER).is_dir():
            raise E2iError(
                f"{root} is not a project folder, it has no {EXPERIMENTS_FOLDER}/: set {HOME} to a folder that has "
                f"one, or make one there with `e2i init {root}`"
            )
        return root
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / EXPERIMENTS_FOLDER).is_dir():
            return folder
    raise E2iError(
        f"there is no project folder: {HOME} is not set, and neither {here} nor a folder above it has "
        f"{EXPERIMENTS_FOLDER}/. `e2i init DIR` makes one"
    )
