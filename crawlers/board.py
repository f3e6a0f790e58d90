"""How every forum of pages is read: list sorted by last post → changed threads → last page, back to the known post."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any
from urllib.parse import urlsplit

import msgspec
from pydantic import BaseModel, ConfigDict, Field
from scrapy.http import Response

from crawlers.dates import Order
from crawlers.parsing import PageFile, Parsed, ParsedItem, ThreadRow
from crawlers.spider import SourceSpider, Yield
from crawlers.traps import Traps
from crawlers.urls import without_fragment
from crawlers.visit import ThreadMark
from pipeline import identity
from pipeline.item import Item
from pipeline.words import Answer, Channel, Reading

LIST_OVERLAP = timedelta(minutes=10)
"""List rows this much older than the watermark are still compared: boards' clocks differ from ours."""

_DIGITS = re.compile(r"[0-9]{1,18}$")

NOTHING = "p0"
"""Known post of a thread of which an earlier visit read only the end."""

_ORDERS: tuple[Order, ...] = ("DMY", "MDY", "YMD")


class BoardOptions(BaseModel):
    """Options of a forum."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    subforums: bool = Field(True, description="Also read the boards that a board or the index leads to.")
    max_lists: int = Field(200, ge=1, description="Pages of thread lists one visit may read.")


class _Walk(msgspec.Struct, kw_only=True):
    """How far one changed thread has been read in this visit."""

    row: ThreadRow
    known: ThreadMark | None
    newest: str | None = None
    """Newest post met, by number."""
    newest_time: datetime | None = None
    hashes: dict[str, str] = {}
    """Of the items on the newest page, to notice edits next time."""
    floor: str | None = None
    """Post down to which is read; what lies below is known."""
    resume: str | None = None
    """Page from which an earlier visit, cut short, has still to go on."""
    opened: bool = False
    asked: set[str] = set()
    """Pages that this visit has asked for: links of unknown pages may lead in circles."""
    page: str | None = None
    """Page on which the newest post stood, for lists that do not lead to it."""


class BoardSpider(SourceSpider):
    """Reads a board, its list pages first. Costs two requests per changed thread at most, as long as none runs over.

    A subclass brings a parser that gives ``threads`` (and ``boards``) with the newest post of each for list pages, and
    ``items`` in the order of the thread for its pages. Ids end in a number that grows with time (``p453``).
    """

    channel = Channel.FORUM
    interval = timedelta(minutes=5)
    Options = BoardOptions

    def address_of(self, thread_url: str, item: str) -> str | None:
        """Address of the page of a thread that shows a post; None where the platform has none."""
        return None

    async def start(self) -> AsyncIterator[Yield]:
        self._lists_open = self._lists_read = self._pages_read = 0
        self._open_threads = 0
        self._seen_threads: set[str] = set()
        self._traps = Traps(self.job.url, self.job.started)
        self.visit.refused = self._traps.refused
        boards = self.job.cursor.get("boards")
        self.visit.cursor = {"boards": dict(boards) if isinstance(boards, dict) else {}}
        self._learn(next((order for order in _ORDERS if order == self.job.cursor.get("order")), None))
        for request in self._list(identity.canonical_url(self.job.url)):
            yield request

    # --- the order of day and month ---------------------------------------------------------------------------

    def page(self, response: Response) -> PageFile:
        """The answer, with the order of day and month that this place showed before."""
        return msgspec.structs.replace(super().page(response), order=self._order)

    def read(self, response: Response, *, expect_items: bool = True) -> Parsed:
        """As everywhere; what the page shows of the order of day and month is kept for the next one."""
        parsed = super().read(response, expect_items=expect_items)
        if parsed.order is not None:
            self._learn(parsed.order)
        return parsed

    def _learn(self, order: Order | None) -> None:
        self._order = order
        if order is not None:
            self.visit.cursor["order"] = order

    # --- lists ------------------------------------------------------------------------------------------------

    def _list(self, url: str, board: ThreadRow | None = None) -> Iterator[Yield]:
        if self._lists_read >= self.job.options.max_lists:  # type: ignore[attr-defined]
            self._cut("list pages")
            return
        self._lists_read += 1
        self._lists_open += 1
        gone = self._board_gone if board is not None else None
        yield self.request(url, self.parse_list, priority=10, gone=gone, board=board)

    def parse_list(self, response: Response, board: ThreadRow | None) -> Iterator[Yield]:
        """A page of a list of threads (or, for a source that is one thread, its first page)."""
        parsed = self.read(response, expect_items=board is None)
        self._lists_open -= 1
        if parsed.items and not parsed.threads:
            yield from self._lone_thread(response, parsed)
        yield from self._boards(parsed, board)
        yield from self._rows(parsed)
        if parsed.links.next and parsed.threads and self._leads_on(parsed):
            yield from self._list(parsed.links.next[0], board)
        elif board is not None and parsed.state in (Answer.OK, Answer.EMPTY):
            self.visit.cursor["boards"][board.id] = _newest_of(board)
        self._settle()

    def _board_gone(self, url: str, status: int, board: ThreadRow) -> None:
        self._lists_open -= 1
        self.visit.cursor["boards"][board.id] = _newest_of(board)
        self._settle()

    def _boards(self, parsed: Parsed, above: ThreadRow | None) -> Iterator[Yield]:
        if not self.job.options.subforums:  # type: ignore[attr-defined]
            return
        for board in self._traps.rows(parsed.boards, above.id if above else None):
            known = self.visit.cursor["boards"].get(board.id)
            newest = _newest_of(board)
            if board.id in self._seen_threads or (known is not None and known == newest):
                continue
            if newest is None or self._too_old(board.last_time):
                continue
            self._seen_threads.add(board.id)
            yield from self._list(board.url, board)

    def _rows(self, parsed: Parsed) -> Iterator[Yield]:
        rows = list(self._traps.rows(parsed.threads))
        self.job.look_ahead([row.id for row in rows])
        for row in rows:
            if row.id in self._seen_threads or self._too_old(row.last_time):
                continue
            self._seen_threads.add(row.id)
            self._reaches(row)
            mark = self.job.thread_mark(row.id)
            if not _unchanged(row, mark):
                yield from self._thread(row, mark)

    def _reaches(self, row: ThreadRow) -> None:
        """Back-fill reaches to the last post of the oldest row read."""
        at = self.credible(row.last_time)
        if self.job.first_contact and at and not row.sticky:
            known = self.visit.complete_from
            self.visit.complete_from = min(known, at) if known else at

    def _floor(self) -> datetime:
        """Threads whose last post is older need not be looked at."""
        if self.job.watermark is None:
            return self.job.backfill_from
        return self.job.watermark - LIST_OVERLAP

    def _too_old(self, at: datetime | None) -> bool:
        """Only back-fill has a limit: later visits read every row of the pages they look at."""
        at = self.credible(at)
        return at is not None and self.job.watermark is None and at < self.job.backfill_from

    def _leads_on(self, parsed: Parsed) -> bool:
        """Whether the following list page is worth reading, and no trap."""
        return self._goes_on(parsed.threads) and self._traps.onward(parsed.links.next[0], parsed.threads)

    def _goes_on(self, rows: tuple[ThreadRow, ...]) -> bool:
        """Whether the following list page may hold threads that changed since the watermark."""
        moving = [row for row in rows if not row.sticky]
        if not moving:
            return True
        last = self.credible(moving[-1].last_time)
        if last is not None:
            return last >= self._floor()
        return any(not _unchanged(row, self.job.thread_mark(row.id)) for row in moving)

    # --- threads ----------------------------------------------------------------------------------------------

    def _thread(self, row: ThreadRow, mark: ThreadMark | None) -> Iterator[Yield]:
        walk = _Walk(row=row, known=mark)
        self._open_threads += 1
        if mark is None or mark.last_item is None:
            yield from self._ask(row.url, self.parse_first, walk)
            return
        walk.floor = mark.extra.get("newest") or mark.last_item
        walk.resume = mark.extra.get("resume")
        if row.last_url is not None:
            yield from self._ask(row.last_url, self.parse_back, walk)
        else:
            yield from self._ask(mark.extra.get("page") or row.url, self.parse_end, walk)

    def _ask(self, url: str, callback: Any, walk: _Walk) -> Iterator[Yield]:
        """One more page of a thread, if the visit may still read one; else what was read is remembered."""
        if self._pages_read >= self.job.max_pages:
            self._stop_early(walk, url, onward=callback in (self.parse_forward, self.parse_end))
            return
        if url in walk.asked:
            self._end(walk, None)
            return
        walk.asked.add(url)
        self._pages_read += 1
        yield self.request(url, callback, gone=self._thread_gone, walk=walk)

    def parse_first(self, response: Response, walk: _Walk) -> Iterator[Yield]:
        """Opening page of a thread not read before: forward from here, or back from the end where it is old."""
        parsed = self.read(response)
        if not parsed.items:
            self._end(walk, parsed)
            return
        yield from self._items(parsed, response, walk)
        opened = self.credible(parsed.items[0].published.at)
        if parsed.links.previous and not parsed.links.next and not self._reached(parsed, walk):
            yield from self._ask(parsed.links.previous[0], self.parse_back, walk)
        elif parsed.links.next and opened is not None and opened < self._floor() and walk.row.last_url:
            yield from self._ask(walk.row.last_url, self.parse_back, walk)
        else:
            yield from self._onward(parsed, walk)

    def parse_forward(self, response: Response, walk: _Walk) -> Iterator[Yield]:
        """A following page of a thread read from its beginning."""
        parsed = self.read(response)
        yield from self._items(parsed, response, walk)
        yield from self._onward(parsed, walk)

    def _onward(self, parsed: Parsed, walk: _Walk) -> Iterator[Yield]:
        if parsed.links.next and parsed.items:
            yield from self._ask(parsed.links.next[0], self.parse_forward, walk)
        else:
            self._end(walk, parsed)

    def parse_end(self, response: Response, walk: _Walk) -> Iterator[Yield]:
        """The last page known of a thread whose list does not lead to its newest post: from here, either way."""
        parsed = self.read(response)
        yield from self._items(parsed, response, walk)
        if parsed.items and parsed.links.previous and not self._reached(parsed, walk):
            yield from self._ask(parsed.links.previous[0], self.parse_back, walk)
        elif walk.resume is not None:
            yield from self._bottom(parsed, walk)
        else:
            yield from self._onward(parsed, walk)

    def parse_back(self, response: Response, walk: _Walk) -> Iterator[Yield]:
        """A page read from the end: on to earlier pages until the known post, or the beginning of the back-fill."""
        parsed = self.read(response)
        if not parsed.items:
            self._end(walk, parsed)
            return
        yield from self._items(parsed, response, walk)
        if not parsed.links.previous or self._reached(parsed, walk):
            yield from self._bottom(parsed, walk)
        else:
            yield from self._ask(parsed.links.previous[0], self.parse_back, walk)

    def _reached(self, parsed: Parsed, walk: _Walk) -> bool:
        if walk.floor not in (None, NOTHING):
            return any(_number(item.id) <= _number(walk.floor or "") for item in parsed.items)
        oldest = self.credible(parsed.items[0].published.at)
        return oldest is not None and oldest < self._floor()

    def _bottom(self, parsed: Parsed, walk: _Walk) -> Iterator[Yield]:
        """At the known post: go on where an earlier visit was cut short; read an unknown opening post once."""
        if walk.resume is not None and walk.known is not None:
            url, walk.resume, walk.floor = walk.resume, None, walk.known.last_item
            yield from self._ask(url, self.parse_back, walk)
        elif not walk.opened and not parsed.first_page and not self._is_known(walk.row):
            yield from self._ask(walk.row.url, self.parse_opening, walk)
        else:
            self._end(walk, parsed)

    def parse_opening(self, response: Response, walk: _Walk) -> Iterator[Yield]:
        """First page of a known thread whose title and opening post nobody remembers."""
        parsed = self.read(response)
        for item in parsed.items[:1]:
            walk.opened = True
            yield self._item(item, parsed, response, opens=parsed.first_page is True)
        self._end(walk, parsed)

    def _lone_thread(self, response: Response, parsed: Parsed) -> Iterator[Yield]:
        """The source's address is a thread: read it as if a list had named it."""
        row = ThreadRow(id=parsed.thread or "t0", url=response.url, title=parsed.thread_title)
        mark = self.job.thread_mark(row.id)
        extra = mark.extra if mark else {}
        floor = extra.get("newest") or (mark.last_item if mark else None)
        walk = _Walk(row=row, known=mark, floor=floor, resume=extra.get("resume"))
        self._open_threads += 1
        yield from self._items(parsed, response, walk)
        if mark is not None and mark.last_item and parsed.links.next:
            known = self.address_of(response.url, mark.last_item) or mark.extra.get("page")
            yield from self._ask(known or parsed.links.next[0], self.parse_forward, walk)
        elif parsed.items and parsed.links.previous and not parsed.links.next and not self._reached(parsed, walk):
            yield from self._ask(parsed.links.previous[0], self.parse_back, walk)
        elif walk.resume is not None:
            yield from self._bottom(parsed, walk)
        else:
            yield from self._onward(parsed, walk)

    # --- items ------------------------------------------------------------------------------------------------

    def _items(self, parsed: Parsed, response: Response, walk: _Walk) -> Iterator[Item]:
        """What is new or edited on a page; the newest page's items are remembered for the next visit."""
        hashes = {item.id: _digest(item) for item in parsed.items}
        known = walk.known.extra.get("hashes", {}) if walk.known else {}
        for index, item in enumerate(parsed.items):
            opens = parsed.first_page is True and index == 0
            walk.opened = walk.opened or opens
            edited = known.get(item.id) not in (None, hashes[item.id])
            if edited or (opens and walk.known is None) or self._is_new(item, walk, known):
                yield self._item(item, parsed, response, opens=opens)
        self._remember(parsed, response.url, walk, hashes)

    def _is_new(self, item: ParsedItem, walk: _Walk, known: dict[str, str]) -> bool:
        if item.id in known:
            return False
        if walk.known is not None and walk.known.last_item is not None:
            return _number(item.id) > _number(walk.known.last_item)
        at = self.credible(item.published.upper or item.published.at)
        return at is None or at >= self.job.backfill_from

    def _remember(self, parsed: Parsed, url: str, walk: _Walk, hashes: dict[str, str]) -> None:
        if not parsed.items:
            return
        last = max(parsed.items, key=lambda item: _number(item.id))
        if walk.newest is None or _number(last.id) > _number(walk.newest):
            walk.newest, walk.newest_time, walk.hashes, walk.page = last.id, last.published.at, hashes, url

    def _item(self, item: ParsedItem, parsed: Parsed, response: Response, *, opens: bool) -> Item:
        native = identity.native_id(item.url) if item.url else None
        if native is None:  # an address that does not tell the post
            native = f"{_folder(item.url or response.url)} {item.id}"
        return self.item(item, parsed, response, reading=Reading.FULL, opens_thread=opens, native_id=native)

    def shown_at(self, parsed_item: ParsedItem, response: Response) -> str | None:
        return without_fragment(response.url)

    def item_again(self, found: ParsedItem, parsed: Parsed, response: Response, *, first: bool) -> Item:
        return self._item(found, parsed, response, opens=first and parsed.first_page is True)

    # --- the end ----------------------------------------------------------------------------------------------

    def _is_known(self, row: ThreadRow) -> bool:
        native = identity.native_id(row.url)
        return native is None or self.job.thread_known(identity.origin_of(row.url), native)

    def _thread_gone(self, url: str, status: int, walk: _Walk) -> None:
        """Closed or deleted: counts as read, and is asked again only when the list shows a new post."""
        self._end(walk, None)

    def _end(self, walk: _Walk, parsed: Parsed | None) -> None:
        """A thread was read as far as it goes. What could not be read leaves no mark, so that it is tried again."""
        self._open_threads -= 1
        if parsed is None or parsed.state in (Answer.OK, Answer.EMPTY):
            shown = _newest_of(walk.row)
            self._mark(walk, walk.newest or walk.row.last_item, {"row": shown, "hashes": walk.hashes})
        self._settle()

    def _stop_early(self, walk: _Walk, url: str, *, onward: bool) -> None:
        """The cap was reached inside a thread: remember the newest post and the page to go on from."""
        self._open_threads -= 1
        if walk.newest is not None and not onward:
            known = walk.known.last_item if walk.known else NOTHING
            self._mark(walk, known, {"newest": walk.newest, "resume": walk.resume or url, "hashes": walk.hashes})
        elif walk.newest is not None:
            self._mark(walk, walk.newest, {"hashes": walk.hashes})
        self._cut("pages")

    def _mark(self, walk: _Walk, last_item: str | None, extra: dict[str, Any]) -> None:
        at = walk.newest_time or walk.row.last_time
        if walk.page is not None and walk.row.last_url is None:
            extra = {**extra, "page": walk.page}
        self.visit.threads[walk.row.id] = ThreadMark(last_item, at, walk.row.replies, extra)

    def _cut(self, what: str) -> None:
        self.visit.behind = True
        self.visit.reason = f"the limit of {what} per visit was reached; the next visit goes on"
        self._settle()

    def _settle(self) -> None:
        if number := self.visit.refused.total():
            self.visit.notice = f"links that lead on without end were not followed: {number}"
        self.visit.complete = not (self._lists_open or self._open_threads or self.visit.behind)


def _unchanged(row: ThreadRow, mark: ThreadMark | None) -> bool:
    if mark is None or mark.extra.get("resume"):
        return False
    if row.last_item is not None:
        return row.last_item in (mark.last_item, mark.extra.get("row"))
    return row.last_time is not None and _newest_of(row) == mark.extra.get("row") and row.replies == mark.count


def _newest_of(row: ThreadRow) -> str | None:
    """What a list tells of the newest post: its id, else its time. The post's own page may know its time better."""
    return row.last_item or (row.last_time.isoformat() if row.last_time is not None else None)


def _number(item_id: str) -> int:
    digits = _DIGITS.search(item_id)
    return int(digits[0]) if digits else 0


def _folder(url: str) -> str:
    """The place on its host at which a page lies: ``/forum/`` of ``https://x.de/forum/99-titel.html``."""
    return urlsplit(url).path.rpartition("/")[0] + "/"


def _digest(item: ParsedItem) -> str:
    said = f"{item.title}\n{item.text}" + ("\naccepted" if item.accepted else "")
    return blake2b(said.encode(), digest_size=6).hexdigest()
