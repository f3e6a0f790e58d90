"""A portal's mail about a new review, read without knowing its template: rating, words, author, link."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parseaddr
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from crawlers.dates import parse_date
from crawlers.parsing import PageFile, Parsed, ParsedItem
from crawlers.payload import prose, stars
from crawlers.ratings import Rating
from crawlers.select import select
from crawlers.text import parse_tree, text_of
from crawlers.urls import is_web
from pipeline.addresses import canonical_url
from pipeline.identity import permalink_id
from pipeline.words import Answer, Kind

PORTALS = (
    "kununu.com", "google.com", "trustpilot.com", "facebookmail.com", "facebook.com", "provenexpert.com",
    "etrusted.com", "trustedshops.com", "trustedshops.de", "jameda.de", "golocal.de", "holidaycheck.de",
    "holidaycheck.com", "tripadvisor.com", "tripadvisor.de", "glassdoor.com", "glassdoor.de", "indeed.com",
    "yelp.com", "ausgezeichnet.org", "ekomi.de", "kennstdueinen.de", "werkenntdenbesten.de", "reclabox.com",
    "booking.com", "apple.com",
)  # fmt: skip
"""Portals whose mails are read; a subdomain of theirs is theirs."""
_LONGEST = 100_000
_NUMBERS = {"ein": 1, "eine": 1, "einen": 1, "one": 1, "zwei": 2, "two": 2, "drei": 3, "three": 3, "vier": 4,
            "four": 4, "fünf": 5, "five": 5}  # fmt: skip
_SIGNS = re.compile("([★⭐]{1,5})([☆✩]{0,4})")
_OF = re.compile(r"(?<![\d.,/])(\d{1,2}(?:[.,]\d{1,2})?) ?(?:von|out of|of|/) ?(5|6|10|100)(?![\d/.,]\d|\d)", re.I)
_STARS = re.compile(rf"\b(\d(?:[.,]\d)?|{'|'.join(_NUMBERS)})[ -](?:Sternen?|stars?)\b", re.I)
_AUTHOR = re.compile(
    r"^(?:(?:Author|Autor|Name|Von|From|Verfasser|Nutzer|Reviewer)(?:in)?: ?(?P<a>[^:]{2,60})"
    r"|(?P<b>\w[^:,!?]{1,58}\w\.?) (?:hat|left|wrote|reviewed|posted|gave|bewertete|schrieb)\b.*)$"
)
_NOBODY = re.compile(r"^(?:jemand|someone|ein|eine|a|an|sie|you|ihr|your|neue?r?|new)\b", re.I)
_TITLE = re.compile(r"^(?:Titel|Title|Überschrift|Headline|Subject|Betreff): ?(.{2,200})$", re.I)
_LABEL = re.compile(r"^(?:Kommentar|Comment|Bewertungstext|Text|Review|Bewertung|Feedback|Nachricht): ?(.*)$", re.I)
_QUOTED = re.compile('[„“"«»]([^„“”"«»]{15,5000})[“”"«»]')
_GOOD_LINK = re.compile(r"review|bewertung|kommentar|comment|rating|feedback", re.I)
_BAD_LINK = re.compile(
    r"unsubscribe|abmelden|abbestell|settings|einstellung|log-?in|sign-?in|privacy|datenschutz|impressum|imprint"
    r"|help|hilfe|support|terms|agb|preferences|\.(?:png|jpe?g|gif|svg)$",
    re.I,
)


def parse_notice(page: PageFile) -> Parsed:
    """The review that a mail tells of, or why it tells of none. Never raises."""
    if not page.body.strip():
        return Parsed(state=Answer.ERROR, reason="the mail is empty")
    try:
        return _parsed(page, message_from_bytes(page.body, policy=policy.default))
    except Exception as error:  # the library raises whatever its parts raise on odd mails
        return Parsed(state=Answer.ERROR, reason=f"the mail cannot be read: {type(error).__name__}")


def portal_of(sender: str) -> str:
    """The portal that an address belongs to; empty where it is of none."""
    domain = parseaddr(sender)[1].rpartition("@")[2].lower().rstrip(".>")
    return next((name for name in PORTALS if domain == name or domain.endswith(f".{name}")), "")


def _parsed(page: PageFile, mail: EmailMessage) -> Parsed:
    portal = portal_of(str(mail.get("From", "")))
    if not portal:
        return Parsed(state=Answer.EMPTY, reason="the mail is of no portal that is known")
    subject = " ".join(str(mail.get("Subject", "")).split())[:300]
    body, quoted, links = _content(mail)
    lines = [" ".join(line.split()) for line in body.split("\n") if line.strip()]
    rating = _rating([subject, *lines])
    text = quoted or _words(lines)
    if rating.value is None and not (text and _GOOD_LINK.search(subject)):
        return Parsed(state=Answer.EMPTY, reason="the mail tells of no review")
    link = _link(links, portal)
    name = " ".join(str(mail.get("Message-ID", "")).split()) or str(hash_of(page.body))
    item = ParsedItem(
        kind=Kind.REVIEW,
        id=permalink_id(link) if link else f"mail {name[:300]}",
        url=link,
        author=next((found for line in [*lines, subject] if (found := _author(line))), None),
        title=next((hit[1] for line in lines if (hit := _TITLE.match(line))), ""),
        text=text,
        published=parse_date(" ".join(str(mail.get("Date", "")).split())[:80], page.now, page.zone),
        rating=rating.value,
        rating_raw=rating.raw,
        rating_scale=rating.scale,
    )
    return Parsed(state=Answer.OK, items=(item,), thread_title=portal)


def hash_of(body: bytes) -> str:
    """A name for a mail that has none."""
    from hashlib import blake2b

    return blake2b(body, digest_size=12).hexdigest()


def _content(mail: EmailMessage) -> tuple[str, str, list[tuple[str, str]]]:
    """Text, what stands in a block quotation, and links with their words."""
    part = mail.get_body(("html", "plain"))
    told: Any = part.get_content() if part is not None else ""
    content = (told if isinstance(told, str) else "")[: 5 * _LONGEST]
    if part is None or part.get_content_type() != "text/html":
        plain = content[:_LONGEST]
        return plain, "", [(url, "") for url in re.findall(r"https?://[^\s<>\"')\]]{4,2000}", plain)]
    tree = parse_tree(content)
    quote = max((text_of(one) for one in select(tree, "blockquote")[:20]), key=len, default="")
    alts = [f"\n{one.get('alt')}" for one in select(tree, "img[alt]")[:200]]
    links = [(one.get("href") or "", text_of(one)[:200]) for one in select(tree, "a[href]")[:500]]
    return text_of(tree)[:_LONGEST] + "".join(alts)[:_LONGEST], quote, links


def _rating(lines: list[str]) -> Rating:
    """The first rating that stands in a line: signs before numbers, numbers before words."""
    for line in lines:
        if (signs := _SIGNS.search(line)) and (signs[2] or len(signs[1]) > 1 or line.strip() == signs[1]):
            return stars(float(len(signs[1])))
        if found := _OF.search(line):
            best = float(found[2])
            return stars(float(found[1].replace(",", ".")), 1 if best <= 6 else 0, best)
        if found := _STARS.search(line):
            value = _NUMBERS.get(found[1].lower())
            return stars(float(found[1].replace(",", ".")) if value is None else value)
    return Rating()


def _words(lines: list[str]) -> str:
    """What was said: behind its label, else the longest thing in quotation marks; else nothing we could be sure of."""
    for index, line in enumerate(lines):
        if (label := _LABEL.match(line)) and not _OF.search(line) and not _SIGNS.search(line):
            said = label[1] or (lines[index + 1] if index + 1 < len(lines) else "")
            if len(said) > 10:
                return prose(said.strip('„“”"«» '))
    found = [hit for line in lines for hit in _QUOTED.findall(line)]
    return prose(max(found, key=len)) if found else ""


def _author(line: str) -> str:
    found = _AUTHOR.match(line[:300])
    name = (found["a"] or found["b"] or "").strip() if found else ""
    return "" if not name or _NOBODY.match(name) or len(name.split()) > 5 else name


def _link(links: list[tuple[str, str]], portal: str) -> str | None:
    """The review's own address: of the portal, about a review, out of its wrapping, without what follows people."""
    host = portal.replace("facebookmail.", "facebook.")
    for href, words in links:
        for url in _unwrapped(href):
            place = (urlsplit(url).hostname or "").lower()
            ours = place == host or place.endswith(f".{host}")
            if ours and not _BAD_LINK.search(f"{urlsplit(url).path} {words}") and _GOOD_LINK.search(url):
                return canonical_url(url)
    return None


def _unwrapped(href: str) -> Iterator[str]:
    """Addresses within an address (``click.example/?url=https…``) before the address itself."""
    url = href.strip()
    if not is_web(url):
        return
    for _, value in parse_qsl(urlsplit(url).query)[:20]:
        if value.startswith("https://") and is_web(value):
            yield value
    yield url
