"""`python -m tests.firmware_bridge.flash.flash_once PORT IMAGE KEY`: a host that can be killed.

Not the command itself: that refuses a port which another process has open, and a pty's owner has.
"""

import asyncio
import sys
from pathlib import Path

from firmware_bridge.flash.check import trusted_image
from firmware_bridge.flash.plan import Wishes
from firmware_bridge.flash.signature import load_keys
from tests.firmware_bridge.flash.workshop import session_at

if __name__ == "__main__":
    port, image, key = map(Path, sys.argv[1:])
    trusted = trusted_image(image, load_keys([key]))
    print(asyncio.run(session_at(port).flash(trusted, Wishes(), dry_run=False)))
