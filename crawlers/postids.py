"""What an unknown page calls its posts: numbers in attributes, anchors or addresses, the same way for all of them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlsplit

import msgspec

from crawlers.select import absolute, clean_link
from crawlers.text import Element
from pipeline.addresses import native_id

_DATA = re.compile(
    r"(?:data-(?:[a-z-]*-)?|comment-|post-|message-)(?:id|pk|postid|commentid|cid|pid|mid|nr|fullname|permalink)"
)
_OTHERS = re.compile(
    r"user|author|member|parent|quote|thread|topic|forum|categ|board|root|group|page|type|avatar|lid|vote"
)
_TAIL = re.compile(r"(?:^[^0-9]*|[^0-9a-zA-Z][a-zA-Z]*)(\d{1,19})/?$")
_TOKEN = re.compile(r"(?:^|[-_/:=])([0-9a-fA-F]{8}-[0-9a-fA-F-]{18,30}|[0-9a-fA-F]{16,40})$")
_BEST = ("data-post-id", "data-comment-id", "data-postid", "data-commentid", "data-pk", "data-message-id", "data-id")
_INNER = 12


_Told = tuple[str, Element, str]
"""Number, element and value."""


class Named(msgspec.Struct, frozen=True):
    """What a post is called."""

    number: str
    """Digits that grow with time, or a token of hexadecimal digits."""
    fragment: str | None = None
    """Where it stands on its page."""
    url: str | None = None
    """Its own address."""
    native: str | None = None
    """``p453``, ``comment-27``: where the address alone tells it."""


def named_posts(frames: Sequence[list[Element]], base: str, *, later: bool) -> list[Named | None]:
    """The name of each post; ``frames``: its element and those around it. ``later``: this is no first page."""
    count = len(frames)
    ways: dict[str, dict[int, _Told]] = defaultdict(dict)
    for index, frame in enumerate(frames):
        for way, number, element, value in _numbers(frame, base):
            ways[way].setdefault(index, (number, element, value))
    ways = {way: found for way, found in ways.items() if not (later and _are_places(found))}
    fit = [way for way in ways if _fits(ways[way], count)]
    told = [way for way in fit if way.startswith("native ")]
    best = min(told or fit, key=_rank, default=None)
    found = _filled(ways, best)
    if len(found) < 0.9 * count:
        return [None] * count
    return [_named(*found[index], frames[index], base) if index in found else None for index in range(count)]


_Found = tuple[str, str, Element, str]
"""Way, number, element and value."""


def _filled(ways: Mapping[str, Mapping[int, _Told]], best: str | None) -> dict[int, _Found]:
    """The numbers of the best way; posts that it leaves out have theirs by another, their own attributes first."""
    others = sorted((way for way in ways if way.startswith(("id", "data", "inner"))), key=_rank)
    found: dict[int, _Found] = {}
    taken: set[str] = set()
    for way in [*([best] if best is not None else []), *others]:
        for index, (number, element, value) in ways[way].items():
            if index not in found and number not in taken and (way == best or number.isdigit()):
                found[index] = way, number, element, value
                taken.add(number)
    return found


def _rank(way: str) -> tuple[int, str]:
    name = way.partition(" ")[2] or way
    if way.startswith("native"):
        return 0, way
    if name in _BEST:
        return 1 + _BEST.index(name), way
    order = {"id": 20, "inner": 30, "link": 40}
    return order.get(way.partition(" ")[0], 25), way


def _fits(found: Mapping[int, _Told], count: int) -> bool:
    """Whether a way names nearly all posts, each by a name of its own."""
    numbers = [number for number, _, _ in found.values()]
    return len(numbers) >= 0.9 * count and len(set(numbers)) == len(numbers)


def _are_places(found: Mapping[int, _Told]) -> bool:
    """Whether the numbers are those of the places on a page: they begin anew on each."""
    plain = sorted(int(number) for number, _, _ in found.values() if number.isdigit())
    return len(plain) > 1 and plain[0] in (0, 1) and plain == list(range(plain[0], plain[0] + len(plain)))


def _numbers(frame: list[Element], base: str) -> Iterator[tuple[str, str, Element, str]]:
    for element in frame:
        for name, value in element.items():
            if (name in ("id", "name") or _DATA.fullmatch(name)) and not _OTHERS.search(name) and len(value) < 120:
                number = _number(value)
                if number:
                    yield ("id" if name == "id" else f"data {name}"), number, element, value
                if number and name == "id":
                    yield f"inner {_shape(value)}", number, element, value
    own = frame[0]
    for place, element in enumerate(own.iter()):
        if place > 400:
            return
        if element is own or not isinstance(element.tag, str):
            continue
        value = element.get("id") or (element.get("name") if element.tag == "a" else None)
        if value and place < 40 and len(value) < 120 and (number := _number(value)):
            yield f"inner {_shape(value)}", number, element, value
        for name in _BEST:
            if element.get(name) and place < 40 and (number := _number(element.get(name))):
                yield f"inner {name}", number, element, element.get(name)
        if (element.tag == "a" and element.get("href")) or (
            element.tag == "input" and (element.get("value") or "").startswith(("http", "/"))
        ):
            yield from _linked(element, base)


def _shape(value: str) -> str:
    return re.sub(r"[0-9]+", "#", value)[:40]


def _linked(link: Element, base: str) -> Iterator[tuple[str, str, Element, str]]:
    """The number that an address within a post ends in."""
    url = absolute(base, link.get("href") or link.get("value"))
    if url is None or urlsplit(url).netloc != urlsplit(base).netloc:
        return
    short = (native_id(url) or "").rpartition(" ")[2]
    if re.fullmatch(r"(?:p|comment-)\d{1,19}|t\d+-\d+", short):
        yield f"native {re.sub('[0-9]+', '', short)}", re.split(r"[-p]", short)[-1], link, url
    fragment = urlsplit(url).fragment
    number = _number(fragment)
    if number:
        yield f"link #{re.sub('[0-9]+', '', fragment)[:30]}", number, link, url
        return
    found = re.findall(r"\d{2,19}", urlsplit(url).path + "?" + urlsplit(url).query)
    if len(found) == 1 and not re.search(r"user|member|profil|mitglied|author", url, re.IGNORECASE):
        yield f"link {re.sub('[0-9]+', '', urlsplit(url).path)[:60]}", found[0], link, url


def _number(value: str) -> str | None:
    token = _TOKEN.search(value)
    if token and not token[1].isdigit():
        return token[1].lower()
    found = _TAIL.search(value)
    return found[1].lstrip("0") or "0" if found else None


def _named(way: str, number: str, element: Element, value: str, frame: list[Element], base: str) -> Named:
    if way.startswith("native "):
        return Named(number, urlsplit(value).fragment or None, _kept(base, value), native_id(value))
    if way.startswith("link "):
        return Named(number, urlsplit(value).fragment or None, _kept(base, value))
    fragment = value if element.get("id") == value or element.get("name") == value else frame[0].get("id")
    if not fragment or not fragment.endswith(number):
        around = [one.get("id") for one in frame if (one.get("id") or "").endswith(number)]
        fragment = around[0] if around else None
    return Named(number, fragment, _own_link(frame[0], number, base))


def _own_link(element: Element, number: str, base: str) -> str | None:
    """A link within a post that leads to the post itself."""
    for place, link in enumerate(element.iter("a")):
        if place > 40:
            return None
        url = absolute(base, link.get("href"))
        if (
            url
            and re.search(rf"(?<!\d){number}$", urlsplit(url).fragment)
            and urlsplit(url).netloc == urlsplit(base).netloc
        ):
            return _kept(base, url)
    return None


def _kept(base: str, url: str) -> str | None:
    """The clean address with its fragment."""
    clean, fragment = clean_link(base, url), urlsplit(url).fragment
    return f"{clean}#{fragment}" if clean and fragment else clean
