"""`python -m firmware_bridge`: the same as the `firmware-bridge` command."""

from firmware_bridge.cli import main

main(prog_name="firmware-bridge")
