"""A real SMTP server on loopback that keeps what it gets in a Maildir; the pages show it."""

from __future__ import annotations

import mailbox
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller

from sturmwarte.demo.ports import free_port


class _Keep:
    def __init__(self, folder: Path) -> None:
        self._box = mailbox.Maildir(folder)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self._box.add(envelope.content)
        return "250 Message accepted for delivery"


class Catcher:
    """Catches mails until closed."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._controller = Controller(_Keep(folder), hostname="127.0.0.1", port=self.port, ready_timeout=60)
        self._controller.start()

    def close(self) -> None:
        self._controller.stop()
