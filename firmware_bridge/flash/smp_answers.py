"""Which message answers which: on links where an earlier request's answer may still arrive."""

from typing import Final

from smpclient.transport import SMPTransport

_SEQUENCE_AT: Final = 6


async def answer_to(transport: SMPTransport, request: bytes) -> bytes:
    """Send `request`; the answer that has its sequence number. Others are skipped."""
    await transport.send(request)
    while True:
        answer = await transport.receive()
        if answer[_SEQUENCE_AT] == request[_SEQUENCE_AT]:
            return answer
