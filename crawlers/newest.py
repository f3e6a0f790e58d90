"""How lists of single things are read: newest first, page by page, until something known is met."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from scrapy.http import Request, Response

from crawlers.parsing import Parsed, ParsedItem
from crawlers.spider import SourceSpider, Yield
from crawlers.urls import without_fragment
from pipeline.item import Item
from pipeline.words import Answer, Reading

REMEMBERED = 3_000
"""Items that a list remembers, to tell new and changed ones from known ones."""


GOAL = 200
"""Newest known items by which the end of a gap is recognised: more than a page shows."""
MOST_GAPS = 20
"""Of one list; beyond, the oldest is given up."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A page from which older ones are still to be read, down to the first of what was known before it was cut off."""

    page: str
    goal: Mapping[str, str]


@dataclass(slots=True)
class Reel:
    """One list and how far this visit has read it."""

    name: str
    known: Mapping[str, str]
    """Id → digest of what earlier visits read, newest first."""
    gaps: list[Gap]
    """What earlier visits, cut short, have left unread; the one that is being read is no longer among them."""
    goal: Mapping[str, str]
    """Id → digest: one of these, unchanged, ends the reading under way."""
    resuming: bool
    """Whether there were gaps when the visit began."""
    read: dict[str, str] = field(default_factory=dict)
    pages: set[str] = field(default_factory=set)

    def memory(self) -> dict[str, Any]:
        """What the next visit needs: the latest first, so that the oldest are forgotten."""
        both = self.read | {name: value for name, value in self.known.items() if name not in self.read}
        kept: dict[str, Any] = {"known": dict(list(both.items())[:REMEMBERED])}
        return kept | ({"gaps": [{"page": one.page, "goal": dict(one.goal)} for one in self.gaps]} if self.gaps else {})


