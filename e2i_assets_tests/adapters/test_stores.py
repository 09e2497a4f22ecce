"""Both stores replace values and files in one step, and the one in object storage hands out verified copies."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2i_assets.adapters.stores.object_store import ObjectStore
from e2i_assets.adapters.stores.store import (
    LocalStore,
    Store,
    StoredDamaged,
    StoreRefused,
    StoreUnreachable,
    store_of,
)
from e2i_assets_tests.support.object_storage import client, forget_servers, new_bucket, object_storage, objects

KEY = "assets/dataset/churn"
WRITES = """
import sys
from pathlib import Path
from e2i_assets.adapters.stores.object_store import ObjectStore
with ObjectStore(sys.argv[1], Path(sys.argv[2])).replacing("assets/dataset/churn") as fresh:
    for number in range(4000):
        (fresh / f"{number:04}").write_text("new")
"""


@pytest.fixture(scope="module")
def reached() -> Iterator[dict[str, str]]:
    with object_storage() as variables:
        yield variables


@pytest.fixture
def bucket(reached: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in reached.items():
        monkeypatch.setenv(name, value)
    return new_bucket(reached)


@pytest.fixture
def remote(bucket: str, tmp_path: Path) -> ObjectStore:
    return ObjectStore(f"s3://{bucket}/e2i", tmp_path / "cache")


@pytest.fixture(params=["local", "remote"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "local":
        return LocalStore(tmp_path / "state")
    made: ObjectStore = request.getfixturevalue("remote")
    return made


def elsewhere(store: Store, tmp_path: Path) -> Store:
    """Return the same store as another machine sees it, with no copies."""
    return ObjectStore(store.address, tmp_path / "elsewhere") if isinstance(store, ObjectStore) else store


def written(store: Store, key: str, **texts: str) -> None:
    with store.replacing(key) as fresh:
        for name, text in texts.items():
            path = fresh / name.replace("__", "/")
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)


def content(store: Store, key: str) -> dict[str, str]:
    folder = store.folder(key)
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_a_value_is_replaced_as_a_whole_and_read_from_another_machine(store: Store, tmp_path: Path) -> None:
    other = elsewhere(store, tmp_path)
    assert not store.exists(KEY)
    assert not store.folder(KEY).exists()
    assert store.written_at(KEY) == 0
    began = time.time()
    written(store, KEY, value="old", data__model="weights", gone="x")
    assert content(other, KEY) == {"value": "old", "data/model": "weights", "gone": "x"}
    written(store, KEY, value="new")
    assert content(other, KEY) == content(store, KEY) == {"value": "new"}
    assert other.exists(KEY)
    assert began - 1 < other.written_at(KEY) < time.time() + 1


def test_an_error_while_a_value_is_written_keeps_the_old_one(store: Store, tmp_path: Path) -> None:
    written(store, KEY, value="old")
    with pytest.raises(FileNotFoundError), store.replacing(KEY) as fresh:
        (fresh / "value").write_bytes((tmp_path / "missing").read_bytes())
    assert content(elsewhere(store, tmp_path), KEY) == {"value": "old"}


def test_values_are_found_by_a_pattern_and_deleted_alone(store: Store, tmp_path: Path) -> None:
    for name in ("churn", "visits", "churn_2"):
        written(store, f"assets/dataset/{name}", value=name)
    written(store, "assets/hpo_study/other", value="x")
    other = elsewhere(store, tmp_path)
    assert other.keys("assets/dataset/*") == [f"assets/dataset/{name}" for name in ("churn", "churn_2", "visits")]
    assert other.keys("outbox/*/*") == []
    store.delete("assets/dataset/churn")
    store.delete("assets/dataset/never_there")
    assert other.keys("assets/*/*") == ["assets/dataset/churn_2", "assets/dataset/visits", "assets/hpo_study/other"]
    assert not other.folder("assets/dataset/churn").exists()
    assert content(other, "assets/dataset/churn_2") == {"value": "churn_2"}


def test_a_file_is_replaced_listed_and_removed(store: Store, tmp_path: Path) -> None:
    other = elsewhere(store, tmp_path)
    assert not store.file("reports/churn/report.html").exists()
    assert store.names("reports/churn/study") == []
    store.write("reports/churn/report.html", b"old")
    store.write("reports/churn/report.html", b"new")
    store.write("reports/churn/study/a.png", b"a")
    assert other.file("reports/churn/report.html").read_bytes() == b"new"
    assert (other.names("reports/churn"), other.names("reports/churn/study")) == (["report.html"], ["a.png"])
    assert other.files("reports") == ["reports/churn/report.html", "reports/churn/study/a.png"]
    assert other.files("schemas") == []
    store.remove("reports/churn/report.html")
    store.remove("reports/churn/never_there")
    assert not other.file("reports/churn/report.html").exists()
    store.require_writable()
    assert store.names("") == []


def test_only_the_files_that_are_asked_for_are_fetched_and_once(remote: ObjectStore, tmp_path: Path) -> None:
    """The step that searches has no test rows on its machine."""
    written(remote, KEY, train="1", test="2")
    other = ObjectStore(remote.address, tmp_path / "elsewhere")
    folder = other.folder(KEY, {"train"})
    assert [path.name for path in folder.iterdir()] == ["train"]
    first = (folder / "train").stat().st_ino
    assert {path.name for path in other.folder(KEY).iterdir()} == {"train", "test"}
    assert (folder / "train").stat().st_ino == first


def test_a_writer_that_is_killed_leaves_the_old_value(
    remote: ObjectStore, reached: dict[str, str], bucket: str, tmp_path: Path
) -> None:
    written(remote, KEY, value="old")
    before = objects(reached, bucket)
    command = [sys.executable, "-c", WRITES, remote.address, str(tmp_path / "of_the_writer")]
    writer = subprocess.Popen(command, env={**os.environ, **reached})
    while len(made := objects(reached, bucket).keys() - before.keys()) < 20:
        assert writer.poll() is None, "the writer ended before it was killed"
        time.sleep(0.01)
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    assert len(made) < 4000
    assert content(ObjectStore(remote.address, tmp_path / "elsewhere"), KEY) == {"value": "old"}
    written(remote, KEY, value="next")
    assert content(ObjectStore(remote.address, tmp_path / "elsewhere"), KEY) == {"value": "next"}


def test_files_of_replaced_values_stay_for_a_day(
    remote: ObjectStore, reached: dict[str, str], bucket: str, tmp_path: Path
) -> None:
    """A reader on another machine may have read the old pointer."""
    old = f"e2i/{KEY}/20260101T000000Z-{'0' * 16}/value"
    client(reached).put_object(Bucket=bucket, Key=old, Body=b"of a writer that was killed long ago")
    client(reached).put_object(Bucket=bucket, Key=f"e2i/{KEY}/notes/value", Body=b"of somebody else")
    written(remote, KEY, value="1")
    written(remote, KEY, value="2")
    left = sorted(objects(reached, bucket))
    assert old not in left
    assert [key.rpartition("/")[2] for key in left] == ["value", "value", "current.json", "value"]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("changed", "was changed after it was written"),
        ("missing", "is missing"),
        ("outside", "not what this program writes: .* is no path inside of the value"),
        ("no pointer", "not what this program writes"),
    ],
)
def test_a_copy_is_not_handed_out_if_the_store_was_tampered_with(
    remote: ObjectStore, reached: dict[str, str], bucket: str, tmp_path: Path, damage: str, message: str
) -> None:
    written(remote, KEY, value="rows")
    s3, pointer = client(reached), f"e2i/{KEY}/current.json"
    (value,) = objects(reached, bucket).keys() - {pointer}
    if damage == "changed":
        s3.put_object(Bucket=bucket, Key=value, Body=b"other")
    elif damage == "missing":
        s3.delete_object(Bucket=bucket, Key=value)
    else:
        named = json.loads(s3.get_object(Bucket=bucket, Key=pointer)["Body"].read())
        named["files"] = {"../../../../../value": named["files"]["value"]}
        body = json.dumps(named) if damage == "outside" else "{"
        s3.put_object(Bucket=bucket, Key=pointer, Body=body.encode())
    other = ObjectStore(remote.address, tmp_path / "elsewhere")
    with pytest.raises(StoredDamaged, match=f"s3://{bucket}/e2i/{KEY}/.* {message}"):
        other.folder(KEY)
    assert [path for path in (tmp_path / "elsewhere").rglob("*") if path.is_file()] == []


def test_a_store_that_cannot_be_used_says_why(remote: ObjectStore, tmp_path: Path, reached: dict[str, str]) -> None:
    nowhere = store_of(tmp_path, "s3://no-such-bucket/e2i")
    with pytest.raises(StoreRefused, match="s3://no-such-bucket/e2i cannot be written, its bucket may not exist"):
        nowhere.require_writable()
    os.environ["AWS_ENDPOINT_URL"] = "http://127.0.0.1:9"  # the fixture `bucket` restores it
    forget_servers()
    try:
        with pytest.raises(StoreUnreachable, match=f"{remote.address} cannot be reached"):
            remote.exists(KEY)
    finally:
        forget_servers()
