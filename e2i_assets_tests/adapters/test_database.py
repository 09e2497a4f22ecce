"""The database URL, the messages for an unreachable database, and the named locks."""

import contextlib
import json
import signal
import subprocess
import sys
import threading
import time

import pytest
import sqlalchemy as sa

from e2i_assets.adapters.postgres.address import DatabaseAddressInvalid, libpq_url, normalised_url, owner_url
from e2i_assets.adapters.postgres.database import Database, DatabaseUnreachable, LockTimeout

HOLDER = """
import sys, time
from e2i_assets.adapters.postgres.database import Database
with Database(sys.stdin.readline()).advisory_lock("shared name"):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize(
    ("given", "normalised"),
    [
        ("postgres://u:p@h:5432/d", "postgresql+psycopg2://u:p@h:5432/d"),
        ("postgresql://u:p@h/d", "postgresql+psycopg2://u:p@h/d"),
        ("postgresql+psycopg2://u:p@h/d", "postgresql+psycopg2://u:p@h/d"),
        (" postgresql://u:p@h/d\n", "postgresql+psycopg2://u:p@h/d"),
        ("POSTGRESQL://u:p@h/d", "postgresql+psycopg2://u:p@h/d"),
        ("postgresql://u:p%40%2F%25@h/d", "postgresql+psycopg2://u:p%40%2F%25@h/d"),
        ("postgresql://u:p@[::1]:5432/d", "postgresql+psycopg2://u:p@[::1]:5432/d"),
        ("postgresql:///d?host=/run/postgres", "postgresql+psycopg2:///d?host=%2Frun%2Fpostgres"),
        ("postgresql://h/d?sslmode=require", "postgresql+psycopg2://h/d?sslmode=require"),
    ],
)
def test_every_form_of_a_url_is_normalised_to_one_that_all_libraries_accept(given: str, normalised: str) -> None:
    assert normalised_url(given) == normalised
    assert normalised_url(normalised) == normalised


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ("", "not a database address"),
        ("hunter2", "not a database address"),
        ("u:hunter2@h/d", "not a database address"),
        ("mysql://u:hunter2@h/d", "begins with mysql://, but only PostgreSQL"),
        ("sqlite:///hunter2.db", "begins with sqlite://, but only PostgreSQL"),
        ("postgresql+psycopg://u:hunter2@h/d", "only PostgreSQL"),
        ("postgresql://u:hunter2@h:port/d", "cannot be read"),
        ("postgresql://u:hun@ter2@h/d", "one @ too many.*%40"),
        ("postgresql://u:hunter2@h", "names no database"),
        ("postgresql://", "names no database"),
    ],
)
def test_other_urls_are_rejected_without_repeating_the_password(given: str, complaint: str) -> None:
    with pytest.raises(DatabaseAddressInvalid, match=complaint) as raised:
        normalised_url(given)
    assert "hunter2" not in str(raised.value)
    assert "ter2" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__ or raised.value.__context__ is None


def test_each_library_gets_its_schema_and_the_options_of_the_user_stay() -> None:
    url = "postgres://u:p@h/d?options=-cstatement_timeout%3D5s%20-c%20search_path%3Dother&sslmode=require"
    mine = owner_url(url, "mlflow")
    assert sa.make_url(mine).query == {
        "options": "-cstatement_timeout=5s -csearch_path=mlflow",
        "sslmode": "require",
    }
    assert owner_url(owner_url(url, "optuna"), "mlflow") == mine


def test_the_tools_of_postgresql_can_read_the_address() -> None:
    assert libpq_url("postgresql+psycopg2://u:p@h/d?options=-cx%3D1+-cy%3D2").endswith("options=-cx%3D1%20-cy%3D2")


def test_a_connection_works_in_our_schema(database: Database) -> None:
    with database.connect() as connection:
        assert connection.execute(sa.text("SHOW search_path")).scalar() == "e2i"


def test_a_database_never_shows_its_password() -> None:
    database = Database("postgresql://u:hunter2@h/d?password=hunter3")
    shown = f"{database} {database!r} {database.redacted}"
    assert "hunter" not in shown
    assert "u:***@h/d" in shown
    assert Database("postgresql://u:hunter2@h/d") == Database("postgres://u:hunter2@h/d")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"port": 1}, "No database answers at .*Start it"),
        ({"host": "no-such-host.invalid"}, 'host "no-such-host.invalid" is not known. Check'),
        ({"password": "hunter2"}, "refused the password of user .*Correct it"),
        ({"username": "stranger"}, 'refused the password of user "stranger"'),
        ({"database": "elsewhere"}, 'no database "elsewhere" on this server. Create it'),
        ({"query": {"sslmode": "nonsense"}}, "cannot be used: .*sslmode"),
    ],
)
def test_each_connection_failure_has_its_own_message_with_a_fix(
    server: Database, change: dict[str, object], complaint: str
) -> None:
    url = sa.make_url(server.url).set(**change)
    with pytest.raises(DatabaseUnreachable, match=complaint) as raised:
        Database(url.render_as_string(hide_password=False)).require_reachable()
    assert str(url.password) not in str(raised.value)
    assert raised.value.__suppress_context__


def test_a_database_that_answers_is_reachable(server: Database) -> None:
    assert server.require_reachable() is None


def test_a_lock_is_held_by_one_process_at_a_time_and_released(server: Database) -> None:
    with server.advisory_lock("one"):
        with server.advisory_lock("another", timeout=1):
            pass
        with (
            pytest.raises(LockTimeout, match=r'held the lock "one" for more than 0\.1 seconds\. Wait'),
            server.advisory_lock("one", timeout=0.1),
        ):
            pass
    with server.advisory_lock("one", timeout=0.1):
        pass


def test_a_lock_is_free_after_an_exception(server: Database) -> None:
    with pytest.raises(KeyError), server.advisory_lock("one"):
        raise KeyError("inside")
    with server.advisory_lock("one", timeout=0.1):
        pass


def test_a_waiting_process_gets_the_lock_when_it_is_released(server: Database) -> None:
    order = []

    def wait() -> None:
        with server.advisory_lock("one"):
            order.append("second")

    with server.advisory_lock("one"):
        waiting = threading.Thread(target=wait)
        waiting.start()
        time.sleep(0.2)
        order.append("first")
    waiting.join(10)
    assert order == ["first", "second"]


def test_a_lock_is_free_as_soon_as_its_holder_is_killed(server: Database) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        holder.stdin.write(server.url + "\n")
        holder.stdin.flush()
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(LockTimeout), server.advisory_lock("shared name", timeout=0.1):
            pass
        holder.send_signal(signal.SIGKILL)
        with server.advisory_lock("shared name", timeout=5):
            pass


def test_which_of_some_named_locks_are_held_can_be_asked_without_taking_them(server: Database) -> None:
    names = [f"asked {number}" for number in range(20)]  # some keys are negative
    assert server.held_locks(names) == set()
    with contextlib.ExitStack() as held:
        for name in names[:10]:
            held.enter_context(server.advisory_lock(name))
        assert server.held_locks(names) == set(names[:10])
    assert server.held_locks(names) == set()
    assert server.held_locks([]) == set()


def test_a_connection_that_was_lost_while_idle_is_replaced(server: Database) -> None:
    mine = sa.text("SELECT pg_backend_pid()")
    with server.connect() as connection:
        died = connection.execute(mine).scalar_one()
    other = Database(
        f"{server.url}&application_name=other" if "?" in server.url else f"{server.url}?application_name=other"
    )
    with other.connect() as connection:
        connection.execute(sa.text("SELECT pg_terminate_backend(:pid)"), {"pid": died})
    time.sleep(0.6)
    with server.connect() as connection:
        assert connection.execute(mine).scalar_one() != died
    other.dispose()


# PostgreSQL stores numbers of a JSON document as decimals: it returns 1e+24 as 1 and 24 zeros, which is not the same
# integer as the float.
NUMBERS = (7.630856001597468e24, -1.5e300, 1e16, 1.2345678901234567e18, 0.1, 1e-300, 1e22, 3, 2**53 + 1, 2**63 - 1, -7)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_number_of_a_json_document_is_read_as_it_was_written(database: Database, number: float) -> None:
    written = {"document": json.dumps({"values": [number]})}
    query = sa.text("SELECT CAST(:document AS jsonb), CAST(:document AS json)")
    with database.connect() as pooled, database.session() as session:
        for stored in (*pooled.execute(query, written).one(), *session.execute(query, written).one()):
            assert stored == {"values": [number]}
            assert type(stored["values"][0]) is type(number)
