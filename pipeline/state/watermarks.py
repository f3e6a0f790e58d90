"""How far sources are read, kept back while mentions of them wait in the spool of another machine.

A watermark says that everything up to it is in the mention store. A crawler knows what waits in its own folder; what
waits in the folders of others is written down here, a lease for each source and spool.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime, timedelta

import sqlalchemy as sa

from pipeline.clock import Clock
from pipeline.state.database import State
from pipeline.state.tables import lease, source

KIND = "spool"
"""Of these leases; name: source and spool; worker: the spool."""
SPAN = timedelta(hours=48)
"""A spool that is lost keeps a watermark back for so long; what it held would raise nothing any more."""


class Watermarks:
    """Of all sources, as the owner of one spool may move them. ``spool`` gives its name, the same after each start."""

    def __init__(self, state: State, clock: Clock, spool: Callable[[], str]) -> None:
        self._state, self._clock, self._spool = state, clock, spool

    def move(self, name: str, at: datetime) -> None:
        """Move a source's watermark, never back; nothing while another spool holds mentions of it."""
        forward = sa.or_(source.c.watermark.is_(None), source.c.watermark < at)
        others = sa.exists().where(
            lease.c.kind == KIND,
            lease.c.name.startswith(f"{name}\n", autoescape=True),
            lease.c.worker != self._spool(),
            lease.c.until > self._clock.now(),
        )
        with self._state.begin(by_rows=True) as connection:
            connection.execute(sa.update(source).where(source.c.id == name, forward, ~others).values(watermark=at))

    def hold(self, names: Collection[str]) -> None:
        """Mentions of these sources are about to wait in our spool."""
        spool, until = self._spool(), self._clock.now() + SPAN
        rows = [{"kind": KIND, "name": f"{name}\n{spool}", "worker": spool} for name in sorted(names)]
        mine = (lease.c.kind == KIND, lease.c.name.in_([row["name"] for row in rows]))
        with self._state.begin(by_rows=True) as connection:
            connection.execute(sa.delete(lease).where(*mine))
            connection.execute(sa.insert(lease), [{**row, "until": until} for row in rows])

    def let_go(self) -> None:
        """Our spool is empty."""
        with self._state.begin(by_rows=True) as connection:
            connection.execute(sa.delete(lease).where(lease.c.kind == KIND, lease.c.worker == self._spool()))
