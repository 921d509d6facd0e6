"""How well a device guards its own firmware, as far as that can be known from here."""

from firmware_bridge.flash.address import Address, UdpAddress
from firmware_bridge.flash.device import Identity


def exposure(address: Address, identity: Identity) -> tuple[str, ...]:
    """Sentences for people; each is something to change before devices go out."""
    notes = []
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
