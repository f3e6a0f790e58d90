"""An occasion becomes the bytes of an e-mail with text, HTML and chart. After ``stages``, before ``outbox``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from alerts.message import Occasion
from pipeline.configuration import Configuration


def compose(
    occasion: Occasion,
    receiver_id: str,
    configuration: Configuration,
    *,
    message_id: str,
    references: Sequence[str] = (),
    now: datetime,
) -> bytes:
    """The frozen message to one receiver, in that receiver's language. The same arguments give the same bytes."""
    raise NotImplementedError
