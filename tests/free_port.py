"""A port on loopback that nothing listens on."""

import socket


def free_port() -> int:
    """Free a moment ago: the kernel does not give it out again at once."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
