"""The scaling of a study with its workers: trials per minute with objectives that sleep, and the limit of PostgreSQL.

Worker processes take trials of one study from our storage, from Optuna's, or from Optuna's behind its gRPC proxy. They
are started once and run every setting in turn, so that all lines are of one run; only ratios between them have a
meaning.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Literal
from uuid import uuid4

import optuna
import psutil
import sqlalchemy as sa

from benchmarks import report
from e2i_assets.adapters.optuna_storage.study_session import joined
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.postgres.embedded_postgres import EmbeddedPostgres
from e2i_assets.adapters.postgres.migrations import migrate
from e2i_assets.adapters.processes.loopback import HOST, free_port
from e2i_assets.adapters.repositories.experiments import ExperimentRepository
from e2i_assets.adapters.repositories.studies import StudyRepository
from e2i_assets.adapters.repositories.study_rows import StudyRow

Kind = Literal["e2i_assets", "Optuna", "Optuna by its proxy"]
KINDS: tuple[Kind, ...] = ("e2i_assets", "Optuna", "Optuna by its proxy")
WORKERS = (1, 2, 4, 8)
PARAMETERS, REPORTS = 5, 1
NO_LIMIT = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Task:
    """A task of a worker: a number of trials of a study, each sleeping for some seconds, directly or by the pooler."""

    kind: Kind
    study_name: str
    study_id: str
    trials: int
    sleep: float
    seed: int
    pooled: bool = False


@dataclass(frozen=True, slots=True)
class Figures:
    """The results of a setting: trials per second; CPU seconds, statements and transactions per trial."""

    rate: float
    worker_cpu: float
    server_cpu: float
    statements: float
    transactions: float


class Worker:
    """A worker process and the pipes to it."""

    def __init__(self, url: str, proxy: int) -> None:
        command = [sys.executable, "-m", "benchmarks.scaling", "--worker", str(proxy)]
        # The URL of the database must not appear in the list of processes.
        environment = {**os.environ, "SCALING_DATABASE_URL": url}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def ask(self, task: Task | str) -> None:
        assert self.process.stdin is not None
        print(task if isinstance(task, str) else json.dumps(asdict(task)), file=self.process.stdin, flush=True)

    def answer(self) -> dict[str, float]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("a worker died")
        found: dict[str, float] = json.loads(line)
        return found


def serve_worker(proxy: int) -> None:
    """Read tasks from standard input: prepare, print a line, start after the next line, and print the result."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    direct = Database(os.environ["SCALING_DATABASE_URL"])
    pooled = Database(direct.url, os.environ.get("SCALING_POOLED_URL"))
    statements = 0

    @sa.event.listens_for(sa.Engine, "before_cursor_execute")
    def count(*given: object) -> None:
        nonlocal statements
        statements += 1

    for line in sys.stdin:
        task = Task(**json.loads(line))
        database = pooled if task.pooled else direct
        with opened(database, task, proxy) as storage:
            sampler = optuna.samplers.RandomSampler(seed=task.seed)
            study = optuna.load_study(study_name=task.study_name, storage=storage, sampler=sampler)
            print("{}", flush=True)
            sys.stdin.readline()
            before, cpu = statements, time.process_time()
            study.optimize(partial(objective, sleep=task.sleep), n_trials=task.trials)
            done = {"cpu": time.process_time() - cpu, "statements": statements - before}
        database.dispose()  # the next task may connect in another way
        print(json.dumps(done), flush=True)


def objective(trial: optuna.Trial, sleep: float) -> float:
    """Sample the parameters, report and sleep."""
    values = [trial.suggest_float(f"x{number}", 0, 1) for number in range(PARAMETERS)]
    for step in range(REPORTS):
        trial.report(sum(values), step)
    time.sleep(sleep)
    return sum(values)


@contextmanager
def opened(database: Database, task: Task, proxy: int) -> Iterator[optuna.storages.BaseStorage]:
    """Open the storage of a task as in production."""
    if task.kind == "e2i_assets":
        with joined(database, task.study_id, NO_LIMIT, lease=60.0) as member:
            yield member.storage
    elif task.kind == "Optuna":
        storage = optuna.storages.RDBStorage(database.url_for("optuna"), engine_kwargs={"pool_size": 2})
        yield storage
        storage.engine.dispose()
    else:
        yield optuna.storages.GrpcStorageProxy(host=HOST, port=proxy)


