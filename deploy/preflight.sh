#!/bin/sh
# Names what is missing on this machine, with the exact line that installs it.
# Usage: deploy/preflight.sh PYTHON
set -u
python=${1:-python3}
missing=""
for tool in git make; do
    command -v "$tool" >/dev/null 2>&1 || missing="$missing $tool"
done
if ! command -v "$python" >/dev/null 2>&1; then
    missing="$missing python3 python3-venv"
elif ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "ecg-edge needs Python 3.11 or newer; $python is $("$python" -V 2>&1)." >&2
    echo "Name a newer one, as in: make run PYTHON=python3.11" >&2
    exit 1
elif ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
    missing="$missing python3-venv"
fi
if [ -n "$missing" ]; then
    echo "Missing on this machine:$missing. On Debian, Ubuntu and Raspberry Pi OS:" >&2
    echo "    sudo apt-get install -y$missing" >&2
    exit 1
fi
