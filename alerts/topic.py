"""What an incident is about: the word that stands out most among its critics, against the four weeks before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pipeline.labels.topics import topics
from pipeline.mention import Mention, person_of
from pipeline.query.tree import OneOpinion, Query
from pipeline.store.protocol import QueryTimeout, Store
from pipeline.words import ToneLabel

LEAST_PERSONS = 3
LEAST_SIGNIFICANCE = 10.83
"""Of a term: that of a growth which chance brings once in a thousand."""
LEAST_SHARE = 0.2
"""Of the critics that must speak of it."""


def topic_of(store: Store, brand: str, members: Sequence[Mention], start: datetime, end: datetime) -> str:
    """The word as most of the members write it; empty where none stands out, or the store takes too long.

    ``members`` are the critical mentions of the window: their words are shown, the store counts the persons.
    """
    critical = (("brand", (brand,)), ("tone", (ToneLabel.NEGATIVE.value,)), ("counted", ("true",)))
    query = Query(OneOpinion(critical))
    try:
        found = store.terms(query, query, start=start, end=end, limit=5)
    except QueryTimeout:
        return ""  # an alert does not wait for its title
    critics = len({person_of(mention) for mention in members})
    texts = [(f"{m.crawled.title}\n\n{m.crawled.text}", m.analysis.lang) for m in members]
    for term in found:
        if term.significance < LEAST_SIGNIFICANCE:
            break
        if term.persons >= LEAST_PERSONS and term.persons >= LEAST_SHARE * critics:
            return topics().shown(term.value, texts)
    return ""
