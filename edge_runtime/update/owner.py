"""Root's commands on the daemon's state directory leave files that the daemon can change."""

import os
from pathlib import Path


def become_owner(directory: Path) -> None:
    """Where root runs this, go on as the user that `directory` belongs to; for good."""
    if os.geteuid() != 0 or not directory.is_dir():
        return
    owner = directory.stat()
    if owner.st_uid != 0:
        os.setgroups([])
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)
