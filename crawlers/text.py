"""From the bytes of a page to its tree, and from a tree to text: blocks apart, white space collapsed, quotes out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
from lxml import etree, html
from w3lib.encoding import html_to_unicode

from crawlers.media import is_smiley, media_in
from pipeline.item import Media

Element = Any
"""An lxml element; the library has no types."""

MAX_TEXT = 200_000
"""Characters kept of one item's text; what is longer is no opinion but a dump."""

MOST_ATTRIBUTES = 2_000
"""Of one element; no page for readers has as many."""
_HALF_LETTER = re.compile(
    rb"&#(?:x0{0,8}d[89a-f][0-9a-f]{2}|0{0,8}(?:5529[6-9]|55[3-9]\d\d|56\d{3}|57[0-3]\d\d));", re.IGNORECASE
)
_LONG_TAG = re.compile(r"<[^<>]{10000,}")
_VALUE = re.compile(r"""=\s*(?:"[^"]*"|'[^']*')""")
_BLOCK, _LINE = "\x1e", "\x1f"
_BLOCKS = frozenset(
    {"address", "article", "aside", "blockquote", "center", "dd", "details", "dir", "div", "dl", "dt", "fieldset"}
    | {"figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main"}
    | {"nav", "ol", "p", "pre", "section", "summary", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul"}
)
_SILENT = frozenset(
    {"script", "style", "noscript", "template", "head", "svg", "math", "iframe", "object", "select", "button"}
    | {"textarea", "title"}
)
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff\ud800-\udfff]")
_UTF8_LETTER = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_HIGH = re.compile(rb"[\x80-\xff]")
_INVISIBLE = re.compile("[\u00ad\u200b\u200c\u2060\ufeff]")
_SPACES = re.compile(rf"[^\S{_BLOCK}{_LINE}]+")
_BREAK = re.compile(rf"[\s{_BLOCK}{_LINE}]*[{_BLOCK}{_LINE}][\s{_BLOCK}{_LINE}]*")
_SIGNATURE = re.compile(r"(?:^|\s)_{12,}(?:\s.*)?$", re.DOTALL)
_EDITED = re.compile(
    r"(?:^|\s)(?:zuletzt (?:geändert|bearbeitet) (?:von|durch|am) .{1,60}?, insgesamt .{1,30} geändert"
    r"|last edited by .{1,60}?(?:; edited .{1,30} in total|on .{6,60}))\.?\s*$",
    re.IGNORECASE | re.DOTALL,
)


class Extract(msgspec.Struct, frozen=True, kw_only=True):
    """The own words of a post and what was taken out of it."""

    text: str
    quotes_removed: int = 0
    images: int = 0
    media: tuple[Media, ...] = ()


def decode(body: bytes, headers: Mapping[str, str]) -> str:
    """The characters of a page: charset of the HTTP header, else of BOM or meta tag, else UTF-8, else Windows-1252.

    Servers lie about it: what is said to be UTF-8 and is not is Windows-1252, and the other way round.
    """
    kind = headers.get("content-type")
    said, text = html_to_unicode(kind, body, default_encoding="utf-8", auto_detect_fun=_guess)
    if said in ("utf-8", "cp1252") and (really := _really(body, said)) != said:
        text = body.decode(really, "replace")
    return _CONTROL.sub("", text.replace("\x00", ""))


def _really(body: bytes, said: str) -> str:
    """The charset of a page that is said to be UTF-8 or Windows-1252: whichever its letters speak for."""
    letters = len(_UTF8_LETTER.findall(body))
    if said == "cp1252":
        return "utf-8" if letters and _guess(body) == "utf-8" else said
    stray = len(_HIGH.findall(_UTF8_LETTER.sub(b"", body)))
    return "cp1252" if stray > letters else said


def _guess(body: bytes) -> str:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def bearable(text: str) -> str:
    """A page with a plain tag in the place of each with thousands of attributes, whose time grows with their square."""
    return _LONG_TAG.sub(lambda tag: "<p " if _attributes(tag[0]) > MOST_ATTRIBUTES else tag[0], text)


def _attributes(tag: str) -> int:
    """How many attributes a tag has at most, whatever its values hold."""
    names = _VALUE.sub("=", tag)
    return max(names.count("="), len(names.split()))


def parse_tree(text: str) -> Element:
    """The tree of an HTML page or fragment, whatever is broken in it; a page without any content gives an empty one."""
    parser = html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True)
    try:
        tree = html.document_fromstring(bearable(text).encode("utf-8", "replace") or b"<html></html>", parser=parser)
    except (etree.LxmlError, ValueError, AssertionError):
        tree = html.document_fromstring(b"<html><body></body></html>")
    return tree


