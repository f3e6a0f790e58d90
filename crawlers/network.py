"""What spiders of social networks share: what an interface says when it refuses, and answers to posts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from scrapy.http import Response
from twisted.python.failure import Failure

from crawlers.api import ApiSpider
from crawlers.fetches import NotRead
from crawlers.newest import Reel, digest_of
from crawlers.parsing import PageFile, Parsed, ParsedItem, ThreadRow
from crawlers.spider import Yield
from crawlers.visit import ThreadMark
from pipeline.identity import identify
from pipeline.words import Answer, Reading

_SAID = frozenset({Answer.GATED, Answer.RATE_LIMITED, Answer.ERROR, Answer.EMPTY})
_KNOWN = 1_000
"""Answers of one thread that are remembered."""
MOST_OWED = 200
"""Threads whose answers wait for a next visit; beyond, the oldest are given up, and that is said."""


class Owed(msgspec.Struct, frozen=True, kw_only=True):
    """Answers to one post that are still to be read: from ``page`` on."""

    row: ThreadRow
    page: str
    known: dict[str, str]
    """Id → digest of what earlier visits read."""
    read: dict[str, str]
    """The same of the pages before."""


class NetworkSpider(ApiSpider):
    """Base of spiders that read a network through its interface, which also shows what was answered to a post.

    Its parser gives, beside the items, ``threads``: posts with the number of their answers and the address of these.
    """

    def follows(self, row: ThreadRow) -> bool:
        """Whether the answers to a post are wanted."""
        return True

    def over(self, item: ParsedItem, response: Response) -> Mapping[str, Any]:
        opens = item.parent is None and item.thread is not None and item.thread == item.id
        native = identify([item.url], permalink=item.url) if item.url else None
        return {"native_id": native or item.id} | ({"opens_thread": True} if opens else {})

    _cut_short = ""

    # --- refusals ---------------------------------------------------------------------------------------------

    def _failed(self, failure: Failure) -> Any:
        """As always, but in the interface's own words where its error says more than its status."""
        error, request = failure.value, failure.request  # type: ignore[attr-defined]
        said = self._said(request.url, error) if isinstance(error, NotRead) else None
        if said is not None and isinstance(error, NotRead):
            telling = Failure(NotRead(said.state, said.reason, error.status))  # type: ignore[no-untyped-call]
            telling.request = request  # type: ignore[attr-defined]
            if fetch := request.meta.get("fetch"):
                fetch.answer, fetch.reason = said.state, said.reason
            gone = request.meta.get("gone")
            if said.state is Answer.EMPTY and gone is not None:  # there is nothing to read, and it says so
                self.visit.answers.append(said.state)
                return gone(request.meta["asked"], error.status, **request.cb_kwargs)
            return super()._failed(telling)
        return super()._failed(failure)

    def _said(self, url: str, error: NotRead) -> Parsed | None:
        if not error.body.lstrip().startswith(b"{") or error.answer is Answer.CHALLENGE:
            return None
        headers: dict[str, str] = {}
        status = error.status or 0
        page = PageFile(
            url=url, body=error.body, now=self.job.now(), zone=self.job.zone, headers=headers, status=status
        )
        parsed: Parsed = type(self).parser(page)
        return parsed if parsed.state in _SAID and parsed.reason and not parsed.items else None

    # --- answers to posts -------------------------------------------------------------------------------------

    def _begin(self) -> Iterator[Yield]:
        """The first page of each list, then what earlier visits owe, then all that follows from them."""
        owed = (msgspec.convert(one, Owed) for one in self.job.cursor.get("owed", ()))
        self._owed = {one.row.id: one for one in owed}
        self._walked = set(self._owed)
        yield from super()._begin()
        for one in list(self._owed.values()):
            yield from self._thread_page(one.page, one.row, one.known, dict(one.read))

    def _settle(self) -> None:
        super()._settle()
        owed, given_up = list(self._owed.values())[-MOST_OWED:], len(self._owed) - MOST_OWED
        if owed:
            self.visit.cursor["owed"] = msgspec.to_builtins(owed)
        if self._cut_short:
            too_many = f"answers to {given_up} posts go unread: too many wait for a visit"
            self.visit.reason = too_many if given_up > 0 else self._cut_short

    def parse_page(self, response: Response, reel: Reel) -> Iterator[Yield]:
        yield from super().parse_page(response, reel)
        parsed = self.parsed(response)
        if parsed.state is Answer.OK:
            yield from self._follow(parsed.threads)

    def _follow(self, rows: tuple[ThreadRow, ...]) -> Iterator[Yield]:
        """Read the answers of posts that have got some since they were read last."""
        for row in rows:
            mark = self.job.thread_mark(row.id)
            changed = bool(row.replies) if mark is None else mark.count != row.replies
            if changed and row.id not in self._walked and self.follows(row):
                self._walked.add(row.id)
                known = dict(mark.extra.get("known", {})) if mark is not None else {}
                yield from self._thread_page(row.url, row, known, {})

    def _thread_page(self, url: str, row: ThreadRow, known: dict[str, str], read: dict[str, str]) -> Iterator[Yield]:
        """One page of answers, as far as pages and quota reach; what is left out is read at the next visit."""
        self._owed[row.id] = Owed(row=row, page=url, known=known, read=dict(read))
        if self._pages >= self.job.max_pages:
            self._leave("the limit of pages per visit was reached; the next visit goes on")
        elif not self._spend(self.cost(url)):
            self._leave(self.spent_reason())
        else:
            self._pages += 1
            given: dict[str, Any] = {"row": row, "known": known, "read": read}
            yield self.ask(url, self.parse_thread, gone=self._thread_gone, **given)

    def _leave(self, reason: str) -> None:
        self.visit.behind = self.visit.keep_cursor = True
        self._cut_short = reason
        self._settle()

    def _paid(self, row: ThreadRow, known: Mapping[str, str], **extra: Any) -> None:
        """The answers to a post are read, as far as we may."""
        kept: dict[str, Any] = {"known": dict(list(known.items())[:_KNOWN])}
        self.visit.threads[row.id] = ThreadMark(count=row.replies, extra=kept | extra)
        self._owed.pop(row.id, None)
        self._settle()

    def parse_thread(
        self, response: Response, row: ThreadRow, known: dict[str, str], read: dict[str, str]
    ) -> Iterator[Yield]:
        """Answers to one post, newest first or as a tree; those that are known are not given again."""
        parsed = self.read(response, expect_items=False)
        if parsed.state not in (Answer.OK, Answer.EMPTY):
            return
        fresh = [item for item in parsed.items if known.get(item.id) != digest_of(item)]
        read |= {item.id: digest_of(item) for item in parsed.items}
        for item in fresh:
            if item.id != row.id:
                over = {"thread_title": row.title} | dict(self.over(item, response))
                yield self.item(item, parsed, response, reading=Reading.FULL, **over)
        older = parsed.links.next[0] if parsed.links.next else None
        if older is not None and fresh:
            yield from self._thread_page(older, row, known, read)
            return
        self._paid(row, read | {name: digest for name, digest in known.items() if name not in read})

    def _thread_gone(self, url: str, status: int, row: ThreadRow, known: dict[str, str], read: dict[str, str]) -> None:
        self._paid(row, known, gone=status)
