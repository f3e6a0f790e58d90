"""What a store gives and takes when everything in it moves to another store, of this engine or of another one.

A store is moved in *parts*: ``erased`` (who may never come back), ``aliases`` (stories that turned out to be one) and
one part for each month, ``2026-11``. A month holds the mentions whose event time lies in it, each with all its
revisions, and the bands of near-copies of the weeks that begin in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

import msgspec

from pipeline.mention import Mention
from pipeline.store.protocol import Revision, Store, StoreError

ERASED, ALIASES = "erased", "aliases"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
WEEK = timedelta(weeks=1)
FIRST_MONTH = "1970-01"
"""Everything older belongs to it, too."""


class Kept(msgspec.Struct, frozen=True, kw_only=True, tag="mention"):
    """One mention with all that was ever known of it."""

    mention: Mention
    """The current revision."""
    first_known: datetime
    """When the first revision was written."""
    earlier: tuple[Revision, ...] = ()
    """The replaced revisions, oldest first; each has a ``known_to``."""


class Signature(msgspec.Struct, frozen=True, kw_only=True, tag="signature"):
    """The bands under which near-copies of one mention are found."""

    uid: str
    week: int
    """Number of the week since 1970."""
    bands: tuple[int, ...]
    """Unsigned 64-bit numbers, ascending."""


class Erased(msgspec.Struct, frozen=True, kw_only=True, tag="erased"):
    """A mention that may never be stored again."""

    uid: str
    reason: str
    at: datetime


class Alias(msgspec.Struct, frozen=True, kw_only=True, tag="alias"):
    """``newer`` goes by the id ``older``, which itself goes by no other."""

    newer: str
    older: str


Record = Kept | Signature | Erased | Alias


class Transfer(Protocol):
    """One store as the giving or taking side of a move; ``Store.transfer`` makes it. Raises StoreError."""

    name: str
    """Engine and place, for people and for the note of an unfinished copy; holds no secret."""
    lanes: int
    """How many calls of ``load`` at once help; more do no harm."""

    def parts(self) -> list[str]:
        """Parts with anything in them: ``erased`` and ``aliases`` first, then months, newest first."""
        ...

    def dump(self, part: str) -> Iterator[Record]:
        """Everything in a part, in constant memory, each thing once, as it was at one moment."""
        ...

    def load(self, records: Sequence[Record]) -> None:
        """Store up to 1,000 records durably, as they are: revisions and times are kept, nothing is merged.

        A mention replaces all that was known of it here; of two the last counts. What is ``barred`` is left out.
        """
        ...

    def discard(self, part: str) -> None:
        """Remove everything in a month; a mention that leaves so is not barred."""
        ...

    def barred(self, uids: Sequence[str]) -> set[str]:
        """Which of these were erased here and are therefore not taken."""
        ...

    def empty(self) -> bool:
        """Whether no mention and no alias is stored; what is barred does not count."""
        ...

    def unfinished(self) -> str | None:
        """The name of the store whose copy into this one has begun and not ended. Until it ends nobody else writes."""
        ...

    def begin(self, source: str) -> None:
        """Note durably that a copy of that store comes in; from now on whoever else writes gets a StoreError."""
        ...

    def finish(self) -> None:
        """Take the note away: the copy is whole."""
        ...


def unfinished_copy(name: str, source: str) -> str:
    """What to tell whoever would write into a store that is half a copy."""
    return f"{name} holds an unfinished copy of {source}: run `sturmwarte store copy` again until it is whole"


def half_a_copy(moved: Transfer) -> list[str]:
    """What a check finds: one sentence where a copy has begun to come in and has not ended."""
    source = moved.unfinished()
    return [] if source is None else [unfinished_copy(moved.name, source)]


def refuse_half_a_copy(store: Store) -> None:
    """Raise StoreError where the store is one: nobody could write to it."""
    for sentence in half_a_copy(store.transfer()):
        raise StoreError(sentence)


# --- months -------------------------------------------------------------------------------------------------------


def month_of(at: datetime) -> str:
    """The month a mention with that event time is moved with."""
    return FIRST_MONTH if at < EPOCH else f"{at.astimezone(UTC):%Y-%m}"


def month_of_week(week: int) -> str:
    """The month that the bands of a week are moved with: the one in which it begins."""
    return month_of(EPOCH + week * WEEK)


def bounds(month: str) -> tuple[datetime | None, datetime]:
    """First moment of a month (None: no lower bound) and of the next one. Raises ValueError."""
    start = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)
    end = (start + timedelta(days=31)).replace(day=1)
    return (None if month == FIRST_MONTH else start), end


def weeks(month: str) -> tuple[int, int]:
    """Numbers of the first week that begins in a month, and of the first that begins later."""
    start, end = bounds(month)
    return (-(1 << 62) if start is None else -((EPOCH - start) // WEEK)), -((EPOCH - end) // WEEK)


def in_order(months: Iterable[str], *, erased: bool, aliases: bool) -> list[str]:
    """Parts in the order in which they are moved."""
    fixed = [part for part, there in ((ERASED, erased), (ALIASES, aliases)) if there]
    return [*fixed, *sorted(set(months), reverse=True)]


# --- checksums ----------------------------------------------------------------------------------------------------

_encode = msgspec.json.Encoder().encode


class Checksum(msgspec.Struct, kw_only=True):
    """Of the records of a part, whatever their order and the engine that gave them."""

    records: int = 0
    mentions: int = 0
    revisions: int = 0
    total: int = 0

    def add(self, record: Record) -> None:
        """Count a record in. The sum of hashes does not depend on the order, and doubles do not cancel each other."""
        self.records += 1
        if isinstance(record, Kept):
            self.mentions += 1
            self.revisions += 1 + len(record.earlier)
        digest = hashlib.blake2b(_encode(record), digest_size=16).digest()
        self.total = (self.total + int.from_bytes(digest, "big")) % (1 << 128)

    def __str__(self) -> str:
        return f"{self.total:032x}"


def uid_of(record: Record) -> str | None:
    """The mention that a record is about; None where it is about a whole story."""
    if isinstance(record, Kept):
        return record.mention.uid
    return None if isinstance(record, Alias) else record.uid
