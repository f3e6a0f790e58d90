"""ETag and Last-Modified of pages that honour them: sent on the next visit, remembered only after a complete one."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from pipeline.state.database import State
from pipeline.state.tables import validator


class Validators:
    """The validators of one source during one visit. A page's new ones wait until the visit has been applied."""

    def __init__(self, state: State, source: str) -> None:
        self._state, self._source = state, source
        self._fresh: dict[str, tuple[str | None, str | None]] = {}

    def known(self, url: str) -> dict[str, str]:
        """Headers that ask whether a page has changed since the last complete visit; empty where unknown."""
        with self._state.read() as connection:
            row = connection.execute(sa.select(validator).where(validator.c.url == self._key(url))).one_or_none()
        if row is None:
            return {}
        headers = {"If-None-Match": row.etag, "If-Modified-Since": row.last_modified}
        return {name: value for name, value in headers.items() if value}

    def note(self, url: str, etag: str | None, last_modified: str | None) -> None:
        """What an answer said; not yet remembered."""
        if etag or last_modified:
            self._fresh[url] = (etag, last_modified)

    def remember(self, connection: sa.Connection, now: datetime) -> None:
        """Store what was noted, in the transaction that applies the visit."""
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        for url, (etag, last_modified) in sorted(self._fresh.items()):
            values = {"etag": etag, "last_modified": last_modified, "at": now}
            statement = dialect.insert(validator).values(url=self._key(url), **values)
            connection.execute(statement.on_conflict_do_update(index_elements=["url"], set_=values))

    def _key(self, url: str) -> str:
        """Two sources may read one page: what one has seen, the other has not."""
        return f"{self._source} {url}"
