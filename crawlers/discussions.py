"""Posts, questions, answers and comments that a page describes for machines: microdata in the page, or JSON-LD.

Microdata is read where it stands, so that quotes can be told from own words; JSON-LD holds texts without marks.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from crawlers.bylines import Clock, known
from crawlers.dates import usual_order
from crawlers.generic_pages import parse_generic
from crawlers.outline import is_quote
from crawlers.paging import paging_of
from crawlers.parsing import PageFile, Parsed, ParsedItem
from crawlers.postids import named_posts
from crawlers.select import absolute, base_of, clean_link, select, tree_of
from crawlers.structured import json_ld, listed, text_value, types_of
from crawlers.text import Element, Extract, one_line, own_words, parse_tree
from crawlers.threads import in_one_order, made_up_id, thread_page
from pipeline.addresses import native_id
from pipeline.item import Published
from pipeline.words import Answer, Kind

POSTS = frozenset(
    {
        "DiscussionForumPosting",
        "SocialMediaPosting",
        "Comment",
        "UserComments",
        "Question",
        "Answer",
        "CorrectionComment",
    }
)
"""Types of schema.org that are somebody's post."""
MAX_POSTS = 2_000
MAX_NODES = 20_000

_TEXTS = ("text", "articleBody", "commentText", "description", "reviewBody")
_TIMES = ("datePublished", "dateCreated", "commentTime", "uploadDate")
_TITLES = ("headline", "name")
_SHORT = re.compile(r"(?:p|comment-)\d{1,19}|t\d{1,18}-\d{1,18}")


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One post as a page describes it."""

    kind: str
    """Its type of schema.org."""
    extract: Extract
    author: str | None = None
    author_url: str | None = None
    published: Published = Published()
    title: str = ""
    url: str | None = None
    number: str | None = None
    native: str | None = None
    parent: int | None = None
    """Index of what it stands below."""
    votes: int | None = None
    views: int | None = None
    accepted: bool | None = None
    position: int | None = None


def parse_discussion(source: PageFile) -> Parsed:
    """The posts that a page describes, if these are all that it shows; else what its shape gives. Never raises."""
    if not source.body.strip():
        return Parsed(state=Answer.ERROR, reason="the answer is empty")
    described, shown = described_posts(source), parse_generic(source)
    return _page(source, described, shown) if is_whole(described, shown) else shown


def described_posts(source: PageFile) -> tuple[Told, ...]:
    """What a page describes: by microdata or by JSON-LD, whichever gives more whole posts."""
    tree = tree_of(source)
    if not select(tree, "[itemtype], script[type*='ld+json']"):
        return ()
    base = base_of(tree, source.url)
    clock = Clock(source.now, source.zone, source.order or usual_order(tree.get("lang"), ()))
    spoken = _without_heads(tuple(_from_documents(json_ld(tree), base, clock)))
    later = bool(paging_of(tree, base, source.url).previous)
    marked = _without_heads(tuple(_from_markup(tree, base, clock, later=later)))
    return max(marked, spoken, key=lambda posts: sum(_is_whole(post) for post in posts))


def is_whole(described: Sequence[Told], shown: Parsed) -> bool:
    """Whether the description has the posts of the page: many programs describe the first one alone."""
    whole = [post for post in described if _is_whole(post)]
    if not whole:
        return False
    seen = [item for item in shown.items if item.text or item.deleted]
    if len(whole) >= len(seen):
        return True
    words = sum(len(post.extract.text) for post in whole)
    return len(whole) >= 0.7 * len(seen) and words >= 0.9 * sum(len(item.text) for item in seen)


def _is_whole(post: Told) -> bool:
    return bool(post.extract.text and post.author and known(post.published))


def _without_heads(posts: tuple[Told, ...]) -> tuple[Told, ...]:
    """Without a thread that is described as a post of its own, with its title for a text."""
    if len(posts) < 2 or posts[0].parent is not None or not any(post.parent == 0 for post in posts):
        return posts
    if not _is_head(posts[0]):
        return posts
    left = [msgspec.structs.replace(post, parent=post.parent - 1 if post.parent else None) for post in posts[1:]]
    return tuple(left)


def _is_head(post: Told) -> bool:
    return " ".join(post.extract.text.split()) in ("", " ".join(post.title.split()))


# --- the page ---------------------------------------------------------------------------------------------------


def _page(source: PageFile, described: Sequence[Told], shown: Parsed) -> Parsed:
    tree = tree_of(source)
    base = base_of(tree, source.url)
    here = clean_link(base, source.url) or source.url
    ids = in_one_order([_id(post) for post in described])
    items: dict[str, ParsedItem] = {}
    for post, name in zip(described, ids, strict=True):
        parent = described[post.parent] if post.parent is not None else None
        below = parent is not None and parent.kind != "DiscussionForumPosting"
        item = ParsedItem(
            kind=Kind.COMMENT if post.kind in ("Comment", "UserComments") and below else Kind.POST,
            id=name,
            url=post.url or here,
            author=post.author,
            author_id=_account(post.author_url),
            title=post.title,
            text=post.extract.text,
            published=post.published,
            parent=ids[post.parent] if below and post.parent is not None else None,
            parent_author=parent.author if below and parent is not None else None,
            position=post.position,
            votes=post.votes,
            views=post.views,
            accepted=post.accepted,
            quotes_removed=post.extract.quotes_removed,
            images=post.extract.images,
        )
        if item.text or item.images:
            items.setdefault(name, item)
    titled = described[0].title if described[0].parent is None else ""
    parsed = thread_page(tree, source, tuple(items.values()), paging_of(tree, base, source.url), titled)
    return msgspec.structs.replace(parsed, order=shown.order)


def _id(post: Told) -> str:
    if post.native is not None:
        return post.native
    if post.number is not None and post.number.isdigit():
        return f"p{post.number}"
    return made_up_id(post.published, post.author, post.extract.text, post.number)


def _account(url: str | None) -> str | None:
    found = re.findall(r"(?<![\w.])\d{1,18}(?!\w)", urlsplit(url).path + "?" + urlsplit(url).query) if url else []
    return found[-1] if len(found) == 1 else None


def _named(url: str | None) -> tuple[str | None, str | None]:
    """(what its address calls it, the number its fragment ends in)."""
    if url is None:
        return None, None
    short = (native_id(url) or "").rpartition(" ")[2]
    number = re.search(r"(?<![0-9a-f])(\d{1,19})$", urlsplit(url).fragment)
    return (short if _SHORT.fullmatch(short) else None), number[1] if number else None


def _whole(url: str | None, base: str) -> str | None:
    """The clean address of a post, with the fragment that tells it."""
    there = absolute(base, url)
    if there is None:
        return None
    clean, fragment = clean_link(base, url), urlsplit(there).fragment
    return f"{clean}#{fragment}" if clean and fragment else clean


def words_of(element: Element, drop: Iterable[Element] = ()) -> Extract:
    """A post's own words."""
    found = [one for one in element.iter() if one is not element and isinstance(one.tag, str) and is_quote(one)]
    every = set(found)
    quotes = [one for one in found if not any(up in every for up in one.iterancestors())]
    return own_words(element, quotes=quotes, drop=drop)


