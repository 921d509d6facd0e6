"""The boards that are known, by the name that `driver =` has in the configuration."""

from typing import Final

from firmware_bridge.boards import (
    ad8232,
    ads1292r,
    cyton,
    healthypi4,
    healthypi5,
    healthypi6,
    max30001,
)
from firmware_bridge.boards.samples import Board

BOARDS: Final[dict[str, Board]] = {
    board.form.name: board
    for board in (
        ads1292r.BOARD,
        max30001.BOARD,
        healthypi4.V3,
        healthypi4.V4,
        healthypi5.BOARD,
        healthypi6.BOARD,
        cyton.BOARD,
        ad8232.BOARD,
    )
}
