"""SMP over UDP: smpclient's transport, with what a network does to datagrams in mind."""

from smpclient.transport.udp import SMPUDPTransport

from firmware_bridge.flash.smp_answers import answer_to


class UdpTransport(SMPUDPTransport):
    """One server at `host:port`. Answers to earlier requests, late or repeated, are skipped, and
    no message is longer than the server's buffer or `longest` bytes."""

    def __init__(self, port: int, longest: int) -> None:
        super().__init__()
        self._longest = longest
        self._port = port

    async def connect(self, address: str, timeout_s: float, port: int | None = None) -> None:
        """Bind a socket to the server's address; nothing is sent yet."""
        await super().connect(address, timeout_s, port or self._port)

    async def send(self, data: bytes) -> None:
        """Send one SMP message; `max_unencoded_size` has seen to it that it is one datagram."""
        self._client.send(data)

    async def send_and_receive(self, data: bytes) -> bytes:
        """Send a request; the answer that has its sequence number."""
        return await answer_to(self, data)

    @property
    def max_unencoded_size(self) -> int:
        """Longest message that is neither fragmented nor longer than the server's buffer."""
        unfragmented = min(super().max_unencoded_size, self._longest)
        return min(unfragmented, self._smp_server_transport_buffer_size or unfragmented)
