"""Feeds to items: RSS and Atom of news and blogs, comment feeds, feeds of forums; and where a page's feeds are."""

from __future__ import annotations

import html
import re
from calendar import timegm
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from xml.sax import SAXException

import feedparser
import msgspec

from crawlers.dates import exact, parse_date
from crawlers.parsing import Links, PageFile, Parsed, ParsedItem
from crawlers.select import absolute, base_of, clean_link, first, select, tree_of
from crawlers.text import Element, decode, own_words, parse_tree, text_of
from crawlers.unwrap import unwrapped
from pipeline.identity import identify, native_id, permalink_id
from pipeline.item import Media, Published
from pipeline.words import Answer, Kind

Entry = Any
"""An entry of feedparser; the library has no types."""

MAX_ENTRIES = 2_000
"""Entries of one feed that are read."""
MAX_TAGS = 150_000
"""Tags of one feed; the library's time grows faster than their number."""
MAX_TAG = 20_000
"""Characters of one tag."""
BEGINNING = 20_000
"""Bytes within which a feed's root must stand."""
OPAQUE_HOSTS = ("news.google.com",)
"""Hosts whose entry links lead to a redirection page, not to the article."""

_COMMENT_ON = re.compile(r"^(?:Kommentar zu|Comment on|Re:)\s+(?P<title>.+?)\s+(?:von|by)\s+(?P<name>\S.*)$", re.DOTALL)
_COMMENT_BY = re.compile(r"^(?:Von|By):\s+(?P<name>\S.*)$", re.DOTALL)
_COMMENTS_ON = re.compile(r"^(?:Kommentare zu|Comments on):\s*(?P<title>.+)$", re.DOTALL)
_ANSWER = re.compile(r"^(?:(?:Re|AW|Antw)\s*:\s*)+", re.IGNORECASE)
_POSTED_BY = re.compile(r"^(?:Statistics?|Statistik)\s*:\s*(?:Posted by|Verfasst von)\b.*$", re.IGNORECASE | re.DOTALL)
_CUT_OFF = re.compile(
    r"(?:…|\.\.\.|\[…\]|\[\.\.\.\]|\[&hellip;\]|weiterlesen|read more|mehr lesen|continue reading)\W*$", re.I
)
_APPEARED = re.compile(
    r"\s*(?:Der Beitrag .{1,300}? erschien zuerst auf"
    r"|The post .{1,300}? (?:first appeared|appeared first) on) .{1,200}$",
    re.DOTALL,
)
_REFERENCE = re.compile(r"&#(?:x([0-9a-f]{1,8})|([0-9]{1,8}));", re.IGNORECASE)
_ENTITY = re.compile(r"&[a-zA-Z][a-zA-Z0-9]{1,30};")
_XML_ENTITIES = frozenset({"&amp;", "&lt;", "&gt;", "&quot;", "&apos;"})
_BARE = re.compile(r"&(?![a-zA-Z][a-zA-Z0-9]{1,30};|#[0-9]{1,8};|#[xX][0-9a-fA-F]{1,8};)")
_DECLARATION = re.compile(r"^\s*<\?xml[^>]{0,200}\?>")
_ROOT = re.compile(rb"<(?:\w{1,20}:)?(?:rss|feed|rdf|channel)\b", re.IGNORECASE)
_LONG_TAG = re.compile(rb"<[^<>]{%d}" % MAX_TAG)
_FEED_TYPES = ("application/rss+xml", "application/atom+xml", "application/rdf+xml", "application/feed+xml")
_PATHS: tuple[tuple[str, str], ...] = (
    ("meta[name=generator][content^='WordPress'], link[rel='https://api.w.org/']", "feed/"),
    ("body#phpbb", "app.php/feed"),
    ("html#XF", "forums/-/index.rss"),
    ("meta[name=generator][content^='Discourse']", "latest.rss"),
    ("body[data-application]", "index.php?article-rss-feed/"),
    (".post_body.scaleimages, a[href*='syndication.php']", "syndication.php?type=atom1.0"),
)
"""Where programs keep their feed when the page does not say: (how to know the program, path)."""


