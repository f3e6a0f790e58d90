"""One batch: merged, written under optimistic locks, replaced revisions kept.

A replaced revision is in the history before it is replaced: its row is created first, open; then the mention is written
only where it is still what was read; then the winner closes the row with ``known_to``. Whoever dies in between leaves
rows that readers understand: of several valid revisions the highest is meant. What a faster writer has changed is read
again, merged again, offered again. Rows are closed and bared under locks too, so that a slow writer restores nothing.

Erasures and joined stories that come in between are looked for once more after the write: whoever comes second sees
the other.
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.mention import Mention, without_text
from pipeline.store.elastic import removal, stories
from pipeline.store.elastic.access import Access
from pipeline.store.elastic.bulk import Operation, Outcome, carry_out
from pipeline.store.elastic.documents import Document, document, mention_of
from pipeline.store.elastic.locating import Located, at, exists, history_beside, located
from pipeline.store.elastic.mapping import ensure_month
from pipeline.store.elastic.names import history_id, month
from pipeline.store.measures import micros
from pipeline.store.planning import Change, planned
from pipeline.store.protocol import REJECTED, StoreError, Written

__all__ = ["located", "write"]

ROUNDS = 20


@dataclass(slots=True)
class _Batch:
    """One write call. ``fate`` is what became of a uid: created, revised, unchanged, or why it was refused."""

    access: Access
    given: dict[str, list[Mention]]
    token: str = field(default_factory=lambda: secrets.token_hex(8))
    stored: dict[str, Located] = field(default_factory=dict)
    fate: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    tried: dict[str, Change] = field(default_factory=dict)
    """Offered in an earlier round: it may have been stored although the answer was lost."""
    rows: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Where the history rows are that this call has opened, as (seq_no, primary_term)."""
    written: dict[str, str] = field(default_factory=dict)
    """uid → index of all that this call has stored."""


def write(access: Access, mentions: Sequence[Mention], barred: Callable[[Sequence[str]], dict[str, str]]) -> Written:
    """Merge mentions into the store. ``barred`` gives uid → reason of those that may not be stored.

    Raises StoreError where the cluster cannot write; some may be stored then, and the same batch may be given again.
    """
    given: dict[str, list[Mention]] = {}
    for mention in mentions:
        given.setdefault(mention.uid, []).append(mention)
    batch = _Batch(access, given)
    batch.stored = located(access, given)
    due = list(given)
    for number in range(ROUNDS):
        if number > 2:
            time.sleep(random.uniform(0, 0.02 * number))
        due = _round(batch, due, barred)
        if not due:
            return _told(batch)
    raise StoreError(f"{len(due)} mentions were changed by others again and again while they were written: try again")


def _told(batch: _Batch) -> Written:
    _look_again(batch)
    parts: dict[str, list[str]] = {"created": [], "revised": [], "unchanged": []}
    for uid in batch.given:
        if uid not in batch.refused:
            parts[batch.fate[uid]].append(uid)
    refused = tuple((uid, batch.refused[uid]) for uid in batch.given if uid in batch.refused)
    return Written(refused=refused, **{name: tuple(uids) for name, uids in parts.items()})


def _round(batch: _Batch, due: list[str], barred: Callable[[Sequence[str]], dict[str, str]]) -> list[str]:
    """Offer what is due; returns what somebody else was faster with, now read again."""
    batch.refused.update(barred(due))
    due = [uid for uid in due if uid not in batch.refused]
    known = {uid: hit.mention for uid in due if (hit := batch.stored.get(uid)) is not None}
    plan = planned([m for uid in due for m in batch.given[uid]], known, batch.access.clock.now())
    for name in ("created", "revised", "unchanged"):
        batch.fate.update((uid, name) for uid in getattr(plan, name))
    own = {change.new.story or change.new.uid for change in plan.changes}
    own |= {change.old.story or change.old.uid for change in plan.changes if change.keep and change.old}
    roots = stories.roots(batch.access, own)
    changes = _with_history(batch, plan.changes, roots)
    lost = _offer(batch, changes, roots)
    won = [change for change in changes if change.new.uid in batch.written and change.new.uid not in lost]
    _close(batch, [change for change in won if change.keep], roots)
    _bare(batch, due)
    return _read_again(batch, lost, roots)