# --- microdata --------------------------------------------------------------------------------------------------


class _Scope(msgspec.Struct, frozen=True):
    """One thing described in the page: its element, and the elements of its properties."""

    element: Element
    properties: Mapping[str, list[Element]]

    def first(self, *names: str) -> Element | None:
        return next((self.properties[name][0] for name in names if self.properties.get(name)), None)


def _from_markup(tree: Element, base: str, clock: Clock, *, later: bool) -> Iterator[Told]:
    scopes = _scopes(tree)
    posts = [one for one in select(tree, "[itemscope][itemtype]") if _types(one) & POSTS][:MAX_POSTS]
    index = {element: number for number, element in enumerate(posts)}
    read: list[Told] = []
    for number in range(len(posts) - 1, -1, -1):  # inner ones first: their words are not those of the outer
        element = posts[number]
        above = next((index[up] for up in element.iterancestors() if up in index), None)
        read.append(msgspec.structs.replace(_marked(scopes[element], scopes, base, clock), parent=above))
    read.reverse()
    whole = [number for number, told in enumerate(read) if _is_whole(told) and not _is_head(told)]
    names = dict(zip(whole, named_posts([[posts[number]] for number in whole], base, later=later), strict=True))
    for number, told in enumerate(read):
        named = names.get(number)
        if told.native is None and told.number is None and named is not None:
            told = msgspec.structs.replace(told, number=named.number, url=told.url or named.url)
        yield told


def _types(element: Element) -> set[str]:
    return {name.rstrip("/").rsplit("/", 1)[-1] for name in (element.get("itemtype") or "").split()}


def _scopes(tree: Element) -> dict[Element, _Scope]:
    """Everything described in the page, with what belongs to it."""
    scopes = {one: _Scope(one, defaultdict(list)) for one in select(tree, "[itemscope]")}
    for element in select(tree, "[itemprop]")[: 10 * MAX_NODES]:
        owner = next((up for up in element.iterancestors() if up in scopes), None)
        if owner is not None:
            for name in (element.get("itemprop") or "").split()[:8]:
                scopes[owner].properties[name].append(element)
    return scopes


def _value(element: Element | None) -> str:
    """What a property says: an attribute for machines, else its words."""
    if element is None:
        return ""
    for name in ("content", "datetime", "href", "src", "title" if element.tag == "abbr" else "datetime"):
        if element.get(name) and (name not in ("href", "src") or element.tag in ("a", "link", "img", "area")):
            return str(element.get(name)).strip()
    return one_line(element)


