"""The source of uv on a machine that may lack uv, pip and a working venv module.

In this order: a uv on the PATH or in .venv, the pip of this Python, the pip
that this Python can put into a virtual environment, the pip of Debian's package python3-pip-whl, which `apt-get
download` fetches without root and without installing it. The version and the hash of uv are in the lock.
"""

import importlib.util
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from index_settings import SYSTEM_CERTIFICATES

OLDEST_UV = (0, 8)  # the first whose `uv venv` knows --clear

NO_PIP = """uv, which installs the environment, could not be had, as there is no pip. Any one of these is enough:
  - Debian, Ubuntu:  apt install python3-venv     (or python3-pip), then run make again
  - elsewhere:       install uv or pip with the package manager of the system, then run make again
What was tried:
"""


NO_INDEX = """uv, which installs the environment, could not be fetched from the package index.
Look at the network, and at the settings of pip (PIP_INDEX_URL, PIP_CERT, HTTPS_PROXY, pip.conf). What pip said:
"""


class BootstrapFailed(Exception):
    """The environment could not be made; the message says what to do."""


def locked_uv(lock: Path, venv: Path, scratch: Path, environment: dict[str, str]) -> str:
    """Return the path of a uv that can install the lock; fetch it into the scratch folder if there is none."""
    for candidate in (shutil.which("uv"), str(venv / "bin" / "uv")):
        if candidate and uv_version(candidate) >= OLDEST_UV:
            if candidate.startswith(str(venv)):  # it must outlive the clearing of .venv
                return shutil.copy2(candidate, str(scratch / "uv"))
            return candidate
    requirement = scratch / "uv.txt"
    requirement.write_text(requirement_of("uv", lock.read_text()))
    target = scratch / "packages"
    tried: list[str] = []
    pip = next(pips(scratch, environment, tried), None)
    if pip is None:
        raise BootstrapFailed(NO_PIP + "".join(f"  - {line}\n" for line in tried))
    install = [*pip, "install", "--quiet", "--no-deps", "--require-hashes", "--target", str(target)]
    if not attempt([*install, "--requirement", str(requirement)], environment, tried):
        raise BootstrapFailed(f"{NO_INDEX}  - {tried[-1]}")
    return str(target / "bin" / "uv")


def uv_version(uv: str) -> tuple[int, ...]:
    """Return the version of a uv, or an empty tuple if it does not run."""
    try:
        said = subprocess.run([uv, "--version"], capture_output=True, text=True, check=False).stdout
    except OSError:
        return ()
    return tuple(int(part) for part in re.findall(r"\d+", said)[:3])


def requirement_of(package: str, lock: str) -> str:
    """Return the lines of one package in a lock: its pinned version and its hashes."""
    found = re.search(rf"^{package}==.*\\\n(?: +--hash=.*\n)+", lock, re.MULTILINE)
    if found is None:
        raise BootstrapFailed(f"requirements.lock does not name {package}. Restore it from the repository.")
    return found.group()


def pips(scratch: Path, environment: dict[str, str], tried: list[str]) -> Iterator[Sequence[str]]:
    """Yield the commands that run pip, local ones first; each is prepared only after the ones before it failed."""
    if importlib.util.find_spec("pip"):
        yield [sys.executable, "-m", "pip"]
    else:
        tried.append("this Python has no pip")
    if importlib.util.find_spec("ensurepip"):
        if attempt([sys.executable, "-m", "venv", str(scratch / "venv")], environment, tried):
            yield [str(scratch / "venv" / "bin" / "python"), "-m", "pip"]
    else:
        tried.append("this Python cannot put pip into a virtual environment (no ensurepip)")
    if shutil.which("apt-get") and shutil.which("dpkg-deb"):
        if wheel := debian_pip(scratch / "debian", environment, tried):
            if not SYSTEM_CERTIFICATES.exists() and "PIP_CERT" not in environment:
                with zipfile.ZipFile(wheel) as archive:  # Debian's pip trusts the system's certificates only
                    environment["PIP_CERT"] = archive.extract("pip/_vendor/certifi/cacert.pem", scratch)
            yield [sys.executable, str(wheel / "pip")]
    else:
        tried.append("this system has no apt-get to fetch pip with")


def debian_pip(folder: Path, environment: dict[str, str], tried: list[str]) -> Path | None:
    """Return Debian's pip as a wheel, unpacked in the folder; apt's own lists and the system are not changed."""
    (folder / "lists" / "partial").mkdir(parents=True)
    (folder / "cache" / "archives" / "partial").mkdir(parents=True)
    private = [f"Dir::State::lists={folder}/lists", f"Dir::Cache={folder}/cache", "APT::Sandbox::User=root"]
    options = [word for option in private for word in ("-o", option)]
    for command in (["update", "-qq"], ["download", "-qq", "python3-pip-whl"]):
        if not attempt(["apt-get", *options, *command], environment, tried, folder):
            return None
    for package in folder.glob("*.deb"):
        attempt(["dpkg-deb", "-x", str(package), str(folder / "unpacked")], environment, tried)
    return next((folder / "unpacked").rglob("pip-*.whl"), None)


def attempt(command: Sequence[str], environment: dict[str, str], tried: list[str], folder: Path | None = None) -> bool:
    """Run a command that may fail; on failure, append its last output to the list of attempts."""
    outcome = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    if outcome.returncode != 0:
        said = (outcome.stderr or outcome.stdout).strip().splitlines()[-3:] or ["no message"]
        tried.append("\n      ".join([f"`{Path(command[0]).name} {' '.join(command[1:4])} ...`:", *said]))
    return outcome.returncode == 0
