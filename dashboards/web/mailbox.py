"""``/mailbox``: the demonstration's caught mails. Mail is hostile: its HTML lives in a sandbox of its own."""

from __future__ import annotations

import base64
import mailbox
import re
from datetime import datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import parsedate_to_datetime
from pathlib import Path

import msgspec
from fastapi import APIRouter, HTTPException
from fastapi.responses import HTMLResponse, Response

from dashboards.reader import Reader, ReaderHere
from dashboards.web.rendering import page

router = APIRouter(include_in_schema=False)

FRAME_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
)
PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_CID = re.compile(r"cid:([^\"'\s>)]+)")


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """What the list shows of one mail; ``number`` counts from 1, oldest first."""

    number: int
    subject: str
    sender: str
    receiver: str
    at: datetime | None


@router.get("/mailbox", response_class=HTMLResponse)
def show(reader: ReaderHere) -> HTMLResponse:
    """All caught mails, newest first."""
    letters = [letter_of(number, mail) for number, mail in enumerate(mails(reader), 1)]
    return page(reader, "mailbox.html", letters=letters[::-1])


@router.get("/mailbox/{number}", response_class=HTMLResponse)
def show_one(reader: ReaderHere, number: int) -> HTMLResponse:
    """One mail: what a mail program shows, and the text part."""
    mail = one_mail(reader, number)
    text = mail.get_body(("plain",))
    answer = page(
        reader,
        "letter.html",
        letter=letter_of(number, mail),
        text=text.get_content() if text else "",
        has_html=mail.get_body(("html",)) is not None,
        headers=[(name, str(value)) for name, value in mail.items()],
    )
    answer.headers["Content-Security-Policy"] = PAGE_POLICY
    return answer


@router.get("/mailbox/{number}/html", response_class=HTMLResponse)
def show_html(reader: ReaderHere, number: int) -> Response:
    """The HTML part alone, with its images inside, under a policy that lets it do nothing."""
    mail = one_mail(reader, number)
    body = mail.get_body(("html",))
    if body is None:
        raise HTTPException(404)
    html = '<base target="_blank">' + _CID.sub(lambda found: image(mail, found[1]), body.get_content())
    headers = {"Content-Security-Policy": FRAME_POLICY, "X-Frame-Options": "SAMEORIGIN"}
    return HTMLResponse(html, headers=headers)


def image(mail: EmailMessage, identifier: str) -> str:
    """An embedded image as a data address; empty where the mail has none of that name."""
    for part in mail.walk():
        if part.get("Content-ID", "").strip("<> ") == identifier and part.get_content_maintype() == "image":
            content = part.get_payload(decode=True)
            encoded = base64.b64encode(content if isinstance(content, bytes) else b"").decode()
            return f"data:{part.get_content_type()};base64,{encoded}"
    return ""


def mails(reader: Reader) -> list[EmailMessage]:
    """All mails, oldest first. Raises HTTPException 404 where there is no demonstration."""
    place = reader.configuration.demo.mailbox
    if place is None:
        raise HTTPException(404)
    return [parsed(content) for content in contents(place)]


def contents(place: Path) -> list[bytes]:
    """The bytes of every mail in a maildir, or in an mbox file; none where nothing was caught yet."""
    if place.is_dir():
        folder = mailbox.Maildir(place, create=False)
        return [folder.get_bytes(key) for key in sorted(folder.keys())]
    if not place.exists():
        return []
    box = mailbox.mbox(place, create=False)
    try:
        return [box.get_bytes(key) for key in box.iterkeys()]
    finally:
        box.close()


def parsed(content: bytes) -> EmailMessage:
    """A mail of its bytes."""
    return BytesParser(EmailMessage, policy=policy.default).parsebytes(content)


def one_mail(reader: Reader, number: int) -> EmailMessage:
    """The mail of that number. Raises HTTPException 404."""
    every = mails(reader)
    if not 1 <= number <= len(every):
        raise HTTPException(404)
    return every[number - 1]


def letter_of(number: int, mail: EmailMessage) -> Letter:
    """What the list shows."""
    try:
        at = parsedate_to_datetime(str(mail["date"]))
    except (TypeError, ValueError):
        at = None
    return Letter(
        number=number,
        subject=str(mail.get("subject", "")),
        sender=str(mail.get("from", "")),
        receiver=str(mail.get("to", "")),
        at=at if at and at.tzinfo else None,
    )
