"""`python -m edge_runtime`: the same as the `edge-runtime` command."""

from edge_runtime.cli import main

main(prog_name="edge-runtime")
