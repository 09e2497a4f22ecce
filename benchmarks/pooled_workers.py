"""Many workers on one study with and without PgBouncer in transaction mode: trials a minute, and connections."""

import argparse
import json
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path

import optuna
import sqlalchemy as sa

from benchmarks import report
from benchmarks.pgbouncer import pooled
from benchmarks.scaling import Task, Worker, measured, postmaster, serve_worker
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.postgres.embedded_postgres import EmbeddedPostgres
from e2i_assets.adapters.postgres.migrations import migrate

_CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"


class ForkedWorker(Worker):
    """A worker that is forked: importing everything in each of 32 processes would take two cores for a minute."""

    def __init__(self) -> None:
        tasks, self.writes = os.pipe()
        self.reads, answers = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.writes)
            sys.stdin, sys.stdout = os.fdopen(tasks), os.fdopen(answers, "w")
            serve_worker(0)
            os._exit(0)
        os.close(tasks)
        os.close(answers)
        self.tasks, self.answers = os.fdopen(self.writes, "w"), os.fdopen(self.reads)

    def ask(self, task: Task | str) -> None:
        print(task if isinstance(task, str) else json.dumps(asdict(task)), file=self.tasks, flush=True)

    def answer(self) -> dict[str, float]:
        line = self.answers.readline()
        if not line:
            raise SystemExit("a worker died")
        found: dict[str, float] = json.loads(line)
        return found

    def end(self) -> None:
        """Kill the process; it holds the server otherwise."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


@contextmanager
def most_connections(database: Database) -> Iterator[list[int]]:
    """Count the connections four times a second; the list has the largest number at the end of the block."""
    most, ended = [0], threading.Event()

    def count() -> None:
        with database.session() as connection:
            while not ended.wait(0.25):
                most[0] = max(most[0], connection.execute(sa.text(_CONNECTIONS)).scalar_one())

    thread = threading.Thread(target=count)
    thread.start()
    try:
        yield most
    finally:
        ended.set()
        thread.join()


def main() -> None:
    """Measure and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=32)
    parser.add_argument("--size", type=int, default=4, help="connections of PgBouncer to the server")
    parser.add_argument("--sleep", type=float, default=2.0)
    parser.add_argument("--trials", type=int, default=10, help="of each worker")
    parser.add_argument("--out", type=Path, default=report.RESULTS / "pooled_workers.md")
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    machine = report.machine("optuna", "sqlalchemy", "psycopg2-binary")
    lines: list[list[object]] = []
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        Path(folder).chmod(0o755)
        place = Path(folder) / "postgres"
        server = EmbeddedPostgres(place, {"max_connections": "250"}).hold()
        database = Database(stack.enter_context(server).url)
        migrate(database, Path("sql"))
        by_pool = stack.enter_context(pooled(database, options.size))
        assert by_pool.pooled_url is not None
        process = postmaster(Path(folder))
        os.environ |= {"SCALING_DATABASE_URL": database.url, "SCALING_POOLED_URL": by_pool.pooled_url}
        workers = [ForkedWorker() for _ in range(options.workers)]
        for worker in workers:
            stack.callback(worker.end)
        # First with the pooler: what Optuna's storage keeps open of direct connections would be counted.
        for is_pooled in (True, False):
            one = measured(database, process, workers[:1], "e2i_assets", 5, options.sleep, pooled=is_pooled)
            with most_connections(database) as most:
                arguments = (database, process, workers, "e2i_assets", options.trials, options.sleep)
                found = measured(*arguments, pooled=is_pooled)
            efficiency = found.rate / one.rate / len(workers)
            name = f"PgBouncer, {options.size} connections" if is_pooled else "direct"
            cpu = [1e3 * found.worker_cpu, 1e3 * found.server_cpu, found.statements]
            lines.append([name, len(workers), 60 * found.rate, efficiency, most[0], *cpu])
        database.dispose()
    columns = ["connections", "workers", "trials / min", "efficiency", "most connections of the server"]
    columns += ["CPU ms, worker", "CPU ms, server", "statements a trial"]
    note = "The workers start at once. Each has one session of its own for its lock and heartbeats, in both lines."
    title = f"One study, an objective that sleeps {options.sleep:g} s, {options.trials} trials of each worker"
    table = report.Table(title, columns, lines, note)
    chosen = f"--workers {options.workers} --size {options.size} --sleep {options.sleep:g} --trials {options.trials}"
    command = f".venv/bin/python -m benchmarks.pooled_workers {chosen}"
    report.write(options.out, "Workers behind PgBouncer", machine, [table], command)


if __name__ == "__main__":
    main()
