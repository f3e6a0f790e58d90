"""Pages of forums and comment sections that nobody knows: posts, or rows of a list of threads, by their shape alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

import msgspec

from crawlers.blocks import Block, Group, frame_of, uniform, wrapped
from crawlers.bylines import Clock, When, Writer, known, times_of, writers_of
from crawlers.choosing import FEWEST, FEWEST_ROWS, Sight, chosen, hosts_of, opening_of
from crawlers.contents import Said, said_in
from crawlers.order import order_of
from crawlers.outline import Plan, Stamp, plan_of
from crawlers.paging import paging_of
from crawlers.parsing import PageFile, Parsed, ParsedItem
from crawlers.postids import Named, named_posts
from crawlers.rows import Place, rows_of
from crawlers.select import absolute, base_of, first, select, tree_of
from crawlers.text import Element, brief, one_line, remove
from crawlers.threads import (
    falls,
    heading_of,
    in_one_order,
    is_about_else,
    language,
    made_up_id,
    thread_page,
    without_fragment,
)
from pipeline.addresses import native_id
from pipeline.item import Published
from pipeline.words import Answer, Kind

_BOARD = re.compile(
    r"(?:^|[/?&=._-])(?:forums?|boards?|viewforum|forumdisplay|categor(?:y|ies)|kategorien?|subforum|c"
    r"|f\d+)(?:[/=._-]|$)",
    re.I,
)
_THREAD = re.compile(
    r"thread|topic|thema|discussion|diskussion|viewtopic|frage|question|beitrag|/t/|/d/", re.IGNORECASE
)
_LOGIN = re.compile(r"\blog ?-?in\b|sign ?in\b|anmeld|einlogg|registr|permission|berechtig|authentif", re.IGNORECASE)
_LEVEL = re.compile(r"(?:^|\s)(?:depth|level|lvl|indent|ebene)[-_]?(\d{1,2})(?:\s|$)", re.IGNORECASE)


class _Post(msgspec.Struct, frozen=True, kw_only=True):
    """A block before it is an item."""

    block: Block
    frame: list[Element]
    scope: Element
    stamps: list[tuple[Stamp, Element]]
    nested_in: int | None = None


def parse_generic(source: PageFile) -> Parsed:
    """The posts or the rows of a page of an unknown program. Never raises on any bytes."""
    if not source.body.strip():
        return Parsed(state=Answer.ERROR, reason="the answer is empty")
    tree = tree_of(source)
    base = base_of(tree, source.url)
    plan = plan_of(tree)
    tag = language(tree)
    shown = order_of(source, [stamp.text for stamp in plan.stamps if not stamp.machine], tag)
    page = Sight(
        source=source,
        tree=tree,
        base=base,
        plan=plan,
        clock=Clock(source.now, source.zone, shown.order),
        links=paging_of(tree, base, source.url),
        lang=tag[:2].lower() or None,
        place=Place(base, without_fragment(source.url), hosts_of(tree, base, source.url)),
    )
    return msgspec.structs.replace(_read(page), order=shown.evidence)


def _read(page: Sight) -> Parsed:
    posts, rows = chosen(page)
    if posts is not None:
        parsed = _thread(page, posts)
        if parsed is not None:
            return parsed
    if rows is not None:
        return _list(page, rows)
    return _nothing(page)


def share_of_posts(source: PageFile) -> float:
    """Share of a page's words in its posts, where there is strong evidence of posts or a list of threads; else 0."""
    parsed = parse_generic(source)
    if parsed.state is not Answer.OK:
        return 0.0
    if parsed.threads or parsed.boards:
        urls = [row.url for row in (*parsed.threads, *parsed.boards)]
        forum = sum(bool(_THREAD.search(url) or _BOARD.search(url)) for url in urls)
        return 1.0 if len(urls) > FEWEST_ROWS and forum * 2 > len(urls) else 0.0
    whole = [item for item in parsed.items if item.author and known(item.published)]
    if len(whole) < FEWEST or len({item.text for item in whole}) < FEWEST:
        return 0.0
    plan = plan_of(tree_of(source))
    return min(1.0, sum(len(item.text) for item in whole) / max(1, plan.free(0, len(plan.elements))))


# --- posts ------------------------------------------------------------------------------------------------------


