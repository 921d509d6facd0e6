"""How well a device guards its own firmware, as far as that can be known from here."""

from firmware_bridge.flash.address import Address, BleAddress, UdpAddress
from firmware_bridge.flash.device import Identity


def exposure(
    address: Address, identity: Identity, *, is_bonded: bool | None = None
) -> tuple[str, ...]:
    """Sentences for people; each is something to change before devices go out. `is_bonded`: there
    was a bond with this computer when the device answered (None: not over Bluetooth)."""
    notes = []
    if isinstance(address, BleAddress) and not is_bonded:
        notes.append(
            "SMP answers over Bluetooth without a bond: it takes firmware from anyone in range; "
            "set CONFIG_MCUMGR_TRANSPORT_BT_PERM_RW_AUTHEN (Zephyr's default)"
        )
    if isinstance(address, UdpAddress):
        notes.append(
            "SMP over UDP asks for no credentials: whoever reaches this address can send firmware; "
            "leave it out of production builds"
        )
    if identity.boot_loader is None:
        notes.append(
            "its boot loader does not say what it is; unless it is known to check signatures, "
            "count it as one that accepts unsigned firmware from anyone in range"
        )
    else:
        notes.append(
            f"{identity.boot_loader} does not tell whether it checks signatures: try it with an "
            f"image of a foreign key (docs/firmware-security.md)"
        )
    if not identity.refuses_downgrade:
        notes.append(
            "its boot loader does not refuse older firmware; only this program does, on this host"
        )
    return tuple(notes)
