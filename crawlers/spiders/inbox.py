"""Spider for a mailbox that gets the notices of review portals which cannot be read otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field
from scrapy.http import Request, Response

from crawlers.fetches import Fetch, NotRead
from crawlers.look import Look
from crawlers.mailbox import Mails, box_of, new_mails
from crawlers.notices import parse_notice
from crawlers.parsing import PageFile, Parsed
from crawlers.spider import SourceSpider, Yield
from pipeline.identity import origin_of
from pipeline.secrets import SecretMissing, password
from pipeline.words import Answer, Channel, Reading

PER_VISIT = 200


def parse(page: PageFile) -> Parsed:
    """The review that a mail (RFC 5322) tells of."""
    return parse_notice(page)


class InboxOptions(BaseModel):
    """Options of a mailbox."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    user: str = Field(description="Name to sign in with.")
    password_file: Path | None = Field(None, description="File with the password, and nothing else.")
    password_env: str = Field("STURMWARTE_INBOX_PASSWORD", description="Environment variable with the password.")


class InboxSpider(SourceSpider):
    """Reads mails that came since the last visit; marks none and deletes none. What nobody mailed is not known."""

    name = "inbox"
    platform = "inbox"
    channel = Channel.REVIEW
    interval = timedelta(minutes=5)
    Options = InboxOptions
    description = "Notices of review portals (kununu, Google, Trustpilot, …) in a mailbox of your own, by IMAP."
    example = """\
[sources.notices]
spider = "inbox"
url = "imaps://mail.example.org/INBOX"
about = "acme"
user = "reviews@example.org"
password_file = "/etc/sturmwarte/inbox.password"
"""
    parser: ClassVar[Any] = staticmethod(parse)

    @classmethod
    def recognises(cls, look: Look) -> str:
        head = look.start.partition(b"\n\n")[0].replace(b"\r", b"")
        known = not head.startswith(b"<") and b"\nfrom:" in b"\n" + head and b"\nsubject:" in b"\n" + head
        return "the file is a mail" if known else ""

    async def start(self) -> AsyncIterator[Yield]:
        self.visit.has_watermark = False
        try:
            mails = await asyncio.to_thread(self._mails)
        except (NotRead, SecretMissing, ValueError) as error:
            answer = error.answer if isinstance(error, NotRead) else Answer.GATED
            self._note(Fetch(self.job.url, self.job.now(), answer, reason=str(error)))
            self.lose(self.job.url, answer, str(error))
            return
        for uid, body in mails.found:
            for item in self._items(uid, body):
                yield item
        self.visit.cursor = {"validity": mails.validity, "uid": mails.last}
        self.visit.behind = self.visit.keep_cursor = mails.more
        self.visit.complete = not mails.more
        answer = Answer.OK if mails.found else Answer.EMPTY
        self._note(Fetch(self.job.url, self.job.now(), answer, items=len(mails.found)))

    def _mails(self) -> Mails:
        options = self.options(InboxOptions)
        secret = password(options.password_file, options.password_env)
        if not secret:
            raise SecretMissing(f"no password: set password_file, or the environment variable {options.password_env}")
        if self.kit is None:
            raise ValueError("a visit needs its kit")
        return new_mails(
            box_of(self.job.url),
            options.user,
            secret,
            guard=self.kit.guard,
            context=self.kit.tls,
            since=self.job.backfill_from.date(),
            validity=self.job.cursor.get("validity"),
            last=int(self.job.cursor.get("uid") or 0),
            limit=PER_VISIT,
        )

    def _note(self, fetch: Fetch) -> None:
        self.visit.answers.append(fetch.answer)
        if self.kit is not None:
            self.kit.fetches.append(fetch)

    def _items(self, uid: int, body: bytes) -> list[Yield]:
        """What a mail tells; one that tells of no review is passed over, as an inbox has others, too."""
        url = f"{self.job.url}#{uid}"
        response = Response(url, body=body, request=Request(url))
        parsed = self.parsed(response)
        if parsed.state is not Answer.OK:
            return []
        self.fetch(response).sha256 = self.keep(response)
        return [
            self.item(
                one,
                parsed,
                response,
                reading=Reading.SNIPPET,
                native_id=one.id,
                origin=origin_of(one.url or f"https://{parsed.thread_title}/"),
                thread=None,
                thread_title="",
            )
            for one in parsed.items
        ]
