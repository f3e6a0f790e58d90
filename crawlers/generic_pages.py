"""Posts of forums and comment sections that nobody knows: repeated blocks, each with a name, a time and a text.

One pass adds up, for every element, what lies below it; from each time upwards, the lowest element that also holds a
name and a text is a block; the blocks that look alike and are the most are the posts. Lists of threads are found alike,
by a title that leads somewhere in place of a text. All of it is linear in the size of the page.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from statistics import median
from urllib.parse import urlsplit

import msgspec

from crawlers.markup import (
    Sheet,
    answered,
    incomplete,
    language,
    outermost,
    paging,
    sheet_of,
    short,
)
from crawlers.parsing import PageFile, Parsed, ParsedItem, ThreadRow
from crawlers.select import absolute, clean_link, first, select
from crawlers.text import Element, one_line, own_words
from pipeline.item import Published
from pipeline.words import Answer, Kind

MAX_ELEMENTS = 60_000
"""Elements of a page that are looked at."""
MAX_TIMES = 3_000
CLIMB = 12
"""How far above its time a post's own element may be."""
FEWEST = 2
"""Posts that make a page one of posts."""
FEWEST_ROWS = 5
LEAST_TEXT = 15
"""Letters of a text beside name and time."""

_NAME = re.compile(
    r"(?:^|[\s_-])(?:author|autor|user-?name|nick(?:name)?|poster|posted-?by|member-?name|display-?name|by-?line"
    r"|user|member|verfasser|creator|commenter|fn)(?:$|[\s_-])",
    re.IGNORECASE,
)
_PROFILE = re.compile(
    r"(?:^|/)(?:users?|members?|profile?|u|author|mitglied(?:er)?|nutzer|benutzer|people)(?:/|\.php|-|=)|[?&;](?:u|uid|user)=|action=profile",
    re.IGNORECASE,
)
_SURE = re.compile(r"user-?name|author|nick|poster|display-?name|member-?name", re.IGNORECASE)
_NAMELIKE = re.compile(r"(?=.{0,59}[^\W\d_].{0,59}[^\W\d_])(?!(?:online|offline)\b).{2,60}", re.IGNORECASE)
_TIME_ATTRIBUTES = ("datetime", "data-time", "data-timestamp", "data-date", "data-created", "data-published")
_PRINTED = re.compile(
    r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}|\b\d{1,2}:\d{2}\b|\bvor\s+\S+\s+(?:sek|min|st|tag|woch|mon|jahr)"
    r"|\b\d{1,3}\s*\S+\s+ago\b|\b(?:gestern|heute|yesterday|today)\b"
    r"|\b\d{1,2}\.?\s+(?:jan|feb|mär|mar|apr|ma[iy]|jun|jul|aug|sep|o[kc]t|nov|de[zc])\w*\.?\s+\d{4}"
    r"|\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)\w*\.?\s+\d{1,2},?\s+\d{4}",
    re.IGNORECASE,
)
_NOT_POSTS = frozenset({"script", "style", "noscript", "template", "head", "nav", "footer", "form", "select", "option"})
_FORUM = re.compile(
    r"forum|board|thread|topic|thema|discussion|diskussion|community|beitrag|frage|question", re.IGNORECASE
)
_DIGITS = re.compile(r"(\d{1,18})(?!.*\d)")
_ID_ATTRIBUTES = ("data-post-id", "data-comment-id", "data-pk", "data-id", "data-postid", "data-commentid", "id")


