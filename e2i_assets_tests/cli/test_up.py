"""`e2i up` and its embedded server: every program answers, and no process is left after any end."""

import base64
import http.client
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit
from uuid import uuid4

import psutil
import pytest
import sqlalchemy as sa
from quiet_port import quiet_port
from sqlalchemy.pool import NullPool

from e2i_assets.adapters.postgres.address import libpq_url
from e2i_assets.adapters.postgres.binaries import client_program
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.postgres.embedded_postgres import EmbeddedPostgres
from e2i_assets.adapters.postgres.roles import grant_roles
from e2i_assets.adapters.processes.loopback import HOST

REPOSITORY = Path(__file__).parents[2]
DAEMONS = "{instance{daemonHealth{allDaemonStatuses{daemonType healthy}}}}"
PARTITIONS = '{assetNodeOrError(assetKey:{path:["dataset"]}){... on AssetNode{partitionKeys}}}'
PROGRAMS = ("cli.mlflow_pages", "cli.dagster_ui", "dagster._daemon", "optuna_dashboard", "postgres/supervisor")

pytestmark = [pytest.mark.processes, pytest.mark.timeout(400)]


@dataclass(frozen=True, slots=True)
class Project:
    """The repository with a separate state folder; its processes are found by their environment."""

    state: Path

    @property
    def environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("E2I_")}
        # These tests are about the programs: the shipped experiments are not trained.
        return {
            **inherited,
            "E2I_STATE": str(self.state),
            "E2I_AUTOMATION": "off",
            "COLUMNS": "200",
            "PYTHONUNBUFFERED": "1",
        }

    def e2i(self, *words: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "e2i_assets.cli.main", *words]
        return subprocess.Popen(
            command, cwd=REPOSITORY, env=self.environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def run(self, *words: str) -> tuple[int, str, str]:
        process = self.e2i(*words)
        stdout, stderr = process.communicate(timeout=180)
        return process.returncode, stdout, stderr

    def processes(self) -> list[str]:
        """Return the processes of this project: PostgreSQL names the folder, the others have it in the environment."""
        return [words for _, words in self._running()]

    def addresses(self) -> set[str]:
        """Return the local addresses at which processes of this project listen or receive datagrams."""
        found = set()
        for process, _ in self._running():
            with suppress(psutil.NoSuchProcess):
                inet = process.net_connections("inet")
                found |= {str(one.laddr.ip) for one in inet if one.status in (psutil.CONN_LISTEN, psutil.CONN_NONE)}
        return found

    def _running(self) -> list[tuple[psutil.Process, str]]:
        found = []
        for process in psutil.process_iter():
            try:
                if process.status() == psutil.STATUS_ZOMBIE:
                    continue
                words = " ".join(process.cmdline())
                if str(self.state) in words or process.environ().get("E2I_STATE") == str(self.state):
                    found.append((process, words))
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        return found

    def nothing_left(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self.processes():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True


class Up:
    """`e2i up` with its output read line by line; it is killed if a test ends early."""

    def __init__(self, project: Project) -> None:
        self.taken = socket.socket()
        self.taken.bind((HOST, quiet_port()))
        self.taken.listen()
        self.wanted = {
            "--port": self.taken.getsockname()[1],
            "--mlflow-port": quiet_port(),
            "--optuna-port": quiet_port(),
        }
        words = [str(word) for option in self.wanted.items() for word in option]
        self.process = project.e2i("up", *words)
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join(20)
        for stream in (self.process.stdout, self.process.stderr, self.taken):
            assert stream is not None
            stream.close()

    def wait_for(self, words: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not any(words in line for line in self.lines):
            assert self.process.poll() is None, self._why()
            assert time.monotonic() < deadline, "\n".join(self.lines)
            time.sleep(0.1)

    def _why(self) -> str:
        """Return its output before it ended."""
        self._reader.join(5)
        assert self.process.stderr is not None
        return "\n".join([*self.lines, self.process.stderr.read()])

    def address(self, title: str) -> str:
        (found,) = [match[1] for line in self.lines if (match := re.match(rf"{title} +(http\S+)", line))]
        return found

    def ended(self) -> int:
        status = self.process.wait(15)
        self._reader.join(5)
        return status


def fetched(address: str, query: str | None = None) -> str:
    body = json.dumps({"query": query}).encode() if query else None
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(request, timeout=60) as answer:
        return str(answer.read().decode())


def refused(address: str, headers: dict[str, str], body: bytes | None = None) -> int:
    """Return the status of a response that is an error."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with pytest.raises(urllib.error.HTTPError) as raised:
        direct.open(urllib.request.Request(address, body, headers), timeout=60)
    with raised.value as answer:
        return answer.code


def websocket_status(address: str, origin: str) -> int:
    """Return the status of the answer to a page of an origin that opens Dagster's websocket."""
    host, port = str(urlsplit(address).hostname), urlsplit(address).port
    connection = http.client.HTTPConnection(host, port, timeout=60)
    key = base64.b64encode(os.urandom(16)).decode()
    headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key}
    with closing(connection):
        connection.request("GET", "/graphql", headers={**headers, "Origin": origin})
        return connection.getresponse().status


def frames(address: str) -> list[str] | None:
    """Return which pages may show a page in a frame."""
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(address, timeout=60) as answer:
        found: list[str] | None = answer.headers.get_all("X-Frame-Options")
        return found


@pytest.fixture(scope="module")
def project(server: Database, template: str) -> Iterator[Project]:
    """A project whose embedded server has its tables already, because migrations are slow."""
    # Not in pytest's own temporary folder: root's is closed to the account that the server runs as.
    folder = Path(tempfile.mkdtemp(prefix="e2i-up-"))
    folder.chmod(0o755)
    made = Project(folder / "state")
    with EmbeddedPostgres(made.state / "postgres").hold() as embedded:
        copy_tables(server, template, Database(embedded.url))
    yield made
    shutil.rmtree(folder)


def copy_tables(server: Database, template: str, target: Database) -> None:
    name = f"copy_{uuid4().hex[:12]}"
    engine = sa.create_engine(server.url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {template}")
        source = sa.make_url(server.url).set(drivername="postgresql", database=name)
        dump = [
            client_program("pg_dump"),
            "--no-owner",
            "--no-privileges",
            source.render_as_string(hide_password=False),
        ]
        tables = subprocess.run(dump, capture_output=True, check=True).stdout
        connection.exec_driver_sql(f"DROP DATABASE {name}")
    restore = [client_program("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", libpq_url(target.url)]
    subprocess.run(restore, input=tables, stdout=subprocess.DEVNULL, check=True)
    assert grant_roles(target)


def test_the_address_of_the_embedded_server_says_how_to_keep_it_running(project: Project) -> None:
    status, stdout, stderr = project.run("db", "url", "--export")
    assert status == 0
    word, setting = shlex.split(stdout)  # as a shell reads it
    assert word == "export"
    assert re.fullmatch(r"E2I_DATABASE_URL=postgresql\+psycopg2://\S+", setting)
    assert "e2i db serve" in stderr


def test_every_program_answers_until_ctrl_c_and_no_process_is_left(project: Project) -> None:
    with Up(project) as up:
        up.wait_for("All services are ready", 250)
        (news,) = [line for line in up.lines if "is in use" in line]
        assert f"Port {up.wanted['--port']} is in use: Dagster uses port " in news
        assert up.address("Dagster").rpartition(":")[2] == news.rstrip(".").split()[-1]
        assert any(re.match("Dagster's daemon +running", line) for line in up.lines)
        assert fetched(f"{up.address('MLflow')}/health") == "OK"
        assert "experiments" in fetched(f"{up.address('MLflow')}/api/2.0/mlflow/experiments/search?max_results=5")
        assert "study_summaries" in fetched(f"{up.address('Optuna dashboard')}/api/studies")
        dagster = f"{up.address('Dagster')}/graphql"
        daemons = json.loads(fetched(dagster, DAEMONS))["data"]["instance"]["daemonHealth"]["allDaemonStatuses"]
        assert {one["daemonType"] for one in daemons if one["healthy"]} >= {"SENSOR", "QUEUED_RUN_COORDINATOR"}
        known = json.loads(fetched(dagster, PARTITIONS))["data"]["assetNodeOrError"]["partitionKeys"]
        assert {"rand_inpatient", "rand_visits"} <= set(known)
        password = (project.state / "postgres" / "password").read_text()
        assert not any(password in words for words in project.processes())
        assert project.addresses() == {HOST}
        # Any page in a local browser can reach loopback, and Dagster accepts mutations in links.
        link = f"{dagster}?query=mutation%7BsetNuxSeen%7D"
        for address in (link, f"{up.address('Optuna dashboard')}/api/studies"):
            assert refused(address, {"Host": "rebound.example.org"}) == 403
        assert refused(link, {"Sec-Fetch-Site": "cross-site"}) == 403
        assert refused(link, {}) == 403
        assert refused(link.replace("graphql", "%67raphql"), {}) == 403
        assert refused(link, {"Origin": "https://elsewhere.example.org", "Content-Type": "text/plain"}, b"{}") == 403
        report = f"{up.address('Dagster')}/report_asset_materialization/dataset"
        assert refused(report, {"Sec-Fetch-Site": "cross-site"}, b"{}") == 403
        own = up.address("Dagster")
        origins = (own, "https://elsewhere.example.org", "null", own.replace("127.0.0.1", "rebound.example.org"))
        assert [websocket_status(own, origin) for origin in origins] == [101, 403, 403, 403]
        for address in (f"{own}/runs", f"{up.address('Optuna dashboard')}/dashboard"):
            assert frames(address) == ["SAMEORIGIN"]
        up.process.send_signal(signal.SIGINT)
        assert up.ended() == 0
        assert up.lines[-1] == "All services are stopped."
        assert project.nothing_left(5)


def test_a_killed_e2i_up_leaves_no_process_and_the_next_start_works(project: Project) -> None:
    with Up(project) as up:
        up.wait_for("Starting", 60)
        while not all(any(part in words for words in project.processes()) for part in PROGRAMS):
            assert up.process.poll() is None, up.lines
            time.sleep(0.1)
        up.process.kill()
        assert up.ended() == -signal.SIGKILL
        assert project.nothing_left(10)
    with Up(project) as again:
        again.wait_for("Starting", 60)
        # A polite end at any moment is one as well.
        again.process.send_signal(signal.SIGTERM)
        assert again.ended() == 0
        assert project.nothing_left(5)


def test_serve_keeps_the_server_running_until_it_is_stopped(project: Project) -> None:
    serving = project.e2i("db", "serve")
    assert serving.stdout is not None
    assert serving.stdout.readline().startswith("PostgreSQL postgresql://e2i:***@127.0.0.1")
    with EmbeddedPostgres(project.state / "postgres").hold() as hold:
        port = hold.url.rpartition(":")[2]
    time.sleep(0.5)
    with socket.create_connection((HOST, int(port.partition("/")[0]))):
        serving.terminate()
    serving.communicate(timeout=10)
    assert serving.returncode == 0
    assert project.nothing_left(10)
