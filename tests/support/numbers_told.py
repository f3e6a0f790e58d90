"""Persons, posts and percentage of the demonstration's brand, read off where people and machines are told them."""

from __future__ import annotations

import re
from email.message import EmailMessage
from typing import Any, Protocol

from lxml import html

BRAND = "nordnetz"
Numbers = tuple[int, ...]
"""(critical persons, critical posts, negative share in percent)"""


class Browser(Protocol):
    """A client of the pages: FastAPI's for tests, or httpx2 over the network."""

    def get(self, url: str, /, **options: Any) -> Any: ...


def of_the_mail(mail: EmailMessage) -> Numbers:
    """The plain part of a German mail."""
    body = mail.get_body(("plain",))
    assert body is not None
    patterns = r"(\d+) Personen äußern sich", r"Beiträge +(\d+) von", r"Negativ +(\d+) %"
    return _found(str(body.get_content()), *patterns)


def of_the_page(browser: Browser) -> Numbers:
    """The situation, in German."""
    page = html.fromstring(browser.get("/", headers={"Accept-Language": "de"}).text)
    figures = [(pair.findtext("dt"), pair.find("dd").text_content()) for pair in page.cssselect("dl.numbers > div")]
    (posts,) = [figure for meaning, figure in figures if meaning.startswith("kritische Beiträge")]
    (share,) = [figure for meaning, figure in figures if meaning.startswith("negativ (")]
    (headline,) = [text for head in page.cssselect("h2") if "äußern sich" in (text := head.text_content())]
    return _found(f"{headline} {posts} {share}", r"(\d+) Personen äußern sich", r" (\d+) \d+ %", r"(\d+) %")


def of_the_interface(browser: Browser) -> Numbers:
    """``/api/situation``."""
    (brand,) = browser.get("/api/situation", params={"brand": BRAND}).json()["brands"]
    return brand["persons"], brand["posts"], round(brand["share"]["value"] * 100)


def critical(counted: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those of the printed mentions that are critical of the brand."""
    return [row for row in counted if _opinion(row)["tone"] == "negative"]


def of_the_mentions(counted: list[dict[str, Any]]) -> Numbers:
    """What ``sturmwarte mentions … is:counted --json`` printed for a window, counted here."""
    negative, scored = critical(counted), sum(_opinion(row)["tone"] is not None for row in counted)
    return len({row["author"] for row in negative}), len(negative), round(100 * len(negative) / scored)


def _opinion(row: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in row["opinions"] if one["brand"] == BRAND)
    return found


def _found(text: str, *patterns: str) -> Numbers:
    found = [re.search(pattern, text.replace("\u202f", " ").replace("\u00a0", " ")) for pattern in patterns]
    assert all(found), (patterns, text)
    return tuple(int(match.group(1)) for match in found if match)
