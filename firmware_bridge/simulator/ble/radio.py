"""bumble's devices, and what they advertise in BlueZ's words."""

from typing import Final

from bumble import hci
from bumble.controller import Controller
from bumble.core import UUID, AdvertisingData
from bumble.device import Advertisement, Device, DeviceConfiguration
from bumble.host import Host
from bumble.link import LocalLink
from dbus_fast import Variant

_NAMES: Final = (AdvertisingData.COMPLETE_LOCAL_NAME, AdvertisingData.SHORTENED_LOCAL_NAME)
_SERVICE_LISTS: Final = (
    AdvertisingData.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
    AdvertisingData.INCOMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
    AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
    AdvertisingData.INCOMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
)
_NEAR_DBM: Final = -60
"""Signal strength where the simulated radio tells none."""


def radio_device(link: LocalLink, address: str, name: str) -> Device:
    """A Bluetooth device with a controller of its own on the radio `link`."""
    host = Host()
    host.controller = Controller(name, host_source=host, link=link, public_address=None)
    configuration = DeviceConfiguration(name=name, address=hci.Address(address))
    return Device(config=configuration, host=host)


def take_away(device: Device, link: LocalLink) -> None:
    """Nothing on `link` is for this device any more; another may have its address."""
    controller = device.host.controller
    assert isinstance(controller, Controller)
    link.remove_controller(controller)


def advertised(seen: Advertisement) -> dict[str, Variant]:
    """The properties of a device that an advertisement tells."""
    names = [seen.data.get(kind) for kind in _NAMES]
    services = [
        long_uuid(uuid)
        for kind in _SERVICE_LISTS
        for listed in seen.data.get_all(kind)
        for uuid in listed
    ]
    known = seen.rssi not in (0, Advertisement.RSSI_NOT_AVAILABLE)
    told = {"RSSI": Variant("n", seen.rssi if known else _NEAR_DBM)}
    if services:
        told["UUIDs"] = Variant("as", services)
    for name in names:
        if name:
            told |= {"Name": Variant("s", name), "Alias": Variant("s", name)}
            break
    return told


def long_uuid(uuid: UUID) -> str:
    """As BlueZ writes it: 128 bits, lower case."""
    digits = uuid.to_hex_str().lower().replace("-", "")
    if len(digits) < 32:
        digits = digits.rjust(8, "0") + "00001000800000805f9b34fb"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
