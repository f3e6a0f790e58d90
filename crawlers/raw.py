"""Fetched pages as evidence: compressed, named by their SHA-256, kept for the retention span or longer if frozen."""

from __future__ import annotations

import gzip
import hashlib
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from pipeline.raw_pages import page_file, remove_pages
from pipeline.state.database import State
from pipeline.state.tables import raw_page

LEVEL = 3
"""Of gzip. On 64 real pages 6 was a tenth smaller, in two and a half times the time."""


class RawPages:
    """The folder ``raw`` of a data folder and its table."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "raw"

    def path(self, sha256: str) -> Path:
        """Where a page lies."""
        return page_file(self.folder, sha256)

    def keep(self, body: bytes) -> str:
        """Write a page, once, and return its SHA-256. A file under its name is always whole."""
        sha256 = hashlib.sha256(body).hexdigest()
        path = self.path(sha256)
        if path.exists():
            os.utime(path)
            return sha256
        new = path.with_suffix(f".{os.getpid()}.new")
        packed = gzip.compress(body, LEVEL, mtime=0)
        try:
            new.write_bytes(packed)
        except FileNotFoundError:  # the first one of its folder
            path.parent.mkdir(parents=True, exist_ok=True)
            new.write_bytes(packed)
        new.replace(path)
        return sha256

    def load(self, sha256: str) -> bytes | None:
        """A page, or None where it is no longer kept."""
        try:
            return gzip.decompress(self.path(sha256).read_bytes())
        except FileNotFoundError:
            return None

    def purge(self, state: State, before: datetime, now: datetime) -> int:
        """Remove pages last fetched before that time, frozen ones excepted; returns how many."""
        kept = sa.and_(raw_page.c.frozen_until.is_not(None), raw_page.c.frozen_until > now)
        with state.begin() as connection:
            old = sa.select(raw_page.c.sha256).where(raw_page.c.at < before, sa.not_(kept)).limit(1000)
            gone = list(connection.scalars(old.order_by(raw_page.c.sha256).with_for_update(skip_locked=True)))
            connection.execute(sa.delete(raw_page).where(raw_page.c.sha256.in_(gone)))
        remove_pages(self.folder, gone)
        return len(gone)

    def purge_strays(self, state: State, older_than: float) -> int:
        """Remove files without a row (left by a death between both) that are older than a time of the file system."""
        with state.read() as connection:
            known = set(connection.scalars(sa.select(raw_page.c.sha256)))
        strays = [path for path in self.folder.glob("*/*") if path.name.partition(".")[0] not in known]
        strays = [path for path in strays if path.stat().st_mtime < older_than]
        for path in strays:
            path.unlink(missing_ok=True)
        return len(strays)


def note(connection: sa.Connection, source: str, pages: Mapping[str, tuple[str, int]], now: datetime) -> None:
    """Enter kept pages, SHA-256 → (URL, bytes), in the transaction that applies a visit."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    for sha256, (url, size) in sorted(pages.items()):  # in one order, so that two never wait for each other
        row = {"sha256": sha256, "url": url, "source": source, "at": now, "bytes": size}
        statement = dialect.insert(raw_page).values(**row)
        connection.execute(statement.on_conflict_do_update(index_elements=["sha256"], set_={"at": now}))
