"""A person's word on the tone of a mention: kept in the state database first, then merged into the mention."""

from __future__ import annotations

from msgspec.structs import replace
from sqlalchemy import insert, select, update

from pipeline.clock import Clock
from pipeline.mention import Correction
from pipeline.state.database import State
from pipeline.state.tables import audit, correction
from pipeline.store.protocol import Store
from pipeline.words import ToneLabel


class UnknownMention(LookupError):
    """There is no mention with that uid, or it is not about that brand."""


def correct(state: State, store: Store, uid: str, brand: str | None, tone: ToneLabel, by: str, clock: Clock) -> None:
    """Record a correction and apply it. Raises UnknownMention; a store that is down applies it at the next start."""
    mention = store.get([uid]).get(uid)
    if mention is None or (brand and brand not in {opinion.brand for opinion in mention.analysis.opinions}):
        raise UnknownMention(f"no mention {uid}" + (f" about {brand}" if brand else ""))
    now = clock.now()
    with state.begin() as connection:
        row = {"uid": uid, "brand": brand, "tone": tone.value, "by": by, "at": now}
        connection.execute(insert(correction).values(row))
        details = {"uid": uid, "brand": brand, "tone": tone.value}
        connection.execute(insert(audit).values(at=now, who=by, what="correction", details=details))
    apply_open(state, store, clock)


def apply_open(state: State, store: Store, clock: Clock) -> int:
    """Merge every correction that was not applied yet into its mention; returns how many."""
    with state.read() as connection:
        rows = connection.execute(
            select(correction).where(correction.c.applied.is_(None)).order_by(correction.c.id)
        ).all()
    for row in rows:
        mention = store.get([row.uid]).get(row.uid)
        if mention is not None:
            word = Correction(tone=ToneLabel(row.tone), at=row.at, by=row.by, brand=row.brand)
            store.write([replace(mention, corrections=(*mention.corrections, word))])
        with state.begin() as connection:
            connection.execute(update(correction).where(correction.c.id == row.id).values(applied=clock.now()))
    return len(rows)
