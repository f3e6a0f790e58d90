"""Rule ``keyword``: a tripwire. One new mention that matches a search is enough; no baseline, no waiting."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import ClassVar
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, field_validator

from alerts.rule import Alert, Evidence, Needs
from pipeline.mention import Mention
from pipeline.query.errors import QueryError
from pipeline.query.parse import parse

OLDEST = timedelta(hours=48)


class KeywordOptions(BaseModel):
    """Options of ``keyword``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    query: str = Field(min_length=1, description="A search, as on the mentions page.")
    level: int = Field(2, ge=1, le=6, description="Wind force that a hit has at least.")

    @field_validator("query")
    @classmethod
    def _readable(cls, value: str) -> str:
        """A search that cannot be parsed is an error of the configuration, found before it is needed."""
        try:
            parse(value, now=datetime(2026, 1, 1, tzinfo=UTC), zone=ZoneInfo("UTC"))
        except QueryError as error:
            raise ValueError(str(error)) from None
        return value


class Keyword:
    """See the module."""

    name: ClassVar[str] = "keyword"
    version: ClassVar[int] = 1
    description: ClassVar[str] = "A new mention contains certain words."
    example: ClassVar[str] = '[rules.recall]\nrule = "keyword"\nquery = "Rückruf OR Klage"\nlevel = 3\n'
    Options: ClassVar[type[BaseModel]] = KeywordOptions

    def __init__(self, options: KeywordOptions) -> None:
        self.options = options

    @property
    def needs(self) -> Needs:
        return Needs(query=self.options.query)

    def evaluate(self, state: bytes | None, evidence: Evidence, now: datetime) -> tuple[bytes | None, list[Alert]]:
        """One alert per new mention; what is older than 48 h, and what first contact brought, raises nothing."""
        fresh = (m for m in evidence.mentions if not m.historic and now - m.event_time < OLDEST)
        return state, [self._alert(mention, evidence.brand) for mention in sorted(fresh, key=lambda m: m.uid)]

    def _alert(self, mention: Mention, brand: str) -> Alert:
        return Alert(
            rule=self.name,
            version=self.version,
            stream=brand,
            key=mention.uid,
            brand=brand,
            at=mention.event_time,
            window_start=mention.fed_bin,
            window_end=mention.fed_bin + timedelta(minutes=5),
            observed=1,
            expected=0.0,
            low=0,
            high=0,
            uids=(mention.uid,),
            level_hint=self.options.level,
            reasons=(("rules.keyword.hit", {"n": 1, "query": self.options.query}),),
        )
