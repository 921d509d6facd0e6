"""The troubles of BlueZ and of the bus, in words that are true and say what to do."""

from typing import Final

from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakBluetoothNotAvailableReason,
    BleakDBusError,
    BleakDeviceNotFoundError,
    BleakError,
)
from dbus_fast.errors import DBusError

NOT_SEEN: Final = (
    "not seen: moisten and wear the strap, come nearer, or close the phone or watch app that holds "
    "it"
)
POWERED_OFF: Final = "adapter powered off: `bluetoothctl power on`"
DENIED: Final = "permission denied: join group bluetooth (`sudo usermod -aG bluetooth $USER`)"
NOT_RUNNING: Final = "bluetoothd is not running: `sudo systemctl start bluetooth`"
NOT_BONDED: Final = "not bonded with this computer: `firmware-bridge pair`, or `edge-runtime pair`"
LOST_BOND: Final = "pair it anew if the sensor has lost its bond"

BLUETOOTH_ERRORS: Final = (
    *(BleakError, DBusError, OSError, EOFError, TimeoutError),
    # What bleak and dbus-fast let escape when a device or bluetoothd vanishes during a call.
    *(AssertionError, AttributeError, KeyError),
)
_UNAVAILABLE: Final = {
    BleakBluetoothNotAvailableReason.NO_BLUETOOTH: "no Bluetooth adapter; plug one in",
    BleakBluetoothNotAvailableReason.NO_BLE_CENTRAL_ROLE: "this adapter is too old: no Low Energy",
    BleakBluetoothNotAvailableReason.POWERED_OFF: POWERED_OFF,
    BleakBluetoothNotAvailableReason.DENIED_BY_SYSTEM: DENIED,
}
_DBUS: Final = {
    "org.freedesktop.DBus.Error.AccessDenied": DENIED,
    "org.freedesktop.DBus.Error.ServiceUnknown": NOT_RUNNING,
    "org.freedesktop.DBus.Error.NameHasNoOwner": NOT_RUNNING,
    "org.freedesktop.DBus.Error.Spawn.ServiceNotFound": NOT_RUNNING,
    "org.freedesktop.DBus.Error.NoReply": "bluetoothd does not answer",
    "org.bluez.Error.NotReady": POWERED_OFF,
    "org.bluez.Error.NotConnected": "the link was lost",
    "org.bluez.Error.AuthenticationFailed": "pairing refused: wrong passkey",
    "org.bluez.Error.AuthenticationRejected": "pairing refused by the device",
    "org.bluez.Error.AuthenticationCanceled": "pairing was given up: no passkey came",
    "org.bluez.Error.AuthenticationTimeout": "pairing was given up: no passkey came in time",
    "org.bluez.Error.ConnectionAttemptFailed": "it does not answer; come nearer",
}
_NO_BUS: Final = "no D-Bus system bus here, so no Bluetooth: is dbus running?"
_OTHERS: Final[dict[type[Exception], str]] = {
    BleakDeviceNotFoundError: NOT_SEEN,
    TimeoutError: "it does not answer; come nearer",
    PermissionError: DENIED,
    FileNotFoundError: _NO_BUS,
    ConnectionError: _NO_BUS,
    EOFError: "the D-Bus system bus went away",
}
_UNPROVEN: Final = ("org.bluez.Error.NotPermitted", "Not paired")
"""What BlueZ says where the device wants a link that is encrypted, or better proven."""


def reason(error: Exception) -> str:
    """What went wrong, in words that are true and say what to do."""
    match error:
        case BleakBluetoothNotAvailableError():
            return _UNAVAILABLE.get(error.reason, str(error.args[0]))
        case BleakDBusError() if (error.dbus_error, error.dbus_error_details) == _UNPROVEN:
            return NOT_BONDED
        case BleakDBusError():
            return _DBUS.get(error.dbus_error, error.dbus_error_details or error.dbus_error)
        case DBusError():
            return _DBUS.get(error.type, str(error))
        case _:
            pass
    for kind, words in _OTHERS.items():
        if isinstance(error, kind):
            return words
    return str(error) or type(error).__name__
