"""A D-Bus of one's own: no root, no /run/dbus, gone when it is closed."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from firmware_bridge.errors import UsageError

ENVIRONMENT: Final = "DBUS_SYSTEM_BUS_ADDRESS"
"""Where every D-Bus client looks for the system bus; set to a private one it sees only that."""
_STOP_WITHIN_S: Final = 5.0
_CONFIGURATION: Final = """<!DOCTYPE busconfig PUBLIC
 "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:dir={folder}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""


@contextmanager
def private_bus() -> Iterator[str]:
    """A running bus; yields its address. Raises UsageError where dbus-daemon is not installed."""
    with tempfile.TemporaryDirectory(prefix="ecg-edge-bus-") as folder:
        configuration = Path(folder) / "bus.conf"
        configuration.write_text(_CONFIGURATION.format(folder=folder))
        command = ["dbus-daemon", "--config-file", str(configuration), "--nofork"]
        try:
            process = subprocess.Popen(
                [*command, "--print-address"],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # it remarks on limits that do not matter here
                start_new_session=True,  # Ctrl-C is for whoever uses it
            )
        except FileNotFoundError:
            raise UsageError(
                "dbus-daemon is not installed; `sudo apt-get install dbus` brings it"
            ) from None
        assert process.stdout is not None
        try:
            address = process.stdout.readline().decode().strip()
            if not address:
                raise UsageError("dbus-daemon does not start here; try it: dbus-daemon --session")
            yield address
        finally:
            process.terminate()
            process.wait(_STOP_WITHIN_S)
            process.stdout.close()
