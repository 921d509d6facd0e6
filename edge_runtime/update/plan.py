"""What an update would do: which set and which firmware, against what is here now."""

from dataclasses import dataclass
from typing import Any

import msgspec

from edge_runtime.update.catalogue import Catalogue, OfferedFirmware, SetOffer, is_newer
from edge_runtime.update.sensors import SeenSensor


class FirmwareStep(msgspec.Struct, frozen=True, kw_only=True):
    """A sensor and the image it could have. `newer`: than what it runs."""

    source: str
    model: str
    present: str
    offered: str
    path: str
    newer: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """`offer` None: nothing that this release can use. `hindered`: newer sets that it cannot."""

    present: str
    name: str
    offer: SetOffer | None
    hindered: tuple[SetOffer, ...]
    firmware: tuple[FirmwareStep, ...]

    @property
    def takes_set(self) -> bool:
        """There is a newer set to fetch."""
        return self.offer is not None and is_newer(self.offer.version, self.present)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "models": {
                "name": self.name,
                "present": self.present,
                "offered": None if self.offer is None else self.offer.version,
                "newer": self.takes_set,
                "hindered": {one.version: one.hindrance for one in self.hindered},
            },
            "firmware": [msgspec.to_builtins(step) for step in self.firmware],
        }

    def lines(self) -> list[str]:
        """For a person."""
        offered = "nothing that fits" if self.offer is None else self.offer.version
        verdict = "to be fetched" if self.takes_set else "up to date"
        told = [f"models    {self.name} {self.present}, offered {offered}: {verdict}"]
        told += [f"          {one.version} waits: {one.hindrance}" for one in self.hindered]
        for step in self.firmware:
            verdict = "newer" if step.newer else "up to date"
            told.append(
                f"firmware  {step.source} ({step.model}) {step.present or 'unknown'}, "
                f"offered {step.offered}: {verdict}"
            )
        return told


def make_plan(
    catalogue: Catalogue, name: str, present: str, sensors: tuple[SeenSensor, ...]
) -> Plan:
    """For the set `name` of version `present`, and the sensors that were seen here."""
    offer, beyond = catalogue.newest_set(name)
    found = [(sensor, catalogue.newest_firmware(sensor.model)) for sensor in sensors]
    return Plan(
        present=present,
        name=name,
        offer=offer,
        hindered=tuple(one for one in beyond if is_newer(one.version, present)),
        firmware=tuple(_step(sensor, one) for sensor, one in found if one is not None),
    )


def _step(sensor: SeenSensor, found: OfferedFirmware) -> FirmwareStep:
    return FirmwareStep(
        source=sensor.source,
        model=sensor.model,
        present=sensor.firmware,
        offered=found.offer.version,
        path=found.path,
        newer=is_newer(found.offer.version, sensor.firmware),
    )
