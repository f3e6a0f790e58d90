"""A source that nobody visits: what happens there is handed to us, by the interface or by a portal's webhook."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from crawlers.parsing import PageFile, Parsed
from crawlers.spider import SourceSpider, Yield
from pipeline.words import Answer, Channel


def parse(page: PageFile) -> Parsed:
    """Nothing: there are no pages to read."""
    return Parsed(state=Answer.EMPTY, reason="items of this source are handed in, not read")


class PushOptions(BaseModel):
    """Options of a source whose items are handed in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    token_file: Path | None = Field(None, description="File with the token that whoever hands in has to show.")
    token_env: str = Field("", description="Environment variable with that token.")


class PushSpider(SourceSpider):
    """Waits. What is not handed in is unknown, so there is no watermark and no exposure."""

    name = "push"
    platform = "push"
    channel = Channel.OWN
    interval = timedelta(hours=1)
    Options = PushOptions
    description = "Nothing is read: other programs hand items in with POST /api/items and the token of this source."
    example = """\
[sources.service-desk]
spider = "push"
url = "https://desk.example.org"      # where items without an address of their own belong
token_file = "secrets/desk.token"
"""
    parser: ClassVar[Any] = staticmethod(parse)

    async def start(self) -> AsyncIterator[Yield]:
        self.visit.has_watermark, self.visit.complete = False, True
        self.visit.answers.append(Answer.OK)
        return
        yield  # what makes this a generator, though it gives nothing