class _Feed(msgspec.Struct, frozen=True, kw_only=True):
    """What entries need to know of their feed."""

    page: PageFile
    title: str
    lang: str | None


def parse_feed(page: PageFile) -> Parsed:
    """The entries of a feed as items; a page that is no feed says so and names the feeds it leads to. Never raises."""
    body = page.body.lstrip(b"\xef\xbb\xbf \t\r\n")
    if not body:
        return Parsed(state=Answer.ERROR, reason="the answer is empty")
    if _is_html(body, page):
        return _no_feed(page)
    if why := _no_shape(body):
        return Parsed(state=Answer.ERROR, reason=f"this is no feed: {why}")
    found = _parsed(page)
    if found is None or (not found.get("version") and not found.entries):
        return Parsed(state=Answer.ERROR, reason=f"this is no feed: {_trouble(found)}")
    feed = _Feed(
        page=page, title=_plain(found.feed.get("title")), lang=(found.feed.get("language") or "")[:2].lower() or None
    )
    items = tuple(_items(feed, found.entries[:MAX_ENTRIES]))
    broken = isinstance(found.get("bozo_exception"), SAXException) and not items
    state = Answer.OK if items else Answer.ERROR if broken else Answer.EMPTY
    reason = "" if items else f"this is no feed: {_trouble(found)}" if broken else "the feed has no entries"
    following = [link.get("href") for link in found.feed.get("links", ()) if link.get("rel") == "next"]
    links = Links(next=tuple(filter(None, following)), items=tuple(item.url for item in items if item.url))
    return Parsed(state=state, reason=reason, items=items, links=links, lang=feed.lang)


def _no_shape(body: bytes) -> str:
    """Why the library need not look at it: its time grows faster than tags and their length."""
    if not _ROOT.search(body[:BEGINNING]):
        return "neither RSS nor Atom begins here"
    if body.count(b"<") > MAX_TAGS:
        return f"more than {MAX_TAGS} tags"
    return f"a tag of more than {MAX_TAG} characters" if _LONG_TAG.search(body) else ""


def discover(page: PageFile) -> tuple[str, ...]:
    """Addresses of the feeds an HTML page names, comment feeds last; else where its program usually keeps one."""
    tree = tree_of(page)
    base = base_of(tree, page.url)
    named = []
    for link in select(tree, "link[rel~=alternate][href]"):
        if (link.get("type") or "").split(";")[0].strip().lower() in _FEED_TYPES:
            url = clean_link(base, link.get("href"))
            about = f"{link.get('title') or ''} {url}".lower()
            named += [("comment" in about or "kommentar" in about, url)] if url else []
    if named:
        return tuple(dict.fromkeys(url for _, url in sorted(named, key=lambda one: one[0])))
    usual = (absolute(base, path) for mark, path in _PATHS if first(tree, mark) is not None)
    return tuple(url for url in usual if url)


def _is_html(body: bytes, page: PageFile) -> bool:
    start = body[:1_000].lower()
    if re.search(rb"<(?:rss|feed|rdf:rdf|channel)\b", body[:5_000].lower()):
        return False
    return bool(re.search(rb"<(?:!doctype html|html|head|body|title|div|meta)\b", start))


def _no_feed(page: PageFile) -> Parsed:
    feeds = discover(page)
    told = f"; its feed is {feeds[0]}" if feeds else " and names no feed"
    return Parsed(state=Answer.ERROR, reason=f"this is an HTML page, not a feed{told}", links=Links(feeds=feeds))


def _parsed(page: PageFile) -> Any:
    headers = {"content-location": page.url}
    if "content-type" in page.headers:
        headers["content-type"] = page.headers["content-type"]
    found = _tried(page.body, headers)
    if found is not None and not isinstance(found.get("bozo_exception"), SAXException):
        return found
    mended = _tried(_mended(page), headers | {"content-type": "application/xml; charset=utf-8"})
    if found is None or (mended is not None and len(mended.entries) >= len(found.entries)):
        return mended
    return found


