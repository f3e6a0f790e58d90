"""Whether the pages can be shown at an address, asked before anything is started."""

from __future__ import annotations

import errno
import socket


class AddressUnusable(Exception):
    """Nobody can listen at ``host`` and ``port``; ``reason`` is the system's, empty where another program does."""

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(f"{host}:{port} cannot be listened at" + (f": {reason}" if reason else ""))
        self.host, self.port, self.reason = host, port, reason


def require_address(host: str, port: int) -> None:
    """Raise AddressUnusable where a server could not listen there now; nothing is kept open."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does: what has just ended
            probe.bind(address)
            probe.listen()
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        raise AddressUnusable(host, port, "" if taken else error.strerror or str(error)) from None