def _with_history(batch: _Batch, changes: Sequence[Change], roots: dict[str, str]) -> list[Change]:
    """Put what is about to be replaced into the history, open; returns the changes that may go on."""
    kept = [change for change in changes if change.keep]
    operations = [_open_row(batch, change, roots) for change in kept]
    for change, operation, outcome in zip(kept, operations, _carried_out(batch, operations), strict=True):
        if outcome.done and outcome.at:
            batch.rows[operation.id] = outcome.at
        elif not (outcome.done or outcome.conflict):
            batch.refused[change.new.uid] = f"{REJECTED}{outcome.kind}: {outcome.reason}"
    return [change for change in changes if change.new.uid not in batch.refused]


def _open_row(batch: _Batch, change: Change, roots: dict[str, str]) -> Operation:
    """The history row of what is about to be replaced."""
    old, hit = change.old, batch.stored[change.new.uid]
    assert old is not None
    made = document(old, roots[old.story or old.uid], hit.first_known)
    return Operation("create", history_beside(batch.access, hit.index), history_id(old.uid, old.revision), made)


def _closed_row(
    batch: _Batch, change: Change, roots: dict[str, str], place: tuple[int, int], *, emptied: bool = False
) -> Operation:
    """The same row once it is replaced; words that somebody took out of it meanwhile (``emptied``) stay out."""
    old, known_to = change.old, change.new.known_from
    assert old is not None and known_to is not None
    if emptied or change.new.deleted_at is not None:
        old = without_text(old)
    hit = batch.stored[old.uid]
    made = document(old, roots[old.story or old.uid], hit.first_known)
    made["known_to"], made["known_to_us"] = known_to.isoformat(), micros(known_to)
    return Operation("index", history_beside(batch.access, hit.index), history_id(old.uid, old.revision), made, place)


def _offer(batch: _Batch, changes: Sequence[Change], roots: dict[str, str]) -> list[str]:
    """Write the mentions; returns those that somebody else was faster with."""
    operations = [_offered(batch, change, roots) for change in changes]
    lost = []
    for operation, outcome in zip(operations, _carried_out(batch, operations), strict=True):
        if outcome.done:
            batch.written[operation.id] = operation.index
            batch.access.recent.note(operation.id, operation.index)
        elif outcome.conflict:
            lost.append(operation.id)
        else:
            batch.refused[operation.id] = f"{REJECTED}{outcome.kind}: {outcome.reason}"
    return lost


def _offered(batch: _Batch, change: Change, roots: dict[str, str]) -> Operation:
    """The operation for a change; its document is made when its turn has come."""
    new = change.new
    uid, hit = new.uid, batch.stored.get(new.uid)
    assert new.known_from is not None
    first_known = hit.first_known if hit else micros(new.known_from)
    batch.tried[uid] = change

    def made() -> Document:
        return {**document(new, roots[new.story or uid], first_known), "write": batch.token}

    if hit is None:
        return Operation("create", batch.access.names.mentions_of(month(new.event_time)), uid, made)
    return Operation("index", hit.index, uid, made, hit.at)


def _carried_out(batch: _Batch, operations: list[Operation]) -> list[Outcome]:
    """Like ``bulk.carry_out``; makes the months that are missing."""
    if not operations:
        return []
    access = batch.access
    wanted = {access.names.month_of(operation.index) for operation in operations}
    for missing in sorted(wanted - access.months):
        ensure_month(access.client, access.names, missing)
        access.months.add(missing)
    try:
        outcomes = carry_out(access.client, operations)
    finally:
        access.unrefreshed.mark(access.names.mentions, access.names.history)
    if any(outcome.kind == "index_not_found_exception" for outcome in outcomes):
        access.months.clear()  # a month has been dropped by somebody
    return outcomes


def _read_again(batch: _Batch, lost: Sequence[str], roots: dict[str, str]) -> list[str]:
    """Read what others have written; what turns out to be our own was stored although its answer was lost."""
    if not lost:
        return []
    names = batch.access.names
    places = {
        uid: hit.index if (hit := batch.stored.get(uid)) else names.mentions_of(month(batch.tried[uid].new.event_time))
        for uid in lost
    }
    found = at(batch.access, places)
    gone = [uid for uid in lost if uid not in found]
    if gone:  # removed, or joined to a copy in an older month
        batch.access.recent.forget(gone)
        batch.access.client.indices.refresh(index=names.mentions, filter_path="_shards.failed")
        found.update(located(batch.access, gone))
    own = [uid for uid in lost if uid in found and found[uid].write == batch.token]
    for uid in own:
        batch.written[uid] = found[uid].index
        batch.access.recent.note(uid, found[uid].index)
    _close(batch, [batch.tried[uid] for uid in own if batch.tried[uid].keep], roots)
    due = [uid for uid in lost if uid not in own]
    for uid in due:
        batch.stored.pop(uid, None)
        if uid in found:
            batch.stored[uid] = found[uid]
    return due


