"""Moving everything from one store to another, month by month, compared afterwards by checksum; may be repeated.

What has begun is noted in the target and nobody else writes there until it is whole. A second run skips the months that
agree already and takes the others anew, so that a copy may be killed at any moment.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

import msgspec

from pipeline.clock import Clock
from pipeline.store.ahead import ahead
from pipeline.store.protocol import Store
from pipeline.store.transfer import ALIASES, ERASED, Checksum, Kept, Record, Transfer, in_order, uid_of

BATCH = 1_000


class CopyRefused(Exception):
    """The copy would destroy or mix something; the message says what and what to do. Nothing has been changed."""


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """One part on both sides, after it was copied or found to agree."""

    part: str
    source: Checksum
    target: Checksum
    copied: bool
    """False: it agreed already."""
    barred: int = 0
    """Mentions that were left out since they were erased at the target."""

    @property
    def agrees(self) -> bool:
        """Whether both sides hold the same."""
        return self.source == self.target


class Copied(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a copy."""

    parts: tuple[Compared, ...]
    source_changed: bool = False
    """Mentions were stored, changed or removed at the source meanwhile: another run is needed."""

    @property
    def whole(self) -> bool:
        """Whether the target now holds what the source holds."""
        return not self.source_changed and all(part.agrees for part in self.parts)

    @property
    def mentions(self) -> int:
        """How many the target holds."""
        return sum(part.target.mentions for part in self.parts)


def copy(
    source: Store,
    target: Store,
    *,
    clock: Clock,
    moved: Callable[[int], None] = lambda mentions: None,
    compared: Callable[[Compared], None] = lambda part: None,
) -> Copied:
    """Copy everything in ``source`` into ``target``.

    ``moved`` is told of mentions twice, when they are written and when they are read back; ``compared`` of each part.
    Raises CopyRefused where the target holds other data, and StoreError.
    """
    giver, taker = source.transfer(), target.transfer()
    admit(giver, taker)
    taker.begin(giver.name)
    began, before = clock.now(), _numbers(source)
    parts = move(giver, taker, moved=moved, compared=compared)
    changed = bool(source.first_stored_since(began, limit=1)) or _numbers(source) != before
    outcome = Copied(parts=parts, source_changed=changed)
    if outcome.whole:
        taker.finish()
    return outcome


def move(
    giver: Transfer,
    taker: Transfer,
    *,
    moved: Callable[[int], None],
    compared: Callable[[Compared], None] = lambda part: None,
) -> tuple[Compared, ...]:
    """Bring every part of the taker to what the giver holds; ``copy`` without asking and without notes."""
    results = []
    for part, there in _parts(giver, taker):
        result = _part(giver, taker, part, there, moved)
        compared(result)
        results.append(result)
    return tuple(results)


def admit(giver: Transfer, taker: Transfer) -> None:
    """Raise CopyRefused where one store may not be copied into the other."""
    if giver.name == taker.name:
        raise CopyRefused(f"source and target are the same store: {giver.name}")
    half = giver.unfinished()
    if half is not None:
        raise CopyRefused(f"{giver.name} is itself an unfinished copy of {half}: finish that one first")
    other = taker.unfinished()
    if other is not None and other != giver.name:
        raise CopyRefused(f"{taker.name} holds an unfinished copy of {other}: go on with that one, or empty the target")
    if other is None and not taker.empty():
        raise CopyRefused(f"{taker.name} holds data already: a copy wants an empty target")


def _parts(giver: Transfer, taker: Transfer) -> Iterator[tuple[str, bool]]:
    """Every part of either side, and whether the target has anything in it."""
    there = set(taker.parts())
    every = {*giver.parts(), *there}
    months = every - {ERASED, ALIASES}
    for part in in_order(months, erased=ERASED in every, aliases=ALIASES in every):
        yield part, part in there


def _part(giver: Transfer, taker: Transfer, part: str, there: bool, moved: Callable[[int], None]) -> Compared:
    """Copy a part unless both sides agree."""
    if part == ERASED:
        return _erased(giver, taker, moved)
    if there:
        before = _Source(giver.dump(part), taker)
        for batch in before:
            moved(_mentions(batch))
        found = _checksum(taker.dump(part), moved)
        if found == before.checksum:
            return Compared(part=part, source=before.checksum, target=found, copied=False, barred=before.barred)
        moved(-before.checksum.mentions - found.mentions)
        if part != ALIASES:
            taker.discard(part)
    given = _Source(giver.dump(part), taker)
    _loaded(taker, given, moved)
    found = _checksum(taker.dump(part), moved)
    return Compared(part=part, source=given.checksum, target=found, copied=True, barred=given.barred)


def _loaded(taker: Transfer, given: _Source, moved: Callable[[int], None]) -> None:
    """Load while the next batches are read; as many at once as the target takes, and no more in memory."""
    running: deque[tuple[Future[None], int]] = deque()

    def one_done() -> None:
        future, mentions = running.popleft()
        future.result()
        moved(mentions)

    with ThreadPoolExecutor(taker.lanes) as pool:
        for batch in given:
            running.append((pool.submit(taker.load, batch), _mentions(batch)))
            while len(running) > taker.lanes:
                one_done()
        while running:
            one_done()


def _erased(giver: Transfer, taker: Transfer, moved: Callable[[int], None]) -> Compared:
    """The target may bar more than the source does: only what the source knows is compared."""
    given = Checksum()
    for batch in _batches(giver.dump(ERASED)):
        taker.load(batch)
        for record in batch:
            given.add(record)
    found = Checksum()
    for batch in _batches(taker.dump(ERASED)):
        known = giver.barred([uid for record in batch if (uid := uid_of(record))])
        for record in batch:
            if uid_of(record) in known:
                found.add(record)
    return Compared(part=ERASED, source=given, target=found, copied=True)


class _Source:
    """Batches of a part without what the target bars, and their checksum once they are through."""

    def __init__(self, records: Iterable[Record], taker: Transfer) -> None:
        self._records, self._taker = records, taker
        self.checksum, self.barred = Checksum(), 0

    def __iter__(self) -> Iterator[list[Record]]:
        for batch in ahead(_batches(self._records)):
            barred = self._taker.barred([uid for record in batch if (uid := uid_of(record))])
            kept = [record for record in batch if uid_of(record) not in barred]
            self.barred += _mentions(batch) - _mentions(kept)
            for record in kept:
                self.checksum.add(record)
            yield kept


def _checksum(records: Iterable[Record], moved: Callable[[int], None]) -> Checksum:
    checksum = Checksum()
    for batch in ahead(_batches(records)):
        for record in batch:
            checksum.add(record)
        moved(_mentions(batch))
    return checksum


def _batches(records: Iterable[Record]) -> Generator[list[Record]]:
    left = iter(records)
    while batch := list(islice(left, BATCH)):
        yield batch


def _mentions(batch: list[Record]) -> int:
    return sum(isinstance(record, Kept) for record in batch)


def _numbers(source: Store) -> tuple[object, ...]:
    """Of its mentions and their revisions, by whomever they were written."""
    source.refresh()
    found = source.statistics()
    return found["mentions"], found["revisions"]
