"""Conditional GET for pages that honour it: a 304 reaches the spider, which reads it as ``not_modified``."""

from __future__ import annotations

from scrapy.crawler import Crawler
from scrapy.http import Request, Response

from crawlers.kit import kit_of, spider_of
from crawlers.validators import Validators


class ConditionalMiddleware:
    """Sends the validators of the last complete visit with requests that ask for it; never at first contact."""

    def __init__(self, validators: Validators, *, enabled: bool) -> None:
        self._validators, self._enabled = validators, enabled

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> ConditionalMiddleware:
        return cls(kit_of(crawler).validators, enabled=not spider_of(crawler).job.first_contact)

    def process_request(self, request: Request) -> None:
        for name in ("If-None-Match", "If-Modified-Since"):
            request.headers.pop(name, None)  # a redirect brings along those of the address before
        if self._enabled and request.meta.get("conditional"):
            for name, value in self._validators.known(request.url).items():
                request.headers[name] = value

    def process_response(self, request: Request, response: Response) -> Response:
        if request.meta.get("conditional") and response.status == 200:
            self._validators.note(request.url, _header(response, "ETag"), _header(response, "Last-Modified"))
        return response


def _header(response: Response, name: str) -> str | None:
    value = response.headers.get(name)
    return value.decode("latin-1") if value else None
