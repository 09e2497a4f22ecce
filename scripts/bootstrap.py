"""Installs requirements.lock and this checkout into .venv. Prints nothing if .venv is up to date.

Standard library only: it runs before anything is installed. uv_source.py finds uv, and index_settings.py selects the
package index.
"""

import fcntl
import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from index_settings import installer_environment
from native_libraries import provide_openmp
from uv_source import BootstrapFailed, locked_uv

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
LOCK = ROOT / "requirements.lock"
STAMP = VENV / ".installed"
UNFINISHED = "unfinished"
FIRST_TIME = "Installing what requirements.lock names into .venv. The first time this is a download of 350 MB."


def main() -> int:
    """Update .venv, and return an exit code."""
    with LOCK.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a concurrent second call waits and finds .venv up to date
        os.set_inheritable(lock.fileno(), True)  # a uv that outlives us keeps the lock until it ends
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # exit normally to remove the scratch folder
        if is_current():
            return 0
        started = time.monotonic()
        print("Bringing .venv up to date with requirements.lock." if VENV.exists() else FIRST_TIME, flush=True)
        try:
            install()
        except BootstrapFailed as failure:
            print(f"\n{failure}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("\nInterrupted; the next make starts the installation afresh.", file=sys.stderr)
            return 130
        print(f"Installed in {time.monotonic() - started:.0f} s.", flush=True)
    return 0


def is_current() -> bool:
    """Return whether the last installation finished and its inputs are unchanged."""
    return stamped() == fingerprint() and (VENV / "bin" / "python").exists() and wanted_python_is_there()


def stamped() -> str:
    """Return the stamp of the last installation: its fingerprint and checkout path, or a mark of an interruption."""
    return STAMP.read_text() if STAMP.exists() else ""


def fingerprint() -> str:
    """Return a digest of the inputs of .venv, and the checkout path, which the scripts in .venv contain."""
    digest = hashlib.sha256(LOCK.read_bytes() + (ROOT / "pyproject.toml").read_bytes()).hexdigest()
    return f"{digest} {ROOT}"


def wanted_python_is_there() -> bool:
    """Return whether .venv has the Python of PYTHON; without PYTHON, any version is accepted."""
    if "PYTHON" not in os.environ:
        return True
    settings = (VENV / "pyvenv.cfg").read_text() if (VENV / "pyvenv.cfg").exists() else ""
    here = f"{sys.version_info.major}.{sys.version_info.minor}."
    return any(
        line.partition("=")[2].strip().startswith(here) for line in settings.splitlines() if line.startswith("version")
    )


def install() -> None:
    """Create .venv anew if it is not usable, install the lock and add this checkout."""
    environment = installer_environment(os.environ)
    with tempfile.TemporaryDirectory(prefix="e2i-bootstrap-") as scratch:
        with step("uv"):
            uv = locked_uv(LOCK, VENV, Path(scratch), environment)
        if not is_usable():
            with step("virtual environment"):
                run(
                    [uv, "venv", "--quiet", "--clear", "--no-project", "--python", sys.executable, str(VENV)],
                    environment,
                )
        STAMP.write_text(UNFINISHED)
        python = str(VENV / "bin" / "python")
        with step("packages"):
            run([uv, "pip", "sync", "--quiet", "--python", python, "--require-hashes", str(LOCK)], environment)
        with step("this checkout"):
            local = ["--no-deps", "--no-build-isolation", "--offline", "--editable", "."]
            run([uv, "pip", "install", "--quiet", "--python", python, *local], environment)
        provide_openmp(VENV)
    STAMP.write_text(fingerprint())


def is_usable() -> bool:
    """Return whether .venv can be updated in place: made here, working Python, no interrupted installation."""
    python = VENV / "bin" / "python"
    left = stamped()
    if left == UNFINISHED or (left and not left.endswith(f" {ROOT}")):
        return False
    if not python.exists() or not wanted_python_is_there():
        return False
    return subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0


@contextmanager
def step(title: str) -> Iterator[None]:
    """Print the current step, and its duration afterwards."""
    print(f"  {title} ...", end="", flush=True)
    started = time.monotonic()
    yield
    print(f" {time.monotonic() - started:.1f} s", flush=True)


def run(command: list[str], environment: dict[str, str]) -> None:
    """Run one command of the installation in the checkout; show its output if it fails."""
    outcome = subprocess.run(command, cwd=ROOT, env=environment, check=False, close_fds=False)
    if outcome.returncode != 0:
        shown = " ".join(["uv", *command[1:]])
        raise BootstrapFailed(f"The installation stopped: `{shown}` failed with exit code {outcome.returncode}.")


if __name__ == "__main__":
    sys.exit(main())
