"""No secret leaks: real runs with recognisable passwords, and a search of all their outputs."""

import os
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

# The secrets. In an address they stand between characters that must be escaped.
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
    """A place that secrets could leak to, and its texts."""

    texts: list[bytes] = field(default_factory=list)

    def contains(self, word: str) -> bool:
        return any(word.encode() in text for text in self.texts)


def account(database: Database, name: str, secret: str, *roles: str) -> str:
    """Return the address of a new account whose password has characters that an address must escape."""
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
def all_command_lines() -> Iterator[Place]:
    """Collect the command lines of all processes of this machine."""
    lines: set[bytes] = set()
    stop = threading.Event()

    def collect() -> None:
        while not stop.wait(0.02):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    lines.add(path.read_bytes())
                except OSError:
                    continue  # the process has ended

    collector = threading.Thread(target=collect)
    collector.start()
    place = Place()
    try:
        yield place
    finally:
        stop.set()
        collector.join()
        place.texts.extend(lines)


def dumped(database: Database) -> bytes:
    """Return all tables of the database as text, those of Dagster, Optuna and MLflow included."""
    command = [programs_for(18) / "pg_dump", "--no-owner"]
    with client_environment(database) as environment:
        return subprocess.run(command, env=environment, capture_output=True, check=True).stdout


def send_alert(environment: dict[str, str]) -> bytes:
    """Send the alert of the failed run, and return the output of the process."""
    command = [sys.executable, alert_program.__file__]
    ended = subprocess.run(command, env=environment, capture_output=True, check=False, timeout=60)
    return ended.stdout + ended.stderr


@pytest.mark.parametrize("mlflow", ["here", pytest.param("away", marks=pytest.mark.drill)])
def test_no_output_of_a_run_contains_a_secret(
    project: Project, accounts: dict[str, str], receiver: Receiver, refusing: str, mlflow: str
) -> None:
    """One experiment succeeds and one fails, and no receiver accepts the alert.

    MLflow is the database, or a server that refuses the password and a trace receiver that does not answer.
    """
    root = project.settings.root
    for name, text in (("visits", VISITS), ("broken", BROKEN)):
        (root / "experiments" / f"{name}.yaml").write_text(text)
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
    with all_command_lines() as processes:
        ended = subprocess.run(command, env=environment, capture_output=True, check=False, timeout=170)
        alerts = [send_alert(environment), send_alert({**environment, "E2I_ALERT_WEBHOOK": ""})]
    output = ended.stdout + ended.stderr
    assert ended.returncode == 1, output.decode()  # the broken one
    assert [b"AlertNotSent: the webhook of" in alerts[0], b"AlertNotSent: the mail server of" in alerts[1]] == [
        True,
        True,
    ]
    places = {
        "the command lines": processes,
        "the output": Place([output, *alerts]),
        "the database": Place([dumped(project.database)]),
        "the state folder": Place([path.read_bytes() for path in project.settings.state.rglob("*") if path.is_file()]),
        "the traces": Place([span.SerializeToString() for span in receiver.spans]),
    }
    # The search itself works: words that must be there are found.
    without = ["the traces"] if mlflow == "away" else []
    assert [name for name, place in places.items() if not place.contains("visits")] == without
    assert [name for name in ("the database", "the output") if not places[name].contains("nowhere")] == []
    if mlflow == "away":
        assert places["the database"].contains("spans were not received by")
        assert places["the state folder"].contains("401 Client Error: Unauthorized for url")
    else:
        assert any(header["authorization"] == SECRETS["TRACES"] for header in receiver.headers)
    found = [
        f"{name} in {where}" for where, place in places.items() for name, one in SECRETS.items() if place.contains(one)
    ]
    assert found == []
