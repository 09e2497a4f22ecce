#!/bin/sh
# Finds a fitting Python and hands over to bootstrap.py. Shell, because `python3` may be too old to read that file.
# PYTHON=/path/to/python chooses one; everything else that can be chosen is said in bootstrap.py.
set -eu
cd "$(dirname "$0")/.."

fits() {
    command -v "$1" >/dev/null 2>&1 && "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

for candidate in ${PYTHON:+"$PYTHON"} ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
    if fits "$candidate"; then
        exec "$candidate" scripts/bootstrap.py
    fi
done

if [ -n "${PYTHON:-}" ]; then
    echo "PYTHON=$PYTHON is not a Python 3.11 or newer that runs here." >&2
else
    echo "No Python 3.11 or newer was found (looked for python3 and python3.11 to python3.14 on the PATH)." >&2
    echo "Install one (Debian, Ubuntu: apt install python3), or name one: PYTHON=/path/to/python make ..." >&2
fi
exit 1