def _tried(body: bytes, headers: dict[str, str]) -> Any:
    try:
        return feedparser.parse(body, response_headers=headers)
    except Exception:  # the library lets errors of its parsers through on odd bytes
        return None


def _mended(page: PageFile) -> bytes:
    """A feed that is no XML, with what most often is wrong put right: charset, control characters, HTML's entities."""
    text = _DECLARATION.sub("", decode(page.body, page.headers))
    named = _ENTITY.sub(lambda found: _numbered(found[0]), text)
    return _REFERENCE.sub(_legal, _BARE.sub("&amp;", named)).encode("utf-8", "replace")


def _numbered(entity: str) -> str:
    """``&uuml;`` as XML knows it: ``&#252;``. What XML knows by name stays."""
    meant = html.unescape(entity)
    return entity if entity in _XML_ENTITIES or meant == entity else "".join(f"&#{ord(char)};" for char in meant)


def _legal(reference: re.Match[str]) -> str:
    """A reference to a character that XML has; one to any other would cost the whole feed."""
    number = int(reference[1], 16) if reference[1] else int(reference[2])
    whole = number in (9, 10, 13) or 0x20 <= number < 0xD800 or 0xE000 <= number < 0xFFFE or 0xFFFF < number < 0x110000
    return reference[0] if whole else ""


def _trouble(found: Any) -> str:
    trouble = found.get("bozo_exception") if found is not None else None
    return " ".join(str(trouble).split())[:150] if trouble else "neither RSS nor Atom"


def _items(feed: _Feed, entries: list[Entry]) -> Iterator[ParsedItem]:
    seen: set[str] = set()
    for entry in entries:
        item = _item(feed, entry)
        if item is not None and item.id not in seen:
            seen.add(item.id)
            yield item


def _item(feed: _Feed, entry: Entry) -> ParsedItem | None:
    url = _link(feed, entry)
    guid = str(entry.get("id") or "").strip() or None
    native = entry_id(url, guid)
    if native is None:
        return None
    kind = _kind(native, entry)
    author = _author(entry)
    title = _plain(entry.get("title"))
    thread, thread_title, author = _thread(feed, kind, native, url, title, author)
    content, summary = _content(entry)
    body = _body(content or summary)
    return ParsedItem(
        kind=kind,
        id=native,
        url=url,
        author=author,
        author_id=body.account,
        title=thread_title if kind is Kind.COMMENT else _headline(entry, title),
        text=body.text,
        published=_published(feed.page, entry),
        thread=thread,
        thread_title=thread_title,
        quotes_removed=body.quotes,
        images=body.images,
        media=body.media,
        teaser=kind is Kind.ARTICLE and _is_teaser(content, body.text, url),
    )


def entry_id(url: str | None, guid: str | None) -> str | None:
    """Native id of a feed entry: by its link, else by its guid; None where it has neither.

    An article's guid comes last, since ``?p=27`` behind a permalink is known to nobody but the feed.
    """
    by_address = identify([url], permalink=url)
    return by_address or identify([guid if _is_address(guid) else None], foreign=guid)


def _is_address(text: str | None) -> bool:
    return bool(text) and str(text).startswith(("http://", "https://"))


def _link(feed: _Feed, entry: Entry) -> str | None:
    link = str(entry.get("link") or "").strip()
    guid = str(entry.get("id") or "").strip()
    found = absolute(feed.page.url, link or (guid if _is_address(guid) else None))
    return unwrapped(found) if found else None


def _kind(native: str, entry: Entry) -> Kind:
    kind_of_id = native.rpartition(" ")[2] if " " in native else ""
    if kind_of_id.startswith("comment-"):
        return Kind.COMMENT
    return Kind.POST if re.fullmatch(r"[pt]\d+(?:-\d+)?", kind_of_id) else Kind.ARTICLE


