"""The watch list of journalists: whose word alone matters, and by what it is known. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from pipeline.configuration import Journalist
from pipeline.identity import folded_letters
from pipeline.item import Item
from pipeline.words import Channel, Kind

_BETWEEN = re.compile(r"[,;/|&·]|\s(?:und|and)\s", re.IGNORECASE)
_BEFORE = re.compile(r"^\s*(?:von|by)\s+", re.IGNORECASE)
_LONGEST = 500


class Watchlist:
    """Tells whether an item is by somebody on the list.

    A name is trusted in the byline of an article, an account in a social network: a forum user may be called anything.
    """

    def __init__(self, journalists: Mapping[str, Journalist]) -> None:
        self._known = [_Known(entry) for entry in journalists.values()]

    def __call__(self, item: Item) -> bool:
        return any(known.wrote(item) for known in self._known)


class _Known:
    def __init__(self, entry: Journalist) -> None:
        self._entry = entry
        self._names = {folded_letters(name) for name in (entry.name, *entry.names)}
        self._accounts = {_account(name) for name in entry.accounts} - {""}

    def wrote(self, item: Item) -> bool:
        if item.source in self._entry.sources:
            return True
        if item.channel is Channel.SOCIAL:
            return bool(self._accounts & {_account(item.author), _account(item.author_id)})
        if item.kind is not Kind.ARTICLE:
            return False
        at_home = any(_is_at(item, outlet) for outlet in self._entry.outlets)
        if self._entry.whole:
            return at_home
        return (at_home or not self._entry.outlets) and bool(self._names & _byline(item.author))


def _account(name: str | None) -> str:
    return (name or "").strip().removeprefix("@").casefold()


def _byline(author: str | None) -> set[str]:
    """The names of a byline, folded: ``Von Eva Kern und Jan Öz, Köln`` → evakern, janoz, koln."""
    parts = _BETWEEN.split(_BEFORE.sub("", (author or "")[:_LONGEST]))
    return {folded_letters(part) for part in parts} - {""}


def _is_at(item: Item, outlet: str) -> bool:
    """Whether an article stands at an outlet: a domain, or the beginning of an address there."""
    host, _, path = outlet.lower().partition("://")[2 if "://" in outlet else 0].partition("/")
    bare, here = host.removeprefix("www."), item.origin.partition(":")[0]
    if here != bare and not here.endswith(f".{bare}"):
        return False
    found = urlsplit(item.url or "").path.lower().strip("/")
    wanted = path.strip("/")
    return not wanted or found == wanted or found.startswith(f"{wanted}/")
