#!/usr/bin/env bash
# Create the virtual environment and install the project with exact versions: setup.sh PYTHON VENV
set -euo pipefail
cd "$(dirname "$0")/.."
python=$1 venv=$2

"$python" - <<'PY' || exit 1
import sys
if not (3, 11) <= sys.version_info[:2] <= (3, 13):
    sys.exit(
        f"error: this is Python {sys.version.split()[0]}; Python 3.11, 3.12 or 3.13 is needed.\n"
        "  Give the path of one: make setup PYTHON=python3.11"
    )
PY
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
echo "Installing (torch alone is several hundred MB, with CUDA libraries several GB) ..."
"$venv/bin/python" -m pip install --disable-pip-version-check --quiet --constraint constraints.txt --editable '.[dev]'