def _thread(page: Sight, group: Group) -> Parsed | None:
    group = uniform(page.plan, group)
    opening = opening_of(page, group) if not page.links.previous and not is_about_else(page.tree) else None
    heading = heading_of(page.tree)
    items = list(_items(page, group))
    if not items:
        return None
    if opening is not None:
        known_ids = {item.id for item in items}
        first = (item for item in _items(page, opening) if item.author and known(item.published))
        items = [item for item in first if item.id not in known_ids] + items
    return thread_page(page.tree, page.source, items, page.links, heading)


def _items(page: Sight, group: Group) -> Iterator[ParsedItem]:
    """The posts in the order of the page."""
    posts = _apart(page, group)
    scopes = [_shown(page.plan, post.scope) for post in posts]
    writers = writers_of(scopes)
    times = times_of([post.stamps for post in posts], page.clock)
    moments = [(when.at.at or when.at.upper) for when in times if when is not None]
    later = bool(page.links.previous) and not falls(moments)
    names = named_posts([post.frame for post in posts], page.base, later=later)
    levels = [_level(post) for post in posts]
    replied = [_reply_link(post.scope) for post in posts]
    said = list(said_in([post.scope for post in posts], writers, times))
    ids = in_one_order([_id(*three) for three in zip(names, writers, times, said, strict=True)])
    by_name = {writer.name: number for number, writer in enumerate(writers) if writer is not None}
    seen: set[str] = set()
    above: list[tuple[int, int]] = []
    for number, post in enumerate(posts):
        if ids[number] in seen or not (
            said[number].extract.text or said[number].deleted or said[number].extract.images
        ):
            continue
        seen.add(ids[number])
        parent = post.nested_in
        if parent is None and levels[number] is not None:
            above = [one for one in above if one[0] < levels[number]]  # type: ignore[operator]
            parent = above[-1][1] if above else None
            above.append((levels[number] or 0, number))
        quoted = _quoted(page, said[number], replied[number], names, ids)
        answered = said[number].answered
        if (
            answered is not None
            and answered not in by_name
            and quoted is None
            and not said[number].extract.quotes_removed
        ):
            answered = None  # "@" at the start may be anything
        parent_id = quoted or (ids[parent] if parent is not None else None)
        if answered is None and parent is not None and quoted is None and (writer := writers[parent]) is not None:
            answered = writer.name
        yield _item(
            page, post, ids[number], names[number], writers[number], times[number], said[number], parent_id, answered
        )


def _apart(page: Sight, group: Group) -> list[_Post]:
    """The blocks, each with its elements and times; those within others are taken out of them."""
    plan = page.plan
    several = len(group.blocks) > 1
    if group.segmented:
        frames = [[box] for box in wrapped(plan, group)]
    else:
        frames = [frame_of(plan, group, block) if several else [plan.elements[block.start]] for block in group.blocks]
    posts: list[_Post] = []
    around: list[int] = []
    for number, (block, frame) in enumerate(zip(group.blocks, frames, strict=False)):
        while around and group.blocks[around[-1]].end <= block.start:
            around.pop()
        stamps = _stamps(plan, group, block, frame)
        nested = around[-1] if around and not group.segmented else None
        around.append(number)
        posts.append(_Post(block=block, frame=frame, scope=frame[-1], stamps=stamps, nested_in=nested))
    for post in reversed(posts):
        if post.nested_in is not None:
            remove(post.scope)
    return posts


def _stamps(plan: Plan, group: Group, block: Block, frame: list[Element]) -> list[tuple[Stamp, Element]]:
    """The times of a block: its own, and those of the elements around that hold no other block."""
    top = plan.index.get(frame[-1])
    if group.segmented or top is None:
        spans = list(block.spans())
    else:
        spans = list(Block(top, plan.ends[top], block.inner).spans())
    return [(stamp, plan.elements[stamp.at]) for start, end in spans for stamp in plan.stamps_in(start, end)]


def _shown(plan: Plan, scope: Element) -> list[Element]:
    """The elements of a block that are no part of a quote."""
    return [
        one
        for one in scope.iter()
        if isinstance(one.tag, str) and not plan.quoted[plan.index.get(one, 0)] and one.tag not in ("script", "style")
    ]


def _level(post: _Post) -> int | None:
    for element in post.frame[:3]:
        for name in ("data-depth", "data-level", "depth", "aria-level", "data-indent"):
            value = element.get(name) or ""
            if value.isascii() and value.isdigit() and len(value) < 3:
                return int(value)
        found = _LEVEL.search(element.get("class") or "")
        if found:
            return int(found[1])
    return None