def _marked(scope: _Scope, scopes: Mapping[Element, _Scope], base: str, clock: Clock) -> Told:
    author, author_url = _marked_author(scope.first("author", "creator"), scopes, base)
    when = scope.first(*_TIMES)
    if when is None:
        when = next((one for one in scope.element.iter("time") if one.get("datetime")), None)
    text = scope.first(*_TEXTS)
    inner = [one for one in scopes if text is not None and one is not text and _types(one) & POSTS]
    extract = Extract(text="")
    if text is not None and text.tag == "meta":
        extract = Extract(text=_value(text))
    elif text is not None:
        extract = words_of(text, [one for one in inner if text in one.iterancestors()])
    link = scope.first("url")
    url = _whole(_value(link) if link is not None else scope.element.get("itemid"), base)
    native, number = _named(url)
    counts = [scopes[one] for one in scope.properties.get("interactionStatistic", []) if one in scopes]
    place = _value(scope.first("position"))
    return Told(
        kind=next(iter(sorted(_types(scope.element) & POSTS)), "Comment"),
        extract=extract,
        author=author,
        author_url=author_url,
        published=clock.read(_value(when)) if when is not None else Published(),
        title=_value(scope.first(*_TITLES)),
        url=url,
        number=number,
        native=native,
        votes=_count(_value(scope.first("upvoteCount")))
        if scope.first("upvoteCount") is not None
        else _counted(counts, "like"),
        views=_counted(counts, "view"),
        accepted=True if "acceptedAnswer" in (scope.element.get("itemprop") or "").split() else None,
        position=_count(place),
    )


def _marked_author(
    element: Element | None, scopes: Mapping[Element, _Scope], base: str
) -> tuple[str | None, str | None]:
    if element is None:
        return None, None
    scope = scopes.get(element)
    if scope is None:
        return _value(element)[:100] if element.tag != "a" else one_line(element)[:100], absolute(
            base, element.get("href")
        )
    name, url = scope.first("name"), scope.first("url")
    link = url if url is not None else next(iter(element.iter("a")), None)
    shown = (one_line(name) or (name.get("content") or "")) if name is not None else one_line(element)
    return shown[:100] or None, absolute(base, _value(link)) if link is not None else None


def _counted(scopes: Sequence[_Scope], word: str) -> int | None:
    for scope in scopes:
        if word in _value(scope.first("interactionType")).lower():
            return _count(_value(scope.first("userInteractionCount")))
    return None


def _count(text: str) -> int | None:
    found = re.fullmatch(r"-?\d{1,9}", text.strip())
    return int(found[0]) if found else None


# --- JSON-LD ----------------------------------------------------------------------------------------------------


def _from_documents(documents: Iterable[Any], base: str, clock: Clock) -> Iterator[Told]:
    """The posts in the documents, outer before inner, without recursion."""
    waiting: list[tuple[Any, int | None, str]] = [(one, None, "") for one in reversed(list(documents))]
    nodes = posts = 0
    while waiting and nodes < MAX_NODES and posts < MAX_POSTS:
        value, above, role = waiting.pop()
        nodes += 1
        if isinstance(value, list):
            waiting.extend((one, above, role) for one in reversed(value))
        elif isinstance(value, Mapping):
            if types_of(value) & POSTS:
                yield _spoken(value, above, role, base, clock)
                above, posts = posts, posts + 1
            waiting.extend((one, above, str(name)) for name, one in reversed(list(value.items())))


def _spoken(node: Mapping[str, Any], above: int | None, role: str, base: str, clock: Clock) -> Told:
    author = next(iter(listed(node.get("author") or node.get("creator"))), None)
    url = _whole(_first_text(node, "url", "@id", "mainEntityOfPage"), base)
    native, number = _named(url)
    identifier = re.search(r"\d{1,19}$", text_value(node.get("identifier")))
    counts = [one for one in listed(node.get("interactionStatistic")) if isinstance(one, Mapping)]
    votes = _count(text_value(node.get("upvoteCount")))
    return Told(
        kind=next(iter(sorted(types_of(node) & POSTS))),
        extract=_plain(_first_text(node, *_TEXTS) or ""),
        author=text_value(author)[:100] or None,
        author_url=absolute(base, text_value(author.get("url"))) if isinstance(author, Mapping) else None,
        published=clock.read(_first_text(node, *_TIMES) or ""),
        title=_first_text(node, *_TITLES) or "",
        url=url,
        number=number or (identifier[0] if identifier else None),
        native=native,
        parent=above,
        votes=votes if votes is not None else _spoken_count(counts, "like"),
        views=_spoken_count(counts, "view"),
        accepted=True if role == "acceptedAnswer" else None,
        position=_count(text_value(node.get("position"))),
    )


def _first_text(node: Mapping[str, Any], *names: str) -> str | None:
    return next((found for name in names if (found := text_value(node.get(name)))), None)


def _plain(text: str) -> Extract:
    """The words of a text that may hold markup."""
    if re.search(r"<[a-zA-Z/!][^<>]{0,500}>|&[a-zA-Z#]\w{1,8};", text):
        return words_of(parse_tree(f"<div>{text}</div>"))
    return Extract(text="\n\n".join(" ".join(part.split()) for part in re.split(r"\n\s*\n", text) if part.strip()))


def _spoken_count(counts: Iterable[Mapping[str, Any]], word: str) -> int | None:
    for one in counts:
        kind = one.get("interactionType")
        named = str(kind.get("@type") if isinstance(kind, Mapping) else kind).lower()
        if word in named:
            return _count(text_value(one.get("userInteractionCount")))
    return None
