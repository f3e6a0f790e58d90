"""Visiting again what carried mentions: an edit becomes a new version, what is gone is taken out of our books, too."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from crawlers.parsing import Parsed
from pipeline.identity import uid_of
from pipeline.item import Item
from pipeline.state.tables import removal, revisit
from pipeline.words import Answer, Kind

STEPS = (timedelta(hours=5), timedelta(days=7), timedelta(days=30))
"""After these a page is visited again; the first a little sooner or later."""
PER_VISIT = 5
"""So many pages one visit looks at again."""
AGAIN = timedelta(hours=1)
"""After which a page is tried again that could not be read."""
_JITTER = 0.2
_NUMBER = re.compile(r"[0-9]{1,18}$")


class Followed(msgspec.Struct, frozen=True, array_like=True):
    """One thing that may be a mention, and the page it was found on."""

    id: str
    """As the page names it."""
    origin: str
    native: str
    kind: Kind
    digest: str
    url: str | None = None
    thread: str | None = None
    own: bool = False
    """By an own account: its removal is noted."""

    @property
    def uid(self) -> str:
        return uid_of(self.origin, self.native)


class Revisit(msgspec.Struct, frozen=True):
    """A page that is due to be looked at again."""

    page: str
    step: int
    items: tuple[Followed, ...]


def followed(item: Item, item_id: str) -> Followed:
    """What is remembered of an item."""
    return Followed(item_id, item.origin, item.native_id, item.kind, digest(item), item.url, item.thread)


def digest(item: Item) -> str:
    """Changes where what was said changes."""
    return blake2b(f"{item.title}\n{item.text}".encode("utf-8", "replace"), digest_size=6).hexdigest()


def vanished(page: Revisit, parsed: Parsed, thread: str | None) -> Iterator[Followed]:
    """What the page ought to show and does not: its neighbours stand there, before and after it.

    Without them it may only have moved to another page. ``thread``: what the page is a page of, if known.
    """
    shown = {item.id for item in parsed.items}
    numbers = [number for one in shown if (number := _number(one)) is not None]
    for item in page.items:
        number = _number(item.id)
        if item.id in shown or number is None or not numbers:
            continue
        if thread is not None and item.thread is not None and thread != item.thread:
            continue
        begins = parsed.first_page is True or min(numbers) < number
        ends = not parsed.links.next or max(numbers) > number
        if begins and ends:
            yield item


def readable(parsed: Parsed) -> bool:
    """Whether a page says anything about what is on it: a wall, a challenge or a changed layout does not."""
    return parsed.state is Answer.OK and bool(parsed.items)


def _number(item_id: str) -> int | None:
    found = _NUMBER.search(item_id)
    return int(found[0]) if found else None


# --- the table --------------------------------------------------------------------------------------------------


def due(conn: sa.Connection, source: str, now: datetime) -> tuple[Revisit, ...]:
    """The pages a visit is to look at again, longest due first."""
    wanted = sa.select(revisit).where(revisit.c.source == source, revisit.c.due <= now)
    rows = conn.execute(wanted.order_by(revisit.c.due, revisit.c.page).limit(PER_VISIT)).all()
    return tuple(Revisit(row.page, row.step, _items(row.items)) for row in rows)


def note(
    conn: sa.Connection,
    source: str,
    page: str,
    items: Mapping[str, Followed],
    now: datetime,
    chance: random.Random,
) -> None:
    """Remember a page with mentions (by uid). One that is known already is looked at again soon, with the new ones."""
    row = conn.execute(sa.select(revisit).where(*_key(source, page))).one_or_none()
    soon = now + STEPS[0] * (1 + chance.uniform(-_JITTER, _JITTER))
    known = {} if row is None else {item.uid: item for item in _items(row.items)}
    at = soon if row is None else min(soon, row.due)
    _write(conn, source, page, 0, at, known | dict(items))


def advance(conn: sa.Connection, source: str, page: Revisit, left: Mapping[str, Followed], now: datetime) -> None:
    """A page was looked at again: the next time, or never more."""
    step = page.step + 1
    if step >= len(STEPS) or not left:
        conn.execute(sa.delete(revisit).where(*_key(source, page.page)))
    else:
        _write(conn, source, page.page, step, now + STEPS[step], left)


def later(conn: sa.Connection, source: str, page: str, now: datetime) -> None:
    """A page could not be read: it says nothing, and is tried again."""
    conn.execute(sa.update(revisit).where(*_key(source, page)).values(due=now + AGAIN))


def removed(conn: sa.Connection, source: str, item: Followed, now: datetime) -> None:
    """An own account's post is gone: somebody may have taken it down."""
    values = {"source": source, "uid": item.uid, "url": item.url or "", "at": now}
    conn.execute(sa.insert(removal).values(**values, note="the post of an own account is no longer there"))


def _write(conn: sa.Connection, source: str, page: str, step: int, at: datetime, items: Mapping[str, Followed]) -> None:
    dialect = postgresql if conn.dialect.name == "postgresql" else sqlite
    values: dict[str, Any] = {"step": step, "due": at, "items": msgspec.to_builtins(list(items.values()))}
    statement = dialect.insert(revisit).values(source=source, page=page, **values)
    conn.execute(statement.on_conflict_do_update(index_elements=["source", "page"], set_=values))


def _items(stored: Any) -> tuple[Followed, ...]:
    return msgspec.convert(stored, tuple[Followed, ...])


def _key(source: str, page: str) -> tuple[Any, Any]:
    return revisit.c.source == source, revisit.c.page == page