def xml_of(body: bytes) -> Element | None:
    """The tree of an XML answer as far as it goes; None where there is none. No entity is followed.

    Halves of letters, which XML forbids, are taken out: of names and texts that hold one nothing at all can be had.
    """
    parser = etree.XMLParser(recover=True, resolve_entities=False, no_network=True, remove_comments=True)
    try:
        return etree.fromstring(_HALF_LETTER.sub(b"", body), parser)
    except (etree.LxmlError, ValueError):
        return None


def fragment_text(markup: str) -> str:
    """Text of a piece of HTML, such as the content of a feed entry; plain text passes, its entities decoded."""
    return text_of(parse_tree(f"<div>{_CONTROL.sub('', markup)}</div>"))


def text_of(element: Element) -> str:
    """Text of an element: blocks and empty lines give a blank line, a single line break a space; smileys their sign."""
    return collapse("".join(_pieces(element)))


def collapse(marked: str) -> str:
    """White space collapsed, block marks turned into blank lines, at most ``MAX_TEXT`` characters."""
    single = _SPACES.sub(" ", _INVISIBLE.sub("", marked))  # else a long run of spaces is looked at from each of them
    broken = _BREAK.sub(_gap, single)
    blocks = (" ".join(block.split()) for block in broken.split(_BLOCK))
    return "\n\n".join(block for block in blocks if block)[:MAX_TEXT].rstrip()


def one_line(element: Element | None) -> str:
    """Text of an element on one line; empty for None."""
    return " ".join(text_of(element).split()) if element is not None else ""


def brief(element: Element | None, most: int = 130) -> str:
    """Text of an element on one line where it is short, else nothing; costs no more for a large one."""
    parts, size = [], 0
    for part in element.itertext() if element is not None else ():
        parts.append(part)
        size += len(part.strip())
        if size > most or len(parts) > 4 * most:
            return ""
    return " ".join(" ".join(parts).split())


def own_words(
    element: Element, *, quotes: Iterable[Element] = (), drop: Iterable[Element] = (), smileys: str = ""
) -> Extract:
    """Text of a post without the given quotes and other parts, without signature line and edit note.

    The elements are taken out of the tree; of quotes within quotes the outermost counts.
    """
    for part in drop:
        remove(part)
    removed = 0
    for quote in quotes:
        inside = quote is element or element in quote.iterancestors()
        if inside and quote is not element:
            remove(quote)
            removed += 1
    text = _EDITED.sub("", _SIGNATURE.sub("", text_of(element))).strip()
    images = sum(1 for image in element.iter("img") if not is_smiley(image))
    return Extract(text=text, quotes_removed=removed, images=images, media=media_in(element))


def remove(element: Element) -> None:
    """Take an element out of its tree and leave the text behind it where it is, as a block of its own."""
    parent = element.getparent()
    if parent is None:
        return
    tail = (element.tail or "").strip() and element.tail
    hole = parent.makeelement("p")
    hole.tail = tail or None
    element.tail = None
    parent.replace(element, hole)


def _gap(match: re.Match[str]) -> str:
    gap = match[0]
    return _BLOCK if _BLOCK in gap or gap.count(_LINE) > 1 else " "


def _pieces(element: Element) -> Iterator[str]:
    """Text, block marks and line marks in order. Walks without recursion: trees may be thousands deep."""
    walker = etree.iterwalk(element, events=("start", "end"))
    silent = 0
    for event, node in walker:
        tag = node.tag if isinstance(node.tag, str) else ""
        hidden = tag in _SILENT or not tag
        if event == "start":
            silent += hidden
            if not silent:
                yield from _opening(node, tag)
        else:
            if not silent and tag in _BLOCKS:
                yield _BLOCK
            silent -= hidden
            if not silent and node is not element and node.tail:
                yield _plain(node.tail)


def _opening(node: Element, tag: str) -> Iterator[str]:
    if tag in _BLOCKS:
        yield _BLOCK
    if tag == "br":
        yield _LINE
    elif tag == "img" and is_smiley(node):
        yield f" {_plain(node.get('alt'))} "
    elif node.text:
        yield _plain(_unshortened(node, node.text) if tag == "a" else node.text)


def _unshortened(link: Element, text: str) -> str:
    """The whole address where a board shows ``http://example.org/a ... b.html`` or ``http://example.org/a…``."""
    beginning, dots, _ = text.partition(" ... ")
    if not dots and text.endswith(("…", "...")):
        beginning, dots = text.rstrip(".…"), "…"
    address = link.get("href") or ""
    return address if dots and "/" in beginning and beginning in address else text


def _plain(text: str) -> str:
    return text.replace(_BLOCK, " ").replace(_LINE, " ")
