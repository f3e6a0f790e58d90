"""What spiders of documented interfaces share: the operator's own key, and a count of what it has cost.

Sources of one kind with one key (the same ``key_file`` or ``key_env``) share its quota; each further key has its own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field
from scrapy.http import Request, Response
from twisted.python.failure import Failure

from crawlers.fetches import NotRead
from crawlers.newest import NewestFirst, Reel
from crawlers.spider import REMOVED, SourceSpider, Yield
from crawlers.tokens import SignIn, Tokens
from pipeline.secrets import SecretMissing, password
from pipeline.words import Answer

WARN_AT = 0.8
"""Share of a quota from which on a warning stands beside the source."""
Period = timedelta | Literal["month"]
"""A month is one of the calendar: what is paid for is counted so."""


class ApiOptions(BaseModel):
    """Options of a source that is read through an interface with a key of the operator's own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key_file: Path | None = Field(None, description="File with the key, and nothing else.")
    key_env: str = Field("", description="Environment variable with the key; empty: the spider's own name for it.")
    quota: int | None = Field(None, ge=1, description="Units that may be spent per quota period; empty: the usual.")


class Keyed(SourceSpider):
    """Base of spiders that read a documented interface as their operator's contract allows.

    Its robots.txt speaks to those without a contract and is not asked. Pace, Retry-After and back-off hold as always.
    """

    Options: ClassVar[type[BaseModel]] = ApiOptions
    ends: ClassVar[frozenset[int]] = REMOVED
    key_name: ClassVar[str] = ""
    """Environment variable of the key; empty where the interface needs none."""
    quota: ClassVar[int | None] = None
    """Units per period that the interface usually grants; None: not counted."""
    quota_period: ClassVar[Period] = timedelta(days=1)
    quota_zone: ClassVar[str] = "UTC"
    """Where the days and months of the quota begin at midnight."""

    @property
    def own_service(self) -> bool:
        return True

    def key(self) -> str:
        """The key. Raises SecretMissing where the named file cannot be read; empty where none is given."""
        options = self.options(ApiOptions)
        return self.secret(options.key_file, options.key_env or self.key_name)

    def secret(self, file: Path | None, variable: str) -> str:
        """What a named file holds, else an environment variable. Raises SecretMissing where it cannot be read."""
        return password(file, variable) or ""

    def headers(self) -> Mapping[str, str]:
        """Headers of every request: where most interfaces want the key."""
        return {}

    def cost(self, url: str) -> int:
        """Units that one request costs."""
        return 1

    def may_ask(self, url: str) -> bool:
        """Whether key and quota allow one more request; its units are then spent. Else it is lost, with the reason."""
        if self.key_name and not self.key():
            self.lose(url, Answer.GATED, f"no key: set key_file, or the environment variable {self.key_name}")
        elif self._spend(self.cost(url)):
            return True
        else:
            self.lose(url, Answer.RATE_LIMITED, self.spent_reason())
        return False

    @property
    def quota_name(self) -> str:
        """What the quota is counted under: one kind and one key, named by where it lies. Nothing of the key itself."""
        options = self.options(ApiOptions)
        place = str(options.key_file or options.key_env)
        return self.name if place in ("", self.key_name) else f"{self.name} {place}"

    def spent_reason(self) -> str:
        """That the quota is spent, in words: how much it is, and when it begins anew."""
        until = self._span()[1].isoformat(timespec="minutes")
        return f"the quota of {self._limit()} is spent until {until}"

    def quota_left(self) -> int | None:
        """Units that may still be spent in this period; None where they are not counted."""
        limit = self._limit()
        return None if limit is None else max(limit - self._used(), 0)

    def _used(self) -> int:
        return self.job.quota_used(self.quota_name, self._span()[0]) + self.visit.spent

    def _span(self) -> tuple[datetime, datetime]:
        return quota_span(self.job.started, self.quota_period, self.quota_zone)

    def _limit(self) -> int | None:
        options = self.options(ApiOptions)
        return options.quota or self.quota

    def _spend(self, units: int) -> bool:
        """Count units; False where the quota does not reach. What this visit spent is added up when it ends."""
        limit = self._limit()
        if limit is None:
            return True
        used = self._used()
        if used + units > limit:
            return False
        self.visit.spent += units
        self.visit.quota = (self.quota_name, self._span()[0], limit)
        if used + units >= WARN_AT * limit:
            self.visit.notice = f"{used + units} of {limit} units of the quota are spent"
        return True