def made_study(database: Database, kind: Kind) -> tuple[str, str]:
    """Create a study and return its name and its id in our tables."""
    name = f"{kind} {uuid4().hex}"
    theirs = optuna.storages.RDBStorage(database.url_for("optuna"))
    optuna.create_study(study_name=name, storage=theirs, direction="maximize")
    theirs.engine.dispose()
    if kind != "e2i_assets":
        return name, ""
    row = StudyRow(
        study_name=name,
        spec_hash=name,
        experiment_id=ExperimentRepository(database).register("scaling", {"target": "y"}),
        split_id=None,
        data_hash="none",
        algorithm_name="none",
        problem_type="regression",
        sampler_name="random",
        pruner_name="none",
        metric="r2",
        seed=1,
        search_space={},
        fixed_params={},
        n_trials=NO_LIMIT,
    )
    return name, StudyRepository(database).start(row)


def measured(
    database: Database,
    server: psutil.Process,
    workers: Sequence[Worker],
    kind: Kind,
    trials: int,
    sleep: float,
    studies: int = 1,
    pooled: bool = False,
) -> Figures:
    """Let these workers run this number of trials each, and return the figures."""
    made = [made_study(database, kind) for _ in range(studies)]
    for number, worker in enumerate(workers):
        worker.ask(Task(kind, *made[number % studies], trials, sleep, seed=number, pooled=pooled))
    for worker in workers:
        worker.answer()
    transactions, cpu = committed(database), cpu_seconds(server)
    began = time.perf_counter()
    for worker in workers:
        worker.ask("go")
    answers = [worker.answer() for worker in workers]
    seconds = time.perf_counter() - began
    total = trials * len(workers)
    print(
        f"{kind}, {len(workers)} workers, {studies} studies, {sleep:g} s: {total / seconds:.2f} trials / s",
        file=sys.stderr,
    )
    return Figures(
        rate=total / seconds,
        worker_cpu=sum(one["cpu"] for one in answers) / total,
        server_cpu=(cpu_seconds(server) - cpu) / total,
        statements=sum(one["statements"] for one in answers) / total,
        transactions=(committed(database) - transactions) / total,
    )


def committed(database: Database) -> int:
    """Return the number of committed transactions in this database."""
    time.sleep(1.1)  # the server updates its counters once a second
    with database.connect() as connection:
        asked = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
        return int(connection.execute(sa.text(asked)).scalar_one())


def cpu_seconds(server: psutil.Process) -> float:
    """Return the CPU time of a server: of its living processes, and of those that have ended."""
    total = sum(server.cpu_times()[:4])
    for child in server.children():
        with suppress(psutil.NoSuchProcess):
            total += sum(child.cpu_times()[:2])
    return float(total)


def scaling_lines(
    database: Database, server: psutil.Process, workers: Sequence[Worker], sleep: float, seconds: float
) -> list[list[object]]:
    """Return a line for each storage and number of workers, with the efficiency relative to one worker."""
    trials = max(3, math.ceil(seconds / sleep))
    found: dict[tuple[Kind, int], Figures] = {}
    for count in WORKERS:
        for kind in KINDS:
            found[kind, count] = measured(database, server, workers[:count], kind, trials, sleep)
    return [
        [
            kind,
            count,
            60 * one.rate,
            one.rate / found[kind, 1].rate / count,
            count * one.rate**-1 * 1e3 - 1e3 * sleep,
            1e3 * one.worker_cpu,
            1e3 * one.server_cpu,
            one.statements if kind != KINDS[2] else "in the proxy",
            one.transactions,
        ]
        for (kind, count), one in sorted(found.items(), key=lambda item: (KINDS.index(item[0][0]), item[0][1]))
    ]


