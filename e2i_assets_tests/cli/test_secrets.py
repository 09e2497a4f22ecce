"""No secret comes out: real runs with passwords that can be recognised, and a look at everything that they leave."""

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import alert_program
import pytest
import sqlalchemy as sa
from sklearn.datasets import load_breast_cancer
from trace_receiver import Receiver
from troubled_server import troubled

from e2i_assets.adapters.postgres.client_programs import client_environment, programs_for
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.services.project import Project

pytestmark = pytest.mark.processes

# What is looked for. In an address it stands between characters that have to be escaped there.
SECRETS = {name: f"recognisable{name}9f3c" for name in ("DATABASE", "SOURCE", "WEBHOOK", "MAIL", "TRACES", "MLFLOW")}
VISITS = """\
name: visits
owner: team:tests
source: {sql: {query: "SELECT * FROM visit ORDER BY id"}}
target: target
problem_type: binary_classification
columns: {drop: [id]}
algorithm: LogisticRegression
hpo: {trials: 2}
"""
BROKEN = VISITS.replace("name: visits", "name: broken").replace("FROM visit ", "FROM nowhere ")


@dataclass
class Place:
    """Somewhere that secrets could have come to, and all that stands there."""

    texts: list[bytes] = field(default_factory=list)

    def holds(self, word: str) -> bool:
        return any(word.encode() in text for text in self.texts)


def account(database: Database, name: str, secret: str, *roles: str) -> str:
    """The address of a new account, whose password has characters that an address must escape."""
    password = f"p/{secret}@%:"
    with database.begin() as connection:
        connection.exec_driver_sql(f"DROP ROLE IF EXISTS {name}")
        connection.exec_driver_sql(f"CREATE ROLE {name} LOGIN PASSWORD '{password.replace('%', '%%')}'")
        for role in roles:
            connection.exec_driver_sql(f"GRANT {role} TO {name}")
    url = sa.make_url(database.url).set(username=name, password=password, drivername="postgresql")
    return url.render_as_string(hide_password=False)


@pytest.fixture
def refusing() -> Iterator[str]:
    """The address of an MLflow server that takes no password."""
    with troubled("refuses") as address:
        yield address


@pytest.fixture
def accounts(project: Project, empty_database: Database) -> Iterator[dict[str, str]]:
    """The project's database and a source, each under an account that is no superuser."""
    load_breast_cancer(as_frame=True).frame.reset_index(names="id").to_sql(
        "visit", sa.create_engine(empty_database.url)
    )
    addresses = {
        "E2I_DATABASE_URL": account(project.database, "planted_owner", SECRETS["DATABASE"], "e2i_owner", "e2i_worker"),
        "E2I_SOURCE_URL": account(empty_database, "planted_source", SECRETS["SOURCE"], "pg_read_all_data"),
    }
    yield addresses
    with project.database.begin() as connection:
        connection.exec_driver_sql("DROP ROLE planted_owner")
        connection.exec_driver_sql("DROP ROLE planted_source")


@contextmanager
def watched() -> Iterator[Place]:
    """Collect the command lines of all processes of this machine."""
    seen: set[bytes] = set()
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(0.02):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.add(path.read_bytes())
                except OSError:
                    continue  # it has ended meanwhile

    looking = threading.Thread(target=look)
    looking.start()
    place = Place()
    try:
        yield place
    finally:
        stop.set()
        looking.join()
        place.texts.extend(seen)


def dumped(database: Database) -> bytes:
    """All tables of the database as text: ours, and the event logs, runs and tags of the others."""
    command = [programs_for(18) / "pg_dump", "--no-owner"]
    with client_environment(database) as environment:
        return subprocess.run(command, env=environment, capture_output=True, check=True).stdout


def telling(environment: dict[str, str]) -> bytes:
    """Have the failed run told, and return what the process says."""
    command = [sys.executable, alert_program.__file__]
    ended = subprocess.run(command, env=environment, capture_output=True, check=False, timeout=60)
    return ended.stdout + ended.stderr


@pytest.mark.parametrize("mlflow", ["here", pytest.param("away", marks=pytest.mark.drill)])
def test_no_secret_stands_in_what_a_run_writes_says_or_shows(
    project: Project, accounts: dict[str, str], receiver: Receiver, refusing: str, mlflow: str
) -> None:
    """One experiment succeeds, one fails, which nobody takes a message of.

    MLflow is the database, or a server that refuses the password; the receiver of traces is then one that is away.
    """
    root = project.settings.root
    for name, text in (("visits", VISITS), ("broken", BROKEN)):
        (root / "experiments" / f"{name}.yaml").write_text(text)
    shutil.copy(Path(__file__).parents[2] / "dagster.yaml", root)
    environment = {
        **os.environ,
        **accounts,
        "E2I_ALERT_WEBHOOK": f"http://127.0.0.1:1/services/{SECRETS['WEBHOOK']}",
        "E2I_ALERT_EMAIL": "ada@example.org",
        "E2I_SMTP_URL": f"smtp://me:{SECRETS['MAIL']}@127.0.0.1:1",
        "E2I_TRACING_ENDPOINT": receiver.url,
        "E2I_TRACING_RECEIVER": "opik",
        "E2I_TRACING_API_KEY": SECRETS["TRACES"],
        "E2I_TRACING_HEADERS": f"x-key={SECRETS['TRACES']}",
        "E2I_TRACING_TRIALS": "1",
    }
    if mlflow == "away":
        environment["E2I_MLFLOW_TRACKING_URI"] = refusing.replace("://", f"://me:{SECRETS['MLFLOW']}@")
        environment["E2I_TRACING_ENDPOINT"] = f"http://me:{SECRETS['TRACES']}@127.0.0.1:1"
    command = [sys.executable, "-m", "e2i_assets.cli.main", "run", "visits", "broken", "--json"]
    with watched() as processes:
        ended = subprocess.run(command, env=environment, capture_output=True, check=False, timeout=170)
        told = [telling(environment), telling({**environment, "E2I_ALERT_WEBHOOK": ""})]
    said = ended.stdout + ended.stderr
    assert ended.returncode == 1, said.decode()  # the broken one
    assert [b"AlertNotSent: the webhook of" in told[0], b"AlertNotSent: the mail server of" in told[1]] == [True, True]
    places = {
        "the command lines": processes,
        "what was said": Place([said, *told]),
        "the database": Place([dumped(project.database)]),
        "the state folder": Place([path.read_bytes() for path in project.settings.state.rglob("*") if path.is_file()]),
        "the traces": Place([span.SerializeToString() for span in receiver.spans]),
    }
    # A search that finds nothing anywhere proves nothing.
    silent = ["the traces"] if mlflow == "away" else []
    assert [name for name, place in places.items() if not place.holds("visits")] == silent
    assert [name for name in ("the database", "what was said") if not places[name].holds("nowhere")] == []
    if mlflow == "away":
        assert places["the database"].holds("spans were not received by")
        assert places["the state folder"].holds("401 Client Error: Unauthorized for url")
    else:
        assert any(header["authorization"] == SECRETS["TRACES"] for header in receiver.headers)
    found = [
        f"{name} in {where}" for where, place in places.items() for name, one in SECRETS.items() if place.holds(one)
    ]
    assert found == []
