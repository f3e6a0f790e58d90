"""Three voices of a window, chosen with a reason: earliest, most copied, most typical. Short quotes, no names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from alerts.facts import Voice
from pipeline.mention import Mention
from pipeline.store.protocol import Store

LONGEST = 160
STORIES = 40
"""Only the stories of so many of the earliest critical mentions are looked at for copies."""
_PERSONAL = re.compile(r"https?://\S+|(?<!\w)@\w+")
_WORD = re.compile(r"\w{4,}")


def voices(store: Store, brand: str, negative: Sequence[Mention]) -> tuple[Voice, ...]:
    """At most three different mentions, each with why it was chosen; ``negative`` is oldest first."""
    readable = [mention for mention in negative if quote(mention)]
    chosen: dict[str, tuple[str, Mention]] = {}
    for why, mention in (
        ("earliest", min(readable, key=lambda m: (m.event_time, m.uid), default=None)),
        ("most_copied", _most_copied(store, readable)),
        ("typical", _typical(readable)),
    ):
        if mention is not None:
            chosen.setdefault(mention.uid, (why, mention))
    return tuple(_voice(why, mention) for why, mention in chosen.values())


def _voice(why: str, mention: Mention) -> Voice:
    return Voice(
        why=why,
        uid=mention.uid,
        at=mention.event_time,
        source=mention.first_source,
        quote=quote(mention),
        url=mention.crawled.url,
    )


def quoted(mentions: Sequence[Mention], limit: int = 3) -> list[dict[str, Any]]:
    """A few mentions as plain data: uid, at, source, quote, url."""
    oldest = sorted(mentions, key=lambda mention: (mention.event_time, mention.uid))[:limit]
    return [
        {
            "uid": mention.uid,
            "at": mention.event_time.isoformat(),
            "source": mention.first_source,
            "quote": quote(mention),
            "url": mention.crawled.url,
        }
        for mention in oldest
    ]


def quote(mention: Mention) -> str:
    """The beginning of what was said, at most 160 characters, cut between words; addresses and handles taken out."""
    text = mention.crawled.text or mention.crawled.title
    text = " ".join(_PERSONAL.sub("…", text).split())
    if len(text) <= LONGEST:
        return text
    return text[: LONGEST - 1].rsplit(" ", 1)[0].rstrip(" ,;:") + "…"


def _most_copied(store: Store, readable: Sequence[Mention]) -> Mention | None:
    best: tuple[int, Mention] | None = None
    for mention in readable[:STORIES]:
        copies = len(store.story_members(mention.story)) - 1 if mention.story else 0
        if copies > 0 and (best is None or copies > best[0]):
            best = copies, mention
    return best[1] if best else None


def _typical(readable: Sequence[Mention]) -> Mention | None:
    """The one whose words most others use too."""
    words = {mention.uid: set(_WORD.findall(mention.crawled.text.casefold())) for mention in readable}
    common = Counter(word for found in words.values() for word in found)

    def weight(mention: Mention) -> float:
        found = words[mention.uid]
        return sum(common[word] - 1 for word in found) / (len(found) + 8)

    ranked = sorted(readable, key=lambda mention: (-weight(mention), mention.uid))
    return ranked[0] if ranked and weight(ranked[0]) > 0 else None