@dataclass(slots=True)
class _Map:
    """What lies below every element of a page: letters, letters of links, names, times."""

    elements: list[Element]
    index: dict[Element, int]
    letters: list[int]
    linked: list[int]
    names: list[int]
    found: list[tuple[Element, Published]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Block:
    """One repeated block."""

    element: Element
    time: Element
    at: Published


def parse_generic(page: PageFile) -> Parsed:
    """The posts or the rows of a page of an unknown program. Never raises on any bytes."""
    if not page.body.strip():
        return Parsed(state=Answer.ERROR, reason="the answer is empty")
    sheet = sheet_of(page, "time, [class*=date], [class*=time]")
    map_ = _mapped(sheet)
    posts = _best(map_, with_text=True)
    rows = _best(map_, with_text=False)
    items = tuple(_posts(sheet, posts))
    if len(items) >= FEWEST and not _rather_rows(map_, posts, rows):
        return _thread(sheet, items)
    threads = tuple(_rows(sheet, rows))
    if len(threads) >= FEWEST_ROWS:
        return Parsed(state=Answer.OK, threads=threads, links=paging(sheet), lang=language(sheet.tree))
    if items:
        return _thread(sheet, items)
    if first(sheet.tree, "input[type=password]") is not None:
        return Parsed(state=Answer.GATED, reason="the page asks for a login")
    return Parsed(state=Answer.EMPTY, reason="no repeated blocks with name, time and text", lang=language(sheet.tree))


def looks_like_posts(page: PageFile) -> bool:
    """Whether there is strong evidence of a thread, or of a list of threads of a forum."""
    parsed = parse_generic(page)
    if parsed.state is not Answer.OK:
        return False
    if parsed.items:
        return len(parsed.items) >= FEWEST and all(item.author for item in parsed.items)
    return sum(bool(_FORUM.search(row.url)) for row in parsed.threads) * 2 > len(parsed.threads)


def _thread(sheet: Sheet, items: tuple[ParsedItem, ...]) -> Parsed:
    links = paging(sheet)
    named = short(sheet.url)
    thread = named.partition("-")[0] if named and named.startswith("t") else _place(sheet.url)
    reason = incomplete(items)
    return Parsed(
        state=Answer.LAYOUT_CHANGED if reason else Answer.OK,
        reason=reason,
        items=tuple(msgspec.structs.replace(item, thread=thread) for item in items),
        links=links,
        thread=thread,
        thread_title=one_line(first(sheet.tree, "h1")) or one_line(first(sheet.tree, "h2")),
        lang=language(sheet.tree),
        first_page=not links.previous,
    )


# --- finding ----------------------------------------------------------------------------------------------------


def _mapped(sheet: Sheet) -> _Map:
    elements = [one for one, _ in zip(sheet.tree.iter(), range(MAX_ELEMENTS), strict=False) if isinstance(one.tag, str)]
    index = {element: number for number, element in enumerate(elements)}
    size = len(elements)
    map_ = _Map(elements, index, [0] * size, [0] * size, [0] * size)
    for number in range(size - 1, -1, -1):
        element = elements[number]
        if element.tag in _NOT_POSTS:
            map_.letters[number] = map_.linked[number] = map_.names[number] = 0
            continue
        map_.letters[number] += len((element.text or "").strip())
        if element.tag == "a":
            map_.linked[number] = map_.letters[number]
        map_.names[number] += _is_name(element)
        above = index.get(element.getparent())
        if above is not None:
            map_.letters[above] += map_.letters[number] + len((element.tail or "").strip())
            map_.linked[above] += map_.linked[number]
            map_.names[above] += map_.names[number]
    map_.found = list(_times(sheet, map_))
    return map_


def _is_name(element: Element) -> bool:
    if (element.get("rel") or "") == "author" or (element.get("itemprop") or "") in ("author", "creator"):
        return True
    marks = f"{element.get('class') or ''} {element.get('data-testid') or ''}"
    if marks.strip() and (_NAME.search(marks) or _NAME.search(marks.replace("__", " "))):
        return True
    return element.tag == "a" and bool(_PROFILE.search(element.get("href") or ""))


def _times(sheet: Sheet, map_: _Map) -> Iterator[tuple[Element, Published]]:
    """Elements that show a time and nothing much else."""
    taken = 0
    for number, element in enumerate(map_.elements):
        if taken >= MAX_TIMES:
            return
        marked = any(element.get(name) for name in _TIME_ATTRIBUTES)
        title = element.get("title") or ""
        said = (element.text or "").strip()
        small = map_.letters[number] <= 60
        if not small or not (marked or _PRINTED.search(title[:80]) or (len(said) < 60 and _PRINTED.search(said))):
            continue
        at = sheet.moment(element)
        if at.at is None and at.upper is None:
            continue
        taken += 1
        yield element, at


def _best(map_: _Map, *, with_text: bool) -> list[_Block]:
    """The blocks that look alike and are the most."""
    groups: dict[str, dict[Element, _Block]] = {}
    for time, at in map_.found:
        element = _block(map_, time, with_text=with_text)
        if element is not None:
            groups.setdefault(_signature(element), {}).setdefault(element, _Block(element, time, at))
    if not groups:
        return []

    def weight(group: dict[Element, _Block]) -> tuple[int, int]:
        return len(group), sum(map_.letters[map_.index[element]] for element in group)

    return list(max(groups.values(), key=weight).values())


def _block(map_: _Map, time: Element, *, with_text: bool) -> Element | None:
    """The lowest element around a time that also holds a name and a text (or, for a row, a title that leads on)."""
    element, climbed = time, 0
    own = map_.letters[map_.index[time]]
    while climbed < CLIMB:
        above = element.getparent()
        if above is None or above.tag in ("body", "html") or above not in map_.index:
            return None
        element, climbed = above, climbed + 1
        number = map_.index[element]
        free = map_.letters[number] - map_.linked[number] - own
        if with_text and map_.names[number] and free >= LEAST_TEXT:
            return element
        if not with_text and map_.linked[number] >= 8 and element.tag in ("tr", "li", "article", "div", "dl"):
            return element
    return None


def _signature(element: Element) -> str:
    """How an element looks, numbers aside."""
    marks = sorted(re.sub(r"\d+", "", name) for name in (element.get("class") or "").split())
    plain = [name for name in marks if not re.search(r"odd|even|first|last|new|unread|row-?$|alt", name)]
    return f"{element.tag}.{'.'.join(plain[:4])}"


def _rather_rows(map_: _Map, posts: list[_Block], rows: list[_Block]) -> bool:
    """Whether what could be posts are rows whose words are links and counts."""
    if len(rows) < FEWEST_ROWS or len(rows) < len(posts):
        return False
    numbers = [map_.index[block.element] for block in posts]
    return median(map_.letters[n] - map_.linked[n] for n in numbers) < 60 if numbers else True


# --- reading ----------------------------------------------------------------------------------------------------


def _posts(sheet: Sheet, blocks: list[_Block]) -> Iterator[ParsedItem]:
    """The posts in the order of the page. Inner ones are read first: their words are not those of the outer."""
    inside = {block.element for block in blocks}
    found: list[ParsedItem] = []
    seen: Counter[str] = Counter()
    for block in reversed(blocks):
        item = _post(sheet, block, [one for one in block.element.iter() if one in inside and one is not block.element])
        if item is not None:
            found.append(item)
    for item in reversed(found):
        seen[item.id] += 1
        if seen[item.id] == 1:
            yield item


def _post(sheet: Sheet, block: _Block, nested: list[Element]) -> ParsedItem | None:
    number = _own_number(block.element)
    name = _named(block, nested)
    author = one_line(name)[:100] or None
    link = _permalink(sheet, block.element, number)
    content = _content(block, name, nested)
    if content is None:
        return None
    quotes = outermost(select(content, "blockquote, [class*=quote]"))
    parent_author, parent = answered(sheet, quotes)
    extract = own_words(content, quotes=quotes, drop=[*nested, *select(content, _CLUTTER)])
    if not extract.text:
        return None
    return ParsedItem(
        kind=Kind.POST,
        id=f"p{number}" if number else _made_up(block.at, author, extract.text),
        url=link,
        author=author,
        text=extract.text,
        published=block.at,
        parent=parent,
        parent_author=parent_author,
        quotes_removed=extract.quotes_removed,
        images=extract.images,
    )


_CLUTTER = (
    "script, style, button, form, [class*=signature], [class*=Signature], [class*=share], [class*=like],"
    " [class*=vote],"
    " [class*=action], [class*=footer], [class*=toolbar], [class*=edited], [class*=report], [class*=reply-link]"
)


def _own_number(element: Element) -> str | None:
    for name in _ID_ATTRIBUTES:
        found = _DIGITS.search(element.get(name) or "")
        if found:
            return found[1]
    for inner in select(element, "a[id], a[name], [id]")[:6]:
        found = _DIGITS.search(inner.get("id") or inner.get("name") or "")
        if found:
            return found[1]
    return None


def _named(block: _Block, nested: list[Element]) -> Element | None:
    """The element that holds the author's name: of those marked as one the surest, and of these the first."""
    hidden = {below for one in nested for below in one.iter()}
    names = [one for one in block.element.iter() if isinstance(one.tag, str) and one not in hidden and _is_name(one)]
    worded = [one for one in names if one is not block.time and _NAMELIKE.fullmatch(one_line(one))]
    return min(worded, key=_sureness, default=None)


def _sureness(element: Element) -> int:
    """0 where the page says that this is the author; the larger, the more it is a guess."""
    if element.get("rel") == "author" or element.get("itemprop") in ("author", "creator"):
        return 0
    profile = element.tag == "a" and bool(_PROFILE.search(element.get("href") or ""))
    marked = bool(_SURE.search(element.get("class") or ""))
    return 1 if profile and marked else 2 if profile or (marked and len(element) == 0) else 3


def _permalink(sheet: Sheet, element: Element, number: str | None) -> str | None:
    for link in select(element, "a[href]")[:40]:
        url = absolute(sheet.base, link.get("href"))
        named = short(url)
        if url and named and named.startswith(("p", "comment-")):
            return url
        if url and number and urlsplit(url).fragment.endswith(number):
            clean = clean_link(sheet.base, link.get("href"))
            return f"{clean}#{urlsplit(url).fragment}"
    return None


def _content(block: _Block, name: Element | None, nested: list[Element]) -> Element | None:
    """Of the largest parts without name and time the one with most words that are no links."""
    held = {up for one in (block.time, name) if one is not None for up in (one, *one.iterancestors())}
    hidden = set(nested)
    best, most = None, 0.0
    waiting = [block.element]
    while waiting:
        element = waiting.pop()
        if not isinstance(element.tag, str) or element in hidden or element.tag in _NOT_POSTS:
            continue
        if element in held:
            waiting.extend(element)
            continue
        words = len(one_line(element))
        linked = sum(len(one_line(link)) for link in select(element, "a")[:50])
        marks = f"{element.get('class') or ''} {element.get('itemprop') or ''}".lower()
        hint = 1.5 if re.search(r"text|content|body|message|entry|comment|post", marks) else 1.0
        score = (words - 2 * linked) * hint
        if score > most:
            best, most = element, score
    return best


def _made_up(at: Published, author: str | None, text: str) -> str:
    """An id that grows with time, for posts that have none: its second, and three digits of what is said by whom."""
    moment = at.at or at.upper
    digest = int(blake2b(f"{author}\n{text}".encode("utf-8", "replace"), digest_size=4).hexdigest(), 16) % 1000
    return f"s{int(moment.timestamp()) if moment else 0}{digest:03}"


def _rows(sheet: Sheet, blocks: list[_Block]) -> Iterator[ThreadRow]:
    seen: set[str] = set()
    host = urlsplit(sheet.url).netloc
    for block in blocks:
        links = [link for link in select(block.element, "a[href]")[:30] if len(one_line(link)) >= 4]
        links = [link for link in links if not _is_name(link)]
        title = max(links, key=lambda link: len(one_line(link)), default=None)
        url = clean_link(sheet.base, title.get("href")) if title is not None else None
        if title is None or url is None or urlsplit(url).netloc != host or url in seen:
            continue
        seen.add(url)
        named = short(url)
        yield ThreadRow(
            id=named.partition("-")[0] if named and named.startswith("t") else _place(url),
            url=url,
            title=one_line(title),
            last_time=block.at.at,
            last_item=f"at {block.at.at.isoformat()}" if block.at.at else None,
        )


def _place(url: str) -> str:
    """A name for a thread that only its address tells."""
    parts = urlsplit(url)
    return "u" + blake2b(f"{parts.path}?{parts.query}".encode("utf-8", "replace"), digest_size=8).hexdigest()
