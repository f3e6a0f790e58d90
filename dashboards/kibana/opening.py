"""A search of the pages, opened in Kibana: the address, or why there is none."""

from __future__ import annotations

from datetime import datetime

import msgspec

from pipeline.configuration import Configuration
from pipeline.i18n import Speech
from pipeline.query.tree import Query
from pipeline.store.elastic.kibana import NotInKibana, discover, kql
from pipeline.store.protocol import Store


class InKibana(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two is empty."""

    address: str = ""
    reason: str = ""


def in_kibana(
    configuration: Configuration,
    store: Store,
    query: Query,
    span: tuple[datetime | None, datetime | None],
    as_of: datetime | None,
    speech: Speech,
) -> InKibana | None:
    """The same hits in Kibana; None where no Kibana is configured, or none can read this store."""
    url, table = configuration.dashboards.kibana_url, configuration.store
    if not url or table.engine != "elasticsearch":
        return None
    try:
        text = kql(msgspec.structs.replace(query, as_of=as_of or query.as_of), lambda story: _root(store, story))
    except NotInKibana as error:
        return InKibana(reason=error.text(speech))
    return InKibana(address=discover(url, table.prefix, text, *span))


def _root(store: Store, story: str) -> list[str]:
    """The id that all members of a story go by in the index."""
    members = store.story_members(story)[:1]
    return list(store.stories([mention.uid for mention in members]).values())
