"""When a data folder was restored from a backup: what lies before that moment is evaluated without mail."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from pipeline.state.tables import meta

RESTORED = "restored_at"
"""Key in ``meta``."""


def restored_at(connection: sa.Connection) -> datetime | None:
    """The moment of the last restore; None if never."""
    value = connection.scalar(sa.select(meta.c.value).where(meta.c.key == RESTORED))
    return datetime.fromisoformat(value) if value else None