# --- history ------------------------------------------------------------------------------------------------------


def _close(batch: _Batch, changes: Sequence[Change], roots: dict[str, str]) -> None:
    """Say in the history until when each replaced revision was the known one."""
    due = {history_id(change.new.uid, change.new.revision - 1): change for change in changes}
    mine = {
        id_: _closed_row(batch, change, roots, batch.rows.pop(id_)) for id_, change in due.items() if id_ in batch.rows
    }
    due = _still_open(batch, due, mine)
    while due:  # opened by somebody else, or changed since
        places = [(history_beside(batch.access, batch.stored[c.new.uid].index), id_) for id_, c in due.items()]
        rows = {id_: row for (_, id_), row in exists(batch.access, places, "doc", "known_to_us").items()}
        due = {id_: c for id_, c in due.items() if id_ in rows and "known_to_us" not in rows[id_]["_source"]}
        theirs = {}
        for id_, change in due.items():
            found = mention_of(rows[id_]["_source"])
            place = rows[id_]["_seq_no"], rows[id_]["_primary_term"]
            theirs[id_] = _closed_row(batch, change, roots, place, emptied=found == without_text(found))
        due = _still_open(batch, due, theirs)


def _still_open(batch: _Batch, due: dict[str, Change], closing: dict[str, Operation]) -> dict[str, Change]:
    """Write closed rows; returns the changes whose rows were not closed by that."""
    outcomes = dict(zip(closing, _carried_out(batch, list(closing.values())), strict=True))
    return {id_: change for id_, change in due.items() if id_ not in outcomes or outcomes[id_].conflict}


def _bare(batch: _Batch, uids: Iterable[str]) -> None:
    """Take the words out of the history of what the source has deleted."""
    reported = [uid for uid in uids if any(mention.deleted_at for mention in batch.given[uid])]
    deleted = [uid for uid in reported if uid in batch.written or batch.fate.get(uid) == "unchanged"]
    if deleted:
        bare(batch.access, [hit for hit in located(batch.access, deleted).values() if hit.mention.deleted_at])


def bare(access: Access, hits: Sequence[Located]) -> None:
    """Take the words out of every replaced revision of these mentions."""
    due = [
        (history_beside(access, hit.index), history_id(hit.mention.uid, revision))
        for hit in hits
        for revision in range(1, hit.mention.revision)
    ]
    while due:
        rows = exists(access, due, "*")
        operations = []
        for (index, id_), row in rows.items():
            mention = mention_of(row["_source"])
            empty = without_text(mention)
            if empty != mention:
                made = bared(row["_source"], empty)
                operations.append(Operation("index", index, id_, made, (row["_seq_no"], row["_primary_term"])))
        outcomes = carry_out(access.client, operations) if operations else []
        access.unrefreshed.mark(access.names.history)
        due = [(o.index, o.id) for o, outcome in zip(operations, outcomes, strict=True) if outcome.conflict]


def bared(row: dict[str, Any], mention: Mention) -> dict[str, Any]:
    """The row of a replaced revision, made anew from what is left of it."""
    made = document(mention, row["story"], row["first_known_us"])
    made.update((name, row[name]) for name in ("known_to", "known_to_us") if name in row)
    return made


# --- once more ----------------------------------------------------------------------------------------------------


def _look_again(batch: _Batch) -> None:
    """Whether an erasure or a joined story came while this was written; then this writer carries it out."""
    access, written = batch.access, batch.written
    if not written:
        return
    gone = erased(access, list(written))
    if gone:
        removal.remove_located(access, list(located(access, gone).values()))
        batch.refused.update(dict.fromkeys(gone, "erased"))
    left = [uid for uid in written if uid not in gone]
    own = {uid: batch.tried[uid].new.story or uid for uid in left}
    older = stories.aliases(access, own.values())
    moved = [uid for uid in left if own[uid] in older]
    if moved:
        hits = located(access, moved).values()
        stories.rewrite(access, [hit for hit in hits if hit.story != stories.followed(own[hit.mention.uid], older)])


def erased(access: Access, uids: Sequence[str]) -> set[str]:
    """Which of these may never be written again, as of this moment."""
    return {id_ for _, id_ in exists(access, [(access.names.erased, uid) for uid in uids])}
