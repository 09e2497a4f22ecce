"""The one shared library that a wheel needs from the system and that a minimal Debian lacks.

LightGBM needs libgomp.so.1 (OpenMP). scikit-learn ships the same library under another name. If the system has
none, a copy of that one gets its usual name back and is loaded when a Python of .venv starts.
"""

import ctypes
import re
import sys
from pathlib import Path

LOADER = 'import ctypes, sys; ctypes.CDLL(sys.prefix + "/lib/libgomp.so.1", mode=ctypes.RTLD_GLOBAL)\n'


def provide_openmp(venv: Path) -> None:
    """Put libgomp.so.1 into the environment on Linux, unless the system has it."""
    if sys.platform != "linux" or system_has("libgomp.so.1"):
        return
    shipped = next(venv.glob("lib/python*/site-packages/scikit_learn.libs/libgomp-*.so*"))
    (venv / "lib" / "libgomp.so.1").write_bytes(renamed(shipped.read_bytes(), shipped.name, "libgomp.so.1"))
    site_packages = shipped.parent.parent
    (site_packages / "e2i_openmp.pth").write_text(LOADER)


def system_has(library: str) -> bool:
    """Return whether the dynamic linker finds the library."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def renamed(content: bytes, old: str, new: str) -> bytes:
    """Return an ELF library whose DT_SONAME, a string that ends in a zero byte, is replaced by a shorter name."""
    pattern = re.compile(rb"(?<=\0)" + re.escape(old.encode()) + rb"\0")
    result, count = pattern.subn(new.encode().ljust(len(old), b"\0") + b"\0", content)
    if count != 1:
        raise ValueError(f"{old} names itself {count} times, not once: its name cannot be replaced safely")
    return result
