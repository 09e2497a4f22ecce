"""A directory appears completely or not at all, and the leftovers of a killed process are removed."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from e2i_assets.adapters.files.atomic_directory import replacing
from e2i_assets.adapters.stores.store import LocalStore

WRITES = """
import sys, time
from pathlib import Path
from e2i_assets.adapters.files.atomic_directory import replacing
with replacing(Path(sys.argv[1])) as fresh:
    (fresh / "half").write_text("half")
    print("writing", flush=True)
    time.sleep(60)
"""


def written(folder: Path, text: str) -> None:
    with replacing(folder) as fresh:
        (fresh / "value").write_text(text)


def writing(folder: Path) -> "subprocess.Popen[str]":
    """Start a process that is still writing."""
    process = subprocess.Popen([sys.executable, "-c", WRITES, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    return process


def aged(folder: Path) -> list[Path]:
    """Age the files beside a directory and return them."""
    beside = [path for path in folder.parent.iterdir() if path != folder]
    for path in beside:
        os.utime(path, (0, 0))
    return beside


def test_a_directory_replaces_the_old_one_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    place = tmp_path / "asset" / "cells"
    written(place, "old")
    written(place, "new")
    assert [path.name for path in place.parent.iterdir()] == ["cells"]
    assert [(path.name, path.read_text()) for path in place.iterdir()] == [("value", "new")]


def test_an_error_keeps_the_old_directory_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    place = tmp_path / "cells"
    written(place, "old")
    with pytest.raises(ValueError, match="broken"), replacing(place):
        raise ValueError("broken")
    assert [path.name for path in tmp_path.iterdir()] == ["cells"]
    assert (place / "value").read_text() == "old"


def test_leftovers_of_a_killed_process_are_removed_by_the_next_write(tmp_path: Path) -> None:
    place = tmp_path / "cells"
    written(place, "old")
    process = writing(place)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert len(aged(place)) == 1
    assert (place / "value").read_text() == "old"
    written(place, "new")
    assert [path.name for path in tmp_path.iterdir()] == ["cells"]


def test_the_files_of_a_running_writer_stay(tmp_path: Path) -> None:
    place = tmp_path / "cells"
    process = writing(place)
    (beside,) = aged(place)
    written(place, "new")
    assert (beside / "new" / "half").exists()
    process.kill()
    process.communicate()


def test_an_incomplete_file_of_a_killed_process_is_removed_by_the_next(tmp_path: Path) -> None:
    place = tmp_path / "report.html"
    process = writing(place)
    process.kill()
    process.communicate()
    (beside,) = aged(place)
    LocalStore(tmp_path).write("report.html", b"whole")
    assert not beside.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_a_reader_finds_the_old_directory_or_the_new_one_at_any_moment(tmp_path: Path) -> None:
    """With two renames there was a moment without any, and a process that was killed in it left none."""
    place = tmp_path / "cells"
    written(place, "0")
    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(lambda: [written(place, str(number)) for number in range(500)])
        missing = 0
        while not writer.done():
            missing += not place.is_dir()
    assert len(writer.result()) == 500
    assert missing == 0
    assert (place / "value").read_text() == "499"
