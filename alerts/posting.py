"""From occasion to outbox in one call: what the watcher does inside its transaction for each receiver."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from alerts import outbox
from alerts.compose import compose
from alerts.message import Occasion
from pipeline.configuration import Configuration


def post(
    conn: sa.Connection,
    occasion: Occasion,
    receiver: str,
    configuration: Configuration,
    now: datetime,
    *,
    held: bool = False,
) -> bool:
    """Compose the message to one receiver and put it into the outbox. False where it is there already."""
    notifier = configuration.receivers[receiver].notifier
    references = outbox.references(conn, occasion.subject, receiver, notifier)
    fixed = outbox.message_id(occasion, receiver, notifier, configuration.public_url)
    if outbox.known(conn, occasion, receiver, notifier):
        return False
    payload = compose(occasion, receiver, configuration, message_id=fixed, references=references, now=now)
    return outbox.put(conn, occasion, receiver, notifier, payload, fixed, now, held=held)
