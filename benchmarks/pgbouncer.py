"""Runs the installed PgBouncer in transaction mode before a database, for a benchmark and a test."""

import os
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg2
import sqlalchemy as sa

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.postgres.roles import make_login
from e2i_assets.adapters.processes.loopback import HOST, free_port

# One file for the databases and one for the accounts, as in docs/scaling.md.
_SETTINGS = """\
[databases]
{name} = host={host} port={port} dbname={name}
[pgbouncer]
listen_addr = {listen}
listen_port = {listen_port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder}/users.txt
pool_mode = transaction
default_pool_size = {size}
max_client_conn = 1000
logfile = {folder}/pgbouncer.log
"""


@contextmanager
def pooled(database: Database, size: int) -> Iterator[Database]:
    """Yield the database with a PgBouncer that has this number of connections to the server.

    Raises:
        SystemExit: PgBouncer is not installed, or does not answer.
    """
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        raise SystemExit("PgBouncer is not installed: apt-get install pgbouncer")
    login = sa.make_url(
        make_login(database.acting_as(None), f"pooled_{secrets.token_hex(4)}", "worker", pooled=True).url
    )
    with tempfile.TemporaryDirectory(prefix="pgbouncer-") as name:
        folder, port = Path(name), free_port()
        folder.chmod(0o777)
        fields = {"name": login.database, "host": login.host, "port": login.port, "size": size}
        settings = _SETTINGS.format(**fields, listen=HOST, listen_port=port, folder=folder)
        (folder / "users.txt").write_text(f'"{login.username}" "{login.password}"\n')
        (folder / "pgbouncer.ini").write_text(settings)
        # It refuses to run as root.
        account = ["-u", "nobody"] if os.getuid() == 0 else []
        process = subprocess.Popen([program, "-q", *account, folder / "pgbouncer.ini"])
        try:
            address = login.set(host=HOST, port=port).difference_update_query(["options"])
            _wait(address, folder)
            yield Database(database.url, address.render_as_string(hide_password=False))
        finally:
            process.terminate()
            process.wait()


def _wait(address: sa.URL, folder: Path) -> None:
    url = address.set(drivername="postgresql").render_as_string(hide_password=False)
    for _ in range(100):
        try:
            psycopg2.connect(url).close()
            return
        except psycopg2.OperationalError:
            time.sleep(0.1)
    raise SystemExit((folder / "pgbouncer.log").read_text())
