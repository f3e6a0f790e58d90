"""Thread contexts in the state database: title and the brands a thread is about."""

from __future__ import annotations

from sqlalchemy import select, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from pipeline.clock import Clock
from pipeline.draft import ThreadContext
from pipeline.state.database import State
from pipeline.state.tables import thread

_CHUNK = 400


class StateThreads:
    """A ThreadBook over the table ``thread``."""

    def __init__(self, state: State, clock: Clock) -> None:
        self._state, self._clock = state, clock

    def get(self, keys: list[tuple[str, str]]) -> dict[tuple[str, str], ThreadContext]:
        found: dict[tuple[str, str], ThreadContext] = {}
        with self._state.read() as connection:
            for start in range(0, len(keys), _CHUNK):
                wanted = tuple_(thread.c.origin, thread.c.thread).in_(keys[start : start + _CHUNK])
                for row in connection.execute(select(thread).where(wanted)):
                    found[row.origin, row.thread] = ThreadContext(row.title, tuple(row.brands), row.opening_read)
        return found

    def put(self, contexts: dict[tuple[str, str], ThreadContext]) -> None:
        if not contexts:
            return
        now = self._clock.now()
        # in one order, so that two writers never wait for each other
        rows = [
            {
                "origin": origin,
                "thread": native,
                "title": context.title,
                "brands": list(context.brands),
                "opening_read": context.opening_read,
                "at": now,
            }
            for (origin, native), context in sorted(contexts.items())
        ]
        dialect = postgresql if self._state.engine.dialect.name == "postgresql" else sqlite
        statement = dialect.insert(thread)
        changed = {name: statement.excluded[name] for name in ("title", "brands", "opening_read", "at")}
        with self._state.begin(by_rows=True) as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=["origin", "thread"], set_=changed), rows)
