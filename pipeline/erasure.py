"""Erasing persons and posts for ever; only the bar stays.

What goes: mentions and their history, what waits in spool and quarantine, raw pages, words in result lists (and their
copies beside mentions), and messages that quote them: sent ones lose their bytes, unsent ones are given up (see
``pipeline.quoting``).

Order: the bar first, so that nothing comes back meanwhile; the store last, so that after a death in between the
same call finds what it has still to do.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from pipeline.clock import Clock
from pipeline.mention import Mention
from pipeline.quoting import withdraw_quotes
from pipeline.raw_pages import remove_pages
from pipeline.spool import Spool
from pipeline.state.database import State
from pipeline.state.tables import audit, erasure, raw_page, result
from pipeline.store.protocol import Store
from pipeline.store.side import side_of

_MANY = 500


def erased_in(state: State) -> Callable[[Sequence[str]], set[str]]:
    """What ``open_store`` asks before it writes: which of some uids were erased."""

    def erased(uids: Sequence[str]) -> set[str]:
        found: set[str] = set()
        with state.read() as connection:
            for part in _parts(uids):
                found.update(connection.scalars(sa.select(erasure.c.uid).where(erasure.c.uid.in_(part))))
        return found

    return erased


def erase_author(
    state: State, store: Store, folder: Path, author: str, *, reason: str, by: str, clock: Clock
) -> list[str]:
    """Erase everything written under one pseudonym; returns the uids, sorted.

    The quarantine holds no authors: what lies there goes by its uid alone, with ``erase_mentions``.
    """
    uids = uids_of(store, folder, author)
    erase_mentions(state, store, folder, uids, reason=reason, by=by, clock=clock)
    return uids


def uids_of(store: Store, folder: Path, author: str) -> list[str]:
    """All that was written under a pseudonym, stored or waiting; sorted."""
    waiting = (mention.uid for mention in Spool(folder / "spool").waiting() if author in _authors(mention))
    return sorted({*store.written_by(author), *waiting})


def erase_mentions(
    state: State, store: Store, folder: Path, uids: Collection[str], *, reason: str, by: str, clock: Clock
) -> None:
    """Erase these mentions and bar their return. May be repeated."""
    now = clock.now()
    dialect = postgresql if state.engine.dialect.name == "postgresql" else sqlite
    with state.begin() as connection:
        for uid in sorted(uids):
            row = dialect.insert(erasure).values(uid=uid, reason=reason, at=now)
            connection.execute(row.on_conflict_do_nothing(index_elements=["uid"]))
        details = {"uids": sorted(uids), "reason": reason}
        connection.execute(sa.insert(audit).values(at=now, who=by, what="erasure", details=details))
    _carry_out(state, store, folder, uids, clock)


def apply_erasures(state: State, store: Store, folder: Path, clock: Clock) -> int:
    """Carry out what was recorded and is not done: after a death in between, or a restored backup. Returns how many."""
    with state.read() as connection:
        recorded = list(connection.scalars(sa.select(erasure.c.uid)))
    there = {uid for part in _parts(recorded) for uid in store.get(part)}
    if recorded:
        spool = Spool(folder / "spool")
        there.update(mention.uid for mention in spool.waiting())
        there.update(spool.quarantined())
    left = there.intersection(recorded)
    if left:
        _carry_out(state, store, folder, left, clock)
    return len(left)


def _carry_out(state: State, store: Store, folder: Path, uids: Collection[str], clock: Clock) -> None:
    wanted = set(uids)
    spool = Spool(folder / "spool")
    mentions = [mention for mention in spool.waiting() if mention.uid in wanted]
    for uid in sorted(wanted):
        mentions += [revision.mention for revision in store.history(uid)]
    with state.begin() as connection:
        pages = _pages(connection, mentions)
        for part in _parts(pages):
            these = sa.select(raw_page.c.sha256).where(raw_page.c.sha256.in_(part)).order_by(raw_page.c.sha256)
            connection.execute(these.with_for_update())  # in the order in which the crawl enters them
            connection.execute(sa.delete(raw_page).where(raw_page.c.sha256.in_(part)))
        for part in _parts(sorted(wanted)):
            bare = sa.update(result).where(result.c.uid.in_(part))
            connection.execute(bare.values(url="", title="", snippet=""))
        if wanted:
            first = min((mention.seen for mention in mentions), default=None)
            withdraw_quotes(connection, wanted, first, clock.now())
    remove_pages(folder / "raw", pages)
    spool.forget(lambda mention: mention.uid in wanted)
    spool.forget_quarantined(wanted)
    if (side := side_of(store)) is not None:
        side.forget(sorted(wanted))
    store.erase(sorted(wanted), "erased")


def _pages(connection: sa.Connection, mentions: Sequence[Mention]) -> list[str]:
    """Pages that may hold one of these: those named, all of the same addresses, and what the sources gave since.

    A post stands on the pages of lists and feeds, too, and the last reading of a thread is not named by a post that
    did not change. Frozen evidence goes only where it is named or of the same address.
    """
    named = {sha for mention in mentions for sha in _hashes(mention)}
    addresses: set[str] = set()
    for part in _parts(sorted(named)):
        addresses.update(connection.scalars(sa.select(raw_page.c.url).where(raw_page.c.sha256.in_(part))))
    found = set(named)
    for part in _parts(sorted(addresses)):
        found.update(connection.scalars(sa.select(raw_page.c.sha256).where(raw_page.c.url.in_(part))))
    seen = {source: min(m.seen for m in mentions if source in m.sources) for m in mentions for source in m.sources}
    for source, first in seen.items():
        since = sa.and_(raw_page.c.source == source, raw_page.c.at >= first, raw_page.c.frozen_until.is_(None))
        found.update(connection.scalars(sa.select(raw_page.c.sha256).where(since)))
    return sorted(found)


def _readings_of(mention: Mention) -> list[tuple[str | None, str | None]]:
    crawled = [mention.crawled, *(later.crawled for later in mention.later)]
    return [(one.author, one.raw_sha256) for one in crawled]


def _authors(mention: Mention) -> set[str]:
    return {author for author, _ in _readings_of(mention) if author}


def _hashes(mention: Mention) -> set[str]:
    return {sha256 for _, sha256 in _readings_of(mention) if sha256}


def _parts(values: Sequence[str]) -> list[Sequence[str]]:
    """Few enough at a time for one statement."""
    return [values[start : start + _MANY] for start in range(0, len(values), _MANY)]
