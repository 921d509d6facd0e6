"""Who may do what."""

from enum import IntEnum
from typing import Final


class Role(IntEnum):
    """Each may do what those before it may."""

    VIEW = 1
    ACKNOWLEDGE = 2
    ADMINISTER = 3


ROLES: Final = {role.name.lower(): role for role in Role}