def _reply_link(scope: Element) -> str | None:
    """Where "in reply to" leads."""
    for place, link in enumerate(scope.iter("a")):
        if place > 20:
            return None
        words = brief(link, 60).lower()
        if re.match(r"(?:als )?(?:antwort (?:auf|an)|in reply to|replying to|parent)\b", words):
            return str(link.get("href") or "") or None
    return None


def _quoted(
    page: Sight, said: Said, replied: str | None, names: Sequence[Named | None], ids: Sequence[str]
) -> str | None:
    """Id of the post that a quote or a link names."""
    for href in (replied, *said.links):
        url = absolute(page.base, href)
        if url is None:
            continue
        fragment = urlsplit(url).fragment
        for named, name in zip(names, ids, strict=True):
            if named is not None and (
                (fragment and named.fragment == fragment) or (named.native and named.native == native_id(url))
            ):
                return name
        short = (native_id(url) or "").rpartition(" ")[2]
        if re.fullmatch(r"(?:p|comment-)\d+", short):
            return short
    return None


def _id(named: Named | None, writer: Writer | None, time: When | None, said: Said) -> str:
    """As the page calls it, or else made of name and words."""
    if named is not None and named.native is not None:
        return named.native.rpartition(" ")[2]
    if named is not None and named.number.isdigit():
        return f"p{named.number}"
    published = time.at if time is not None else Published()
    name = writer.name if writer is not None else None
    return made_up_id(published, name, said.extract.text, named.number if named is not None else None)


def _item(
    page: Sight,
    post: _Post,
    name: str,
    named: Named | None,
    writer: Writer | None,
    time: When | None,
    said: Said,
    parent: str | None,
    answered: str | None,
) -> ParsedItem:
    here = without_fragment(page.source.url)
    anchored = f"{here}#{named.fragment}" if named is not None and named.fragment else None
    return ParsedItem(
        kind=Kind.COMMENT if is_about_else(page.tree) else Kind.POST,
        id=name,
        url=(named.url if named is not None else None) or anchored or here,
        author=writer.name if writer is not None else None,
        author_id=_account(page, writer),
        title=said.title,
        text=said.extract.text,
        published=time.at if time is not None else Published(),
        parent=parent,
        parent_author=answered,
        quotes_removed=said.extract.quotes_removed,
        images=said.extract.images,
        deleted=said.deleted,
    )


def _account(page: Sight, writer: Writer | None) -> str | None:
    """The number of an account in the address of its profile."""
    url = absolute(page.base, writer.link) if writer is not None and writer.link else None
    if url is None or not re.search(
        r"user|member|mitglied|nutzer|profil|/u/|author|[?&;]u(?:id)?=", url, re.IGNORECASE
    ):
        return None
    found = re.findall(r"(?<![\w.])\d{1,18}(?![\w])", urlsplit(url).path + "?" + urlsplit(url).query)
    return found[-1] if len(found) == 1 else None


# --- lists ------------------------------------------------------------------------------------------------------


def _list(page: Sight, group: Group) -> Parsed:
    plan = page.plan
    scopes, stamps = [], []
    for block in group.blocks:
        frame = frame_of(plan, group, block) if not group.segmented else [plan.elements[block.start]]
        top = plan.index[frame[-1]]
        start, end = (block.start, block.end) if group.segmented else (top, plan.ends[top])
        scopes.append(plan.elements[start:end][:600])
        stamps.append([(stamp, plan.elements[stamp.at]) for stamp in plan.stamps_in(start, end)[:10]])
    rows = tuple(rows_of(scopes, stamps, page.clock, page.place))
    boards = [row for row in rows if _BOARD.search(urlsplit(row.url).path + "?" + urlsplit(row.url).query)]
    boards = [row for row in boards if not _THREAD.search(row.url) and not row.id.startswith("t")]
    if len(boards) * 2 > len(rows):
        return Parsed(state=Answer.OK, boards=rows, links=page.links, lang=page.lang)
    return Parsed(state=Answer.OK, threads=rows, links=page.links, lang=page.lang)


def _nothing(page: Sight) -> Parsed:
    letters = page.plan.free(0, len(page.plan.elements))
    said = " ".join(one_line(one) for one in select(page.tree, "h1, h2, h3, legend, .error, .message")[:8])
    asks = letters < 300 or (letters < 3_000 and len(page.plan.stamps) < FEWEST and bool(_LOGIN.search(said)))
    if asks and first(page.tree, "input[type=password]") is not None:
        return Parsed(state=Answer.GATED, reason="the page asks for a login", lang=page.lang)
    reason = "no repeated blocks with name, time and text"
    return Parsed(state=Answer.EMPTY, reason=reason, lang=page.lang)
