"""The article of a news or blog page: title, author, time and text (trafilatura, htmldate and the page's own data)."""

from __future__ import annotations

import contextlib
import re
from typing import Any

from crawlers.dates import parse_date
from crawlers.parsing import Links, PageFile, Parsed, ParsedItem
from crawlers.select import first, select, tree_of
from crawlers.structured import Node, json_ld, listed, text_value, types_of, walk
from crawlers.text import Element, bearable, decode, one_line
from pipeline.identity import canonical_url, folded_letters
from pipeline.item import Published
from pipeline.words import Answer, Kind, Precision

MIN_TEXT = 40
"""Characters below which what was found is a notice or a menu, not an article."""
MOST_BYTES = 3_000_000
"""Of a page for the libraries, which take 4 s of processor time for a million."""

_ARTICLES = frozenset(
    {"Article", "NewsArticle", "ReportageNewsArticle", "AnalysisNewsArticle", "OpinionNewsArticle", "BlogPosting"}
    | {"TechArticle", "LiveBlogPosting", "BackgroundNewsArticle", "Report", "SocialMediaPosting"}
)
_TIME_METAS = (
    "article:published_time",
    "og:article:published_time",
    "date",
    "dc.date.issued",
    "datepublished",
    "pubdate",
)


def parse_article(page: PageFile) -> Parsed:
    """One item of kind article, or why there is none. Never raises on any bytes."""
    if not page.body.strip():
        return Parsed(state=Answer.ERROR, reason="the answer is empty")
    tree = tree_of(page)
    item = read_article(page, tree)
    lang = (tree.get("lang") or "")[:2].lower() or None
    if item is None:
        return Parsed(state=Answer.LAYOUT_CHANGED, reason="no article text was found on this page", lang=lang)
    return Parsed(state=Answer.OK, items=(item,), links=Links(), lang=lang)


def read_article(page: PageFile, tree: Element) -> ParsedItem | None:
    """The article of a page, None where there is no text worth the name."""
    found = _extracted(page)
    node = _described(tree)
    title = _title(tree, node, found.get("title") or "")
    text = _without_heading(_blocks(found.get("raw_text") or "", found.get("text") or ""), title)
    if len(text) < MIN_TEXT:
        return None
    url = canonical_url(page.url)
    return ParsedItem(
        kind=Kind.ARTICLE,
        id=url,
        url=url,
        author=_author(node, found.get("author")),
        title=title,
        text=text,
        published=_published(page, tree, node),
        teaser=_is_paid(node),
    )


def _extracted(page: PageFile) -> dict[str, Any]:
    """What trafilatura finds; nothing where it fails."""
    import trafilatura  # half a second: only where a page is read

    try:
        found: Any = trafilatura.bare_extraction(
            _said(page),
            url=page.url,
            favor_precision=True,
            include_comments=False,
            include_tables=False,
            with_metadata=False,
        )
    except Exception:  # the library raises many kinds on odd markup
        return {}
    return found.as_dict() if found is not None else {}


def _said(page: PageFile) -> str:
    """The page as other libraries can bear it: they parse it for themselves."""
    return bearable(decode(page.body[:MOST_BYTES], page.headers))


def _blocks(raw: str, text: str) -> str:
    blocks = (" ".join(line.split()) for line in (text or raw).splitlines())
    return "\n\n".join(block.removeprefix("- ") for block in blocks if block)


def _without_heading(text: str, title: str) -> str:
    """The text, if it begins with its own title, without that."""
    heading, gap, rest = text.partition("\n\n")
    return rest if gap and folded_letters(heading) == folded_letters(title) else text


def _described(tree: Element) -> Node:
    """What the page's JSON-LD says of its article; empty where it says nothing."""
    for node in walk(json_ld(tree)):
        if types_of(node) & _ARTICLES and (node.get("headline") or node.get("datePublished")):
            return node
    return {}


def _is_paid(node: Node) -> bool:
    """Whether the page says of its article that only its beginning is free."""
    return text_value(node.get("isAccessibleForFree")).lower() == "false" or node.get("isAccessibleForFree") is False


def _title(tree: Element, node: Node, found: str) -> str:
    """The heading over the text; where the page has none or many, the headline it declares."""
    headings = [one_line(heading) for heading in select(tree, "h1")]
    declared = " ".join(text_value(node.get("headline")).split())
    if len(set(headings)) == 1 and headings[0]:
        same = folded_letters(declared) == folded_letters(headings[0])
        return declared if declared and (same or declared in headings[0]) else headings[0]
    og = first(tree, "meta[property='og:title']")
    shared = " ".join((og.get("content") or "").split()) if og is not None else ""
    return declared or shared or next((heading for heading in headings if heading), "") or found


def _author(node: Node, found: Any) -> str | None:
    names = [text_value(one) for one in listed(node.get("author"))]
    known = [name for name in names if name and not name.startswith("http")]
    if known:
        return ", ".join(dict.fromkeys(known))
    return ", ".join(re.split(r"\s*;\s*", found)) if isinstance(found, str) and found else None


def _published(page: PageFile, tree: Element, node: Node) -> Published:
    printed = [text_value(node.get("datePublished"))]
    names = (meta.get("property") or meta.get("name") or meta.get("itemprop") or "" for meta in select(tree, "meta"))
    metas = dict(zip((name.lower() for name in names), select(tree, "meta"), strict=False))
    printed += [metas[name].get("content") or "" for name in _TIME_METAS if name in metas]
    printed += [time.get("datetime") or "" for time in select(tree, "article time[datetime], time[itemprop]")[:1]]
    found = (parse_date(text, page.now, page.zone) for text in printed if text)
    known = [one for one in found if one.at is not None]
    exact = next((one for one in known if one.precision.exact), None)
    return exact or next(iter(known), None) or _guessed(page)


def _guessed(page: PageFile) -> Published:
    """The day htmldate finds, not after the page was fetched."""
    import htmldate

    found = None
    with contextlib.suppress(Exception):  # as above
        found = htmldate.find_date(_said(page), max_date=page.now.date().isoformat())
    return parse_date(found, page.now, page.zone) if found else Published(precision=Precision.UNKNOWN)