def quota_span(now: datetime, period: Period, zone: str = "UTC") -> tuple[datetime, datetime]:
    """Start and end of the quota period that a time falls into.

    Whole days and months begin at midnight in ``zone``, whatever the clocks there do; shorter ones are counted from
    1970 in UTC.
    """
    if period != "month" and period % timedelta(days=1):
        begun = datetime(1970, 1, 1, tzinfo=UTC)
        start = begun + (now - begun) // period * period
        return start, start + period
    here = now.astimezone(ZoneInfo(zone)).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if period == "month":
        first = here.replace(day=1)
        following = (first + timedelta(days=32)).replace(day=1)
    else:
        days = period // timedelta(days=1)
        first = here - timedelta(days=(here.toordinal() - datetime(1970, 1, 1, tzinfo=UTC).toordinal()) % days)
        following = first + timedelta(days=days)
    return first.astimezone(UTC), following.astimezone(UTC)


class ApiSpider(Keyed, NewestFirst):
    """A list, newest first, behind a documented interface; where that wants a token, one is got by signing in first."""

    def sign_in(self) -> SignIn | None:
        """How to get a token; None where none is needed. Raises ValueError, with a reason free of secrets."""
        return None

    def headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    @property
    def token(self) -> str:
        """The token of ``sign_in``; empty before and without."""
        return self._token

    _token = ""

    async def start(self) -> AsyncIterator[Yield]:
        """The lists, once there is a token. Our own tokens: tests have no kit."""
        self._tokens = self.kit.tokens if self.kit is not None else Tokens()
        try:
            self.key()
            wanted = self._unsigned()
        except (ValueError, SecretMissing) as error:
            self.lose(self.job.url, Answer.GATED, str(error))
            return
        for request in self._begin() if wanted is None else [self._signing_in(wanted)]:
            yield request

    def ask(self, url: str, callback: Any, **given: Any) -> Request:
        """The page, or first a new token for it, where the one there was has ended meanwhile."""
        wanted = self._unsigned()
        page = unforwarded(self.request(url, callback, headers=self.headers(), **given))
        return page if wanted is None else self._signing_in(wanted, page)

    def _unsigned(self) -> SignIn | None:
        """How to sign in, if that must be done now."""
        wanted = self.sign_in()
        self._token = (self._tokens.get(wanted, self.job.now()) or "") if wanted is not None else ""
        return None if self._token else wanted

    def _signing_in(self, wanted: SignIn, page: Request | None = None) -> Request:
        headers = {"Accept": "application/json"} | wanted.headers
        given: dict[str, Any] = {"method": "POST", "body": wanted.body, "headers": headers}
        return unforwarded(self.request(wanted.url, self.signed_in, sign_in=wanted, page=page, **given))

    def signed_in(self, response: Response, sign_in: SignIn, page: Request | None) -> Iterator[Yield]:
        """The answer with the token: not read as a page, so that it is nowhere kept."""
        token = self._tokens.keep(sign_in, response.body, self.job.now())
        if token is None:
            self.lose(sign_in.url, Answer.GATED, "signing in gave no token")
            return
        self._token = token
        if page is None:
            yield from self._begin()
        else:
            page.headers.update(self.headers())
            yield page

    def _failed(self, failure: Failure) -> Any:
        """As always; a token that is no longer taken is forgotten."""
        request: Request = failure.request  # type: ignore[attr-defined]
        refused = isinstance(failure.value, NotRead) and failure.value.status == 401
        wanted = self.sign_in() if refused and self._token else None
        if wanted is not None and request.url != wanted.url:
            self._tokens.forget(wanted)
        return super()._failed(failure)

    def _page(self, url: str, reel: Reel) -> Iterator[Yield]:
        """As for every list, as long as key and quota last; the next visit goes on where the quota ended."""
        left = self.quota_left()
        if url in reel.pages or self._pages >= self.job.max_pages:
            yield from super()._page(url, reel)
        elif reel.pages and left is not None and left < self.cost(url):
            self._cut(url, reel, self.spent_reason())
        elif self.may_ask(url):
            yield from super()._page(url, reel)


def unforwarded(request: Request) -> Request:
    """A request with a secret: no redirect may carry it to another host."""
    request.meta["dont_redirect"] = True
    return request