class NewestFirst(SourceSpider):
    """Base of spiders that read one or several lists of things, each sorted by time, newest first.

    The parser gives ``items`` and, in ``links.next``, the page with older ones. Things have no threads of their own.
    """

    def lists(self) -> Mapping[str, str]:
        """Address of the first page of each list, by a name that stays the same from visit to visit."""
        return {"": self.job.url}

    def ask(self, url: str, callback: Any, **given: Any) -> Request:
        """The request for one page; an interface adds its key here."""
        return self.request(url, callback, **given)

    def over(self, item: ParsedItem, response: Response) -> Mapping[str, Any]:
        """Fields of the item in place of what the page's address would give; the id of the thing above all."""
        return {"native_id": item.id, "parent": item.parent, "thread": item.thread}

    def reading_of(self, item: ParsedItem) -> Reading:
        """How much of the thing the list shows."""
        return Reading.FEED if item.teaser else Reading.FULL

    def reads_on(self, reel: Reel, parsed: Parsed, met: bool) -> bool:
        """Whether older pages are wanted after this one; ``met``: something known stands on it."""
        if met and (reel.resuming or self.job.watermark is not None):
            return False
        times = [at for item in parsed.items if (at := self.credible(item.published.at)) is not None]
        return not times or min(times) >= self.job.backfill_from

    def newest_known(self, reel_name: str) -> str | None:
        """Id of the newest thing that earlier visits read of a list, for interfaces that ask "since when?"."""
        return next(iter(self._remembered(reel_name).get("known", {})), None)

    def shown_at(self, parsed_item: ParsedItem, response: Response) -> str | None:
        """Its own page, where it has one: on the list it moves on. Not beside an interface, which is another door."""
        if self.own_service or parsed_item.url is None:
            return None
        own = without_fragment(parsed_item.url)
        return None if own == without_fragment(response.url) else own

    def item_again(self, found: ParsedItem, parsed: Parsed, response: Response, *, first: bool) -> Item:
        return self.item(found, parsed, response, reading=Reading.FULL, **self.over(found, response))

    # --- the walk ---------------------------------------------------------------------------------------------

    async def start(self) -> AsyncIterator[Yield]:
        for request in self._begin():
            yield request

    def _begin(self) -> Iterator[Yield]:
        self._pages = 0
        firsts = self.lists()
        self._reels = {name: self._reel(name) for name in firsts}
        self._open = set(firsts)
        for name, url in firsts.items():
            yield from self._page(url, self._reels[name])
        self._settle()

    def _remembered(self, name: str) -> Mapping[str, Any]:
        lists = self.job.cursor.get("lists")
        found = lists.get(name) if isinstance(lists, dict) else None
        return found if isinstance(found, dict) else {}

    def _reel(self, name: str) -> Reel:
        kept = self._remembered(name)
        known = dict(kept.get("known", {}))
        gaps = [Gap(one["page"], dict(one["goal"])) for one in kept.get("gaps", ())]
        return Reel(name, known, gaps, goal=known, resuming=bool(gaps))

    def _page(self, url: str, reel: Reel) -> Iterator[Yield]:
        if url in reel.pages:
            yield from self._fill(reel)
        elif self._pages >= self.job.max_pages:
            self._cut(url, reel, "the limit of pages per visit was reached; the next visit goes on")
        else:
            gone = self._gone if reel.pages else None
            self._pages += 1
            reel.pages.add(url)
            yield self.ask(url, self.parse_page, gone=gone, reel=reel)

    def _cut(self, url: str, reel: Reel, reason: str) -> None:
        """This visit may read no more of a list: what is left is remembered, with what ends it."""
        reel.gaps.insert(0, Gap(url, dict(list(reel.goal.items())[:GOAL])))
        del reel.gaps[MOST_GAPS:]
        self.visit.behind = self.visit.keep_cursor = True
        self.visit.reason = reason
        self._end(reel)

    def parse_page(self, response: Response, reel: Reel) -> Iterator[Yield]:
        """One page; on to older ones while nothing known was met unchanged."""
        parsed = self.read(response, expect_items=self.expects_items(reel))
        if parsed.state not in (Answer.OK, Answer.EMPTY):
            return
        met = any(reel.goal.get(item.id) == digest_of(item) for item in parsed.items)
        for item in parsed.items:
            yield from self._new(item, parsed, response, reel)
        older = parsed.links.next[0] if parsed.links.next else None
        if older is not None and self.reads_on(reel, parsed, met):
            yield from self._page(older, reel)
        else:
            yield from self._fill(reel)

    def _fill(self, reel: Reel) -> Iterator[Yield]:
        """On to the next gap, if there is one; else the list is read."""
        if not reel.gaps:
            self._end(reel)
            return
        gap = reel.gaps.pop(0)
        reel.goal = gap.goal
        yield from self._page(gap.page, reel)

    def expects_items(self, reel: Reel) -> bool:
        """Whether a page without anything is suspicious. Not where only what is new is asked for."""
        return True

    def _new(self, item: ParsedItem, parsed: Parsed, response: Response, reel: Reel) -> Iterator[Item]:
        digest = digest_of(item)
        reel.read[item.id] = digest
        at = self.credible(item.published.at)
        if self.job.first_contact and at is not None:
            if at < self.job.backfill_from:
                return
            self.visit.complete_from = min(self.visit.complete_from or at, at)
        if reel.known.get(item.id) != digest:
            yield self.item(item, parsed, response, reading=self.reading_of(item), **self.over(item, response))

    def _gone(self, url: str, status: int, reel: Reel) -> Iterator[Yield]:
        """Behind the last page: everything there is was read."""
        return self._fill(reel)

    def _end(self, reel: Reel) -> None:
        self._open.discard(reel.name)
        self._settle()

    def _settle(self) -> None:
        kept = {  # a list of which a page was lost is read again from where it stood
            name: self._remembered(name) if name in self._open else reel.memory() for name, reel in self._reels.items()
        }
        self.visit.cursor = {"lists": kept}
        self.visit.complete = not self._open and not self.visit.behind


def digest_of(item: ParsedItem) -> str:
    """Changes where what was said changes."""
    said = f"{item.title}\n{item.text}\n{item.rating_raw}\n{item.deleted}"
    said += "\naccepted" if item.accepted else ""
    return blake2b(said.encode("utf-8", "replace"), digest_size=6).hexdigest()
