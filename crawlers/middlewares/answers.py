"""Classifies and records every answer; the spider sees only what can be read."""

from __future__ import annotations

from scrapy.crawler import Crawler
from scrapy.http import Request, Response

from crawlers.classify import PREFIX, classify
from crawlers.fetches import Fetch, NotRead
from crawlers.kit import kit_of
from crawlers.urls import NO_ADDRESS
from pipeline.clock import Clock
from pipeline.words import Answer


class AnswersMiddleware:
    """Stands above retries, decompression and redirects: one record for what a request came to in the end."""

    def __init__(self, fetches: list[Fetch], clock: Clock) -> None:
        self._fetches, self._clock = fetches, clock

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> AnswersMiddleware:
        kit = kit_of(crawler)
        return cls(kit.fetches, kit.clock)

    def process_response(self, request: Request, response: Response) -> Response:
        """Raises NotRead for everything but 200 and an expected 304."""
        if request.meta.get("robots"):
            return response
        headers = {name.decode("latin-1").lower(): _first(response, name) for name in response.headers}
        redirected = bool(request.meta.get("redirect_times"))
        answer, reason = classify(response.status, headers, response.body, url=response.url, redirected=redirected)
        if answer is Answer.NOT_MODIFIED and not request.meta.get("conditional"):
            answer, reason = Answer.ERROR, "status 304 to a request without condition"
        fetch = self._record(request, answer, reason)
        fetch.status, fetch.bytes, fetch.url = response.status, len(response.body), response.url
        if answer not in (Answer.OK, Answer.NOT_MODIFIED):
            raise NotRead(answer, reason, response.status, response.body[:PREFIX])
        return response

    def process_exception(self, request: Request, exception: Exception) -> None:
        """Records what came to no answer at all."""
        if not request.meta.get("robots"):
            answer = exception.answer if isinstance(exception, NotRead) else Answer.ERROR
            fetch = self._record(request, answer, str(exception) or type(exception).__name__)
            fetch.rule = exception.rule if isinstance(exception, NotRead) else ""

    def _record(self, request: Request, answer: Answer, reason: str) -> Fetch:
        took = request.meta.get("took")
        fetch = Fetch(_asked(request), request.meta.get("sent_at") or self._clock.now(), answer, reason=reason)
        fetch.ms = None if took is None else round(took * 1000)
        request.meta["fetch"] = fetch
        self._fetches.append(fetch)
        return fetch


def _asked(request: Request) -> str:
    return str(request.meta["asked"])[:2_000] if request.url == NO_ADDRESS else request.url


def _first(response: Response, name: bytes) -> str:
    return (response.headers.get(name) or b"").decode("latin-1")