def limit_lines(
    database: Database, server: psutil.Process, workers: Sequence[Worker], trials: int
) -> list[list[object]]:
    """Return a line for each storage and number of workers with an objective that takes no time."""
    lines: list[list[object]] = []
    for kind in KINDS:
        settings = [(count, 1) for count in WORKERS] + ([(8, 8)] if kind == "e2i_assets" else [])
        for count, studies in settings:
            one = measured(database, server, workers[:count], kind, max(5, trials // count), 0.0, studies)
            busy = one.rate * (one.worker_cpu + one.server_cpu)
            lines.append([kind, count, studies, one.rate, 1e3 * one.worker_cpu, 1e3 * one.server_cpu, busy])
    return lines


@contextmanager
def cast(database: Database) -> Iterator[list[Worker]]:
    """Start the proxy and the workers; they end with the block."""
    port = free_port()
    environment = {**os.environ, "SCALING_DATABASE_URL": database.url}
    command = [sys.executable, "-m", "benchmarks.scaling", "--proxy", str(port)]
    with ExitStack() as stack:
        proxy = subprocess.Popen(command, env=environment)
        stack.callback(proxy.wait)
        stack.callback(proxy.kill)
        optuna.storages.GrpcStorageProxy(host=HOST, port=port).wait_server_ready(timeout=120)
        workers = [Worker(database.url, port) for _ in range(max(WORKERS))]
        for worker in workers:
            stack.callback(worker.process.wait)
            stack.callback(worker.process.kill)
        yield workers


def serve_proxy(port: int) -> None:
    """Serve Optuna's gRPC proxy."""
    database = Database(os.environ["SCALING_DATABASE_URL"])
    pool = {"pool_size": 10, "max_overflow": 10}
    storage = optuna.storages.RDBStorage(database.url_for("optuna"), engine_kwargs=pool)
    optuna.storages.run_grpc_proxy_server(storage, host=HOST, port=port)


def postmaster(folder: Path) -> psutil.Process:
    """Return the postmaster of the server."""
    return psutil.Process(int(next(folder.rglob("postmaster.pid")).read_text().split()[0]))


def main() -> None:
    """Measure and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each setting with a sleeping objective")
    parser.add_argument("--sleeps", type=float, nargs="+", default=[0.5, 2.0])
    parser.add_argument("--trials", type=int, default=400, help="of each setting whose objective takes no time")
    parser.add_argument("--out", type=Path, default=report.RESULTS / "scaling.md")
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--proxy", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # the proxy, as Optuna documents it
    if options.worker:
        return serve_worker(options.worker)
    if options.proxy:
        return serve_proxy(options.proxy)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    machine = report.machine("optuna", "sqlalchemy", "psycopg2-binary")
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        Path(folder).chmod(0o755)
        database = Database(stack.enter_context(EmbeddedPostgres(Path(folder) / "postgres").hold()).url)
        migrate(database, Path("sql"))
        server = postmaster(Path(folder))
        workers = stack.enter_context(cast(database))
        limits = limit_lines(database, server, workers, options.trials)
        sleeping = [
            (sleep, scaling_lines(database, server, workers, sleep, options.seconds)) for sleep in options.sleeps
        ]
        database.dispose()
    columns = ["storage", "workers", "trials / min", "efficiency", "ms a trial beside its sleep", "CPU ms, worker"]
    columns += ["CPU ms, server", "statements a trial", "transactions a trial"]
    tables = [
        report.Table(
            f"An objective that sleeps {sleep:g} s ({PARAMETERS} parameters, {REPORTS} report, random sampler)",
            columns,
            lines,
            "Efficiency: trials a minute relative to one worker times the number of workers, in the same run.",
        )
        for sleep, lines in sleeping
    ]
    tables.append(
        report.Table(
            "The limit: an objective that takes no time",
            ["storage", "workers", "studies", "trials / s", "CPU ms, worker", "CPU ms, server", "cores busy"],
            limits,
            "Cores busy: CPU of workers and server over wall clock. Near the number of cores of the machine, the "
            "cores are the limit and not the lock of the study; each study has its own lock. The CPU of the "
            "proxy is in neither.",
        )
    )
    command = f".venv/bin/python -m benchmarks.scaling --seconds {options.seconds:g} --trials {options.trials}"
    report.write(options.out, "One study with many workers", machine, tables, command)


if __name__ == "__main__":
    main()
