"""What spiders of documented interfaces share: the operator's own key, and a count of what it has cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field
from scrapy.http import Request

from crawlers.newest import NewestFirst, Reel
from crawlers.spider import Yield
from pipeline.secrets import password
from pipeline.words import Answer

WARN_AT = 0.8
"""Share of a quota from which on a warning stands beside the source."""


class ApiOptions(BaseModel):
    """Options of a source that is read through an interface with a key of the operator's own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key_file: Path | None = Field(None, description="File with the key, and nothing else.")
    key_env: str = Field("", description="Environment variable with the key; empty: the spider's own name for it.")
    quota: int | None = Field(None, ge=1, description="Units that may be spent per quota period; empty: the usual.")


class ApiSpider(NewestFirst):
    """Base of spiders that read a documented interface as their operator's contract allows.

    Its robots.txt speaks to those without a contract and is not asked. Pace, Retry-After and back-off hold as always.
    """

    Options: ClassVar[type[BaseModel]] = ApiOptions
    key_name: ClassVar[str] = ""
    """Environment variable of the key; empty where the interface needs none."""
    quota: ClassVar[int | None] = None
    """Units per period that the interface usually grants; None: not counted."""
    quota_period: ClassVar[timedelta] = timedelta(days=1)

    @property
    def own_service(self) -> bool:
        return True

    def key(self) -> str:
        """The key. Raises SecretMissing where the named file cannot be read; empty where none is given."""
        options: Any = self.job.options
        return password(options.key_file, options.key_env or self.key_name) or ""

    def headers(self) -> Mapping[str, str]:
        """Headers of every request: where most interfaces want the key."""
        return {}

    def cost(self, url: str) -> int:
        """Units that one request costs."""
        return 1

    def ask(self, url: str, callback: Any, **given: Any) -> Request:
        return self.request(url, callback, headers=self.headers(), **given)

    def _page(self, url: str, reel: Reel) -> Iterator[Yield]:
        """As for every list, as long as the quota lasts."""
        if self.key_name and not self.key():
            self.lose(url, Answer.GATED, f"no key: set key_file, or the environment variable {self.key_name}")
        elif self._spend(self.cost(url)):
            yield from super()._page(url, reel)
        else:
            until = quota_start(self.job.started, self.quota_period) + self.quota_period
            self.lose(url, Answer.RATE_LIMITED, f"the quota of {self._limit()} is spent until {until.isoformat()}")

    def _limit(self) -> int | None:
        options: Any = self.job.options
        return options.quota or self.quota

    def _spend(self, units: int) -> bool:
        """Count units; False where the quota does not reach. What this visit spent is added up when it ends."""
        limit = self._limit()
        if limit is None:
            return True
        used = self.job.quota_used(self.name, quota_start(self.job.started, self.quota_period)) + self.visit.spent
        if used + units > limit:
            return False
        self.visit.spent += units
        self.visit.quota = (self.name, quota_start(self.job.started, self.quota_period), limit)
        if used + units >= WARN_AT * limit:
            self.visit.notice = f"{used + units} of {limit} units of the quota are spent"
        return True


def quota_start(now: datetime, period: timedelta) -> datetime:
    """Start of the quota period that a time falls into, counted from 1970 in UTC."""
    begun = datetime(1970, 1, 1, tzinfo=UTC)
    return begun + (now - begun) // period * period
