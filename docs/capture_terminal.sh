#!/bin/sh
# Makes docs/terminal.svg: the demonstration's real screen after SECONDS, in a real terminal (tmux).
# Usage: docs/capture_terminal.sh [SECONDS] [SCENARIO]; needs tmux and an environment in .venv.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-97}
scenario=${2:-tour}
store=$(mktemp -d)
tmux -L capture new-session -d -x 120 -y 34 \
    ".venv/bin/edge-runtime demo --scenario $scenario --store $store"
sleep "$seconds"
tmux -L capture capture-pane -e -p >"$store/screen"
tmux -L capture send-keys C-c
.venv/bin/python - "$store/screen" docs/terminal.svg <<'PYTHON'
import re
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

console = Console(record=True, width=120, file=open("/dev/null", "w"))
console.print(Text.from_ansi(Path(sys.argv[1]).read_text()))
svg = console.export_svg(title="make run")
# No font from elsewhere: the page must not fetch anything.
svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)
Path(sys.argv[2]).write_text(svg)
PYTHON
rm -rf "$store"
