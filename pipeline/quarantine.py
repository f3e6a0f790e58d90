"""What could not be processed or stored: listed with its reason, and tried again once the reason is gone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime

import msgspec
from sqlalchemy.exc import OperationalError

from pipeline.identity import uid_of
from pipeline.item import Item
from pipeline.mention import Mention
from pipeline.run import Pipeline, Rejected
from pipeline.spool import Quarantined, Spool, Waiting
from pipeline.store.protocol import StoreError

RELEASED_AT_ONCE = 100
"""So many are taken out of the file together."""
_TROUBLES = (StoreError, OSError, OperationalError)
"""Of disks and databases: no entry is to blame."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One thing in quarantine. ``thing`` is None where this release cannot read what it was."""

    line: bytes
    """As it lies in the file."""
    at: datetime
    reason: str
    thing: Item | Mention | None = None

    @property
    def uid(self) -> str:
        """Of the mention it is or would be; empty where that is not known."""
        if isinstance(self.thing, Item):
            return uid_of(self.thing.origin, self.thing.native_id)
        return self.thing.uid if self.thing else ""

    @property
    def source(self) -> str:
        """The source that brought it; empty where that is not known."""
        if isinstance(self.thing, Item):
            return self.thing.source
        return self.thing.first_source if self.thing else ""

    @property
    def url(self) -> str:
        """Its address, where it has one."""
        if isinstance(self.thing, Item):
            return self.thing.url or ""
        return (self.thing.crawled.url or "") if self.thing else ""


class Retried(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the quarantine; the parts add up to its entries."""

    stored: int = 0
    """New mentions, and new revisions of known ones."""
    unchanged: int = 0
    """Stored already, by another reading."""
    ignored: int = 0
    """About no brand any more, erased, or older than the retention."""
    left: tuple[tuple[Entry, str], ...] = ()
    """What stays, each with the reason of this time."""


def entries(spool: Spool) -> Iterator[Entry]:
    """What lies in quarantine, oldest first."""
    for line in spool.quarantine_lines():
        try:
            found = msgspec.json.decode(line, type=Quarantined)
        except msgspec.MsgspecError as error:
            yield Entry(line=line, at=datetime.fromtimestamp(0, UTC), reason=f"unreadable entry: {error}")
        else:
            yield Entry(line=line, at=found.at, reason=found.reason, thing=_thing(bytes(found.record)))


def retry(pipeline: Pipeline, *, tried: Callable[[int], None] = lambda entries: None) -> Retried:
    """Run everything in quarantine through the pipeline again; what is stored now, or need not be, leaves it.

    Raises StoreError, OSError or OperationalError where nothing can be stored now; what was stored before that has
    left. May be repeated after a death: what was stored already is unchanged then.
    """
    counts = {"stored": 0, "unchanged": 0, "ignored": 0}
    left: list[tuple[Entry, str]] = []
    done: set[bytes] = set()
    try:
        for entry in entries(pipeline.spool):
            reason = _again(pipeline, entry, counts)
            if reason:
                left.append((entry, reason))
            else:
                done.add(entry.line)
            if len(done) == RELEASED_AT_ONCE:
                pipeline.spool.release(done)
                done.clear()
            tried(1)
    finally:
        pipeline.spool.release(done)
    return Retried(left=tuple(left), **counts)


def _again(pipeline: Pipeline, entry: Entry, counts: dict[str, int]) -> str:
    """Try one; the reason why it stays, or nothing."""
    if entry.thing is None:
        return entry.reason
    try:
        fed = pipeline.again(entry.thing)
    except _TROUBLES:
        raise
    except Rejected as error:
        return str(error)
    except Exception as error:
        return repr(error)
    counts["stored"] += fed.stored + fed.revised
    counts["unchanged"] += fed.unchanged
    counts["ignored"] += fed.ignored
    return ""


def _thing(record: bytes) -> Item | Mention | None:
    """What was put aside: an item, a mention, or a line of the spool that an older release could not read."""
    with suppress(msgspec.MsgspecError):
        return msgspec.json.decode(record, type=Item)
    with suppress(msgspec.MsgspecError):
        return msgspec.json.decode(record, type=Mention)
    with suppress(msgspec.MsgspecError):
        return msgspec.json.decode(record, type=Waiting).mention
    with suppress(msgspec.MsgspecError):
        return _thing(msgspec.json.decode(record, type=str).encode())
    return None