def _thread(
    feed: _Feed, kind: Kind, native: str, url: str | None, title: str, author: str | None
) -> tuple[str | None, str, str | None]:
    """Thread, its title, and the author where only the title names him."""
    if kind is Kind.COMMENT:
        return _commented(feed, url, title, author)
    if kind is Kind.POST:
        topic = _ANSWER.sub("", title.split(" • ", 1)[-1]).strip()
        place, _, number = native.rpartition(" ")
        thread = f"{place} {number.split('-')[0]}" if number.startswith("t") else None
        return thread, topic, author
    return None, "", author


def _commented(feed: _Feed, url: str | None, title: str, author: str | None) -> tuple[str | None, str, str | None]:
    thread = (native_id(url.partition("#")[0]) or permalink_id(url)) if url else None
    if author and title.endswith(f" {author}"):
        named = re.match(rf"^(?:Kommentar zu|Comment on) (.+) (?:von|by) {re.escape(author)}$", title, re.DOTALL)
        if named:
            return thread, named[1], author
    on, by, feed_on = _COMMENT_ON.match(title), _COMMENT_BY.match(title), _COMMENTS_ON.match(feed.title)
    name = author or (on["name"] if on else by["name"] if by else None)
    return thread, on["title"] if on else feed_on["title"] if feed_on else "", name


def _headline(entry: Entry, title: str) -> str:
    """The title without the outlet's name, which aggregators hang behind it."""
    source = _plain((entry.get("source") or {}).get("title"))
    return title.removesuffix(f" - {source}") if source else title


def _author(entry: Entry) -> str | None:
    """Who is named; else the outlet, as aggregators tell it (``source``, at Bing ``News:Source``)."""
    outlet = _plain((entry.get("source") or {}).get("title")) or _plain(entry.get("news_source"))
    return _plain(entry.get("author")) or outlet or None


def _content(entry: Entry) -> tuple[str, str]:
    """Whole content and summary, as markup."""
    whole = max((str(one.get("value") or "") for one in entry.get("content") or ()), key=len, default="")
    return whole, str(entry.get("summary") or "")


class _Body(msgspec.Struct, frozen=True):
    text: str
    quotes: int
    images: int
    account: str | None
    media: tuple[Media, ...]


def _body(markup: str) -> _Body:
    """An entry's own words: without quotes of others and the lines that forum and blog programs hang on."""
    tree = parse_tree(f"<div>{markup}</div>")
    account = None
    tails = []
    for paragraph in select(tree, "p"):
        if _POSTED_BY.match(text_of(paragraph)):
            account = _account(paragraph)
            tails.append(paragraph)
    extract = own_words(
        tree, quotes=select(tree, "blockquote.uncited, blockquote:has(cite), .quotecontent"), drop=tails
    )
    return _Body(_APPEARED.sub("", extract.text), extract.quotes_removed, extract.images, account, extract.media)


def _account(paragraph: Element) -> str | None:
    profile = first(paragraph, "a[href*='viewprofile']")
    number = re.search(r"[?&]u=(\d+)", profile.get("href")) if profile is not None else None
    return number[1] if number else None


def _is_teaser(content: str, text: str, url: str | None) -> bool:
    """Whether the article itself says more than its entry."""
    if url is None or any(f"//{host}/" in url for host in OPAQUE_HOSTS):
        return False
    return not content or bool(_CUT_OFF.search(text))


def _published(page: PageFile, entry: Entry) -> Published:
    present = set(dict.keys(entry))  # the library's own look-up warns where a name is missing
    for name in (name for name in ("published", "created", "updated") if name in present):
        found = parse_date(str(entry.get(name) or ""), page.now, page.zone)
        if found.at is not None:
            return found
        parsed = entry.get(f"{name}_parsed") if f"{name}_parsed" in present else None
        if parsed:
            try:
                return exact(datetime.fromtimestamp(timegm(parsed), UTC))
            except (ValueError, TypeError, OverflowError, OSError):
                continue
    return Published()


def _plain(markup: Any) -> str:
    """A title's or name's words; titles come escaped once more than they should."""
    text = str(markup or "")
    if "<" in text or "&" in text:
        text = text_of(parse_tree(f"<div>{text}</div>"))
    return " ".join(text.split())
