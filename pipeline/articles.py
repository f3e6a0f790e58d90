"""Articles that are already here, by place and title: how a mere headline finds the address of what it announces."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from pipeline.identity import folded_letters, origin_of
from pipeline.query.tree import All, Field, Query
from pipeline.store.protocol import Store, StoreError
from pipeline.words import Kind

SPAN = timedelta(days=3)
"""News is announced within days."""
MOST = 300


def recent_articles(store: Store, origin: str, now: datetime) -> Mapping[str, str]:
    """Folded title → address of the latest articles of a place; nothing while the store is down."""
    try:
        found = store.search(_articles_of(origin), start=now - SPAN, limit=MOST)
    except StoreError:
        return {}
    titled: dict[str, str] = {}
    for hit in found.mentions:
        url = hit.crawled.url
        if url and hit.crawled.title and origin_of(url) == origin:
            titled.setdefault(folded_letters(hit.crawled.title), url)
    return titled


def _articles_of(origin: str) -> Query:
    return Query(All((Field("kind", (Kind.ARTICLE.value,)), Field("domain", (origin,)))))
