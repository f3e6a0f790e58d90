"""What SQL may call: the tokens of a stored mention, so that its text is kept once and the index can be checked."""

from __future__ import annotations

import re
import sqlite3
from functools import lru_cache

import msgspec

from pipeline.analysis import both, exact_tokens
from pipeline.mention import Mention
from pipeline.query.evaluate import field_values

_ODD = re.compile(rb"[^a-z0-9]")
decode = msgspec.json.Decoder(Mention).decode


def register(connection: sqlite3.Connection) -> None:
    """Give a connection the functions that the schema and the queries name."""
    connection.create_function("sw_exact", 1, lambda doc: tokens_of_doc(doc)[0], deterministic=True)
    connection.create_function("sw_stem", 1, lambda doc: tokens_of_doc(doc)[1], deterministic=True)
    connection.create_function("sw_facet", 1, lambda doc: tokens_of_doc(doc)[2], deterministic=True)
    connection.create_function("sw_unhex", 1, bytes.fromhex, deterministic=True)


@lru_cache(maxsize=8)
def tokens_of_doc(doc: str) -> tuple[str, str, str]:
    """exact, stem and facet tokens of a stored document."""
    return tokens(decode(doc))


def tokens(mention: Mention) -> tuple[str, str, str]:
    """exact, stem and facet tokens of a mention, each joined by spaces."""
    crawled = mention.crawled
    exact, stem = both(crawled.title, crawled.text, mention.analysis.lang)
    return exact, stem, " ".join(facet_tokens(mention))


def facet_tokens(mention: Mention) -> list[str]:
    """Everything that a filter may ask for but the tone; the thread's title comes last, in order.

    Tone is no token, so that a correction leaves the index alone.
    """
    crawled = mention.crawled
    found = [facet("brand", opinion.brand) for opinion in mention.analysis.opinions]
    found += [facet("source", source) for source in mention.sources]
    lang = mention.analysis.lang
    found += _of_place(crawled.platform, crawled.channel.value, crawled.kind.value, lang, mention.origin)
    if crawled.author:
        found.append(facet("author", crawled.author))
    if crawled.thread:
        found.append(facet("thread_id", crawled.thread))
    if mention.story and mention.story != mention.uid:
        found.append(facet("story", mention.story))
    found += [facet("is", flag) for flag in field_values(mention, "is")]
    found += [facet("has", thing) for thing in field_values(mention, "has")]
    found += [facet(name, value) for name in LABELS for value in field_values(mention, name)]
    return [*found, *_of_thread_title(crawled.thread_title)]


@lru_cache(maxsize=10_000)
def _of_place(platform: str, channel: str, kind: str, lang: str | None, origin: str) -> tuple[str, ...]:
    """The tokens of what many mentions have in common."""
    pairs = (("platform", platform), ("channel", channel), ("kind", kind), ("lang", lang or "none"), ("domain", origin))
    return tuple(facet(name, value) for name, value in pairs)


@lru_cache(maxsize=10_000)
def _of_thread_title(title: str) -> tuple[str, ...]:
    return tuple(f"w_{token}" for token in exact_tokens(title))


LABELS = ("aspect", "severity", "purpose", "topic")
FACETS = {
    "brand": "b",
    "source": "s",
    "platform": "p",
    "channel": "c",
    "kind": "k",
    "lang": "l",
    "domain": "d",
    "author": "a",
    "thread_id": "t",
    "story": "y",
    "is": "i",
    "has": "h",
    "aspect": "q",
    "severity": "v",
    "purpose": "u",
    "topic": "o",
}
"""Fields that are tokens of the index, and the first letter of their tokens."""


@lru_cache(maxsize=50_000)
def facet(name: str, value: str) -> str:
    """The token of a field's value: ``b_telekom``. Other characters than a-z and 0-9 are spelled ``_2d``."""
    spelled = _ODD.sub(lambda match: f"_{match[0][0]:02x}".encode(), value.lower().encode())
    return f"{FACETS[name]}_{spelled.decode()}"
