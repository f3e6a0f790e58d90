"""Pictures and films within a post, in words: what they show, as far as their alt text or caption says."""

from __future__ import annotations

import re
from typing import Any

from lxml import etree

from pipeline.item import Media

MAX_MEDIA = 50
"""Of one item that are kept; they are all counted."""
MAX_WORDS = 500
"""Letters kept of one alt text or caption."""
_MAX_ADDRESS = 2_000

_SMILEY = re.compile(r"smil(?:ey|ie)|emoji|emoticon", re.IGNORECASE)
_NOT_SAID = re.compile(r"avatar|gravatar|\bicon\b|\bbadge\b|site-icon|spacer|\bpixel\b", re.IGNORECASE)
_FILE_NAME = re.compile(r"[\w\-. ]{1,120}\.(?:jpe?g|png|gif|webp|avif|heic|mp4|webm|mov)", re.IGNORECASE)
_PLAYERS = re.compile(
    r"//(?:[\w-]+\.)*(?:youtube(?:-nocookie)?\.com|youtu\.be|vimeo\.com|dailymotion\.com|twitch\.tv|tiktok\.com)/",
    re.IGNORECASE,
)
_SOURCES = ("src", "data-src", "data-lazy-src", "data-original", "data-url")


def is_smiley(image: Any) -> bool:
    """Whether an image stands for a sign in the text."""
    return bool(_SMILEY.search(f"{image.get('class') or ''} {image.get('src') or ''}")) and bool(image.get("alt"))


def media_in(element: Any) -> tuple[Media, ...]:
    """The pictures and films of an element in document order, without smileys and avatars.

    Addresses are as they stand in the page, and may be relative. One look at each node, and at no more than
    ``MAX_MEDIA`` figures.
    """
    found: dict[tuple[str, str], Media] = {}
    for node in element.iter("img", "video", "iframe"):
        media = _media(node)
        if media is not None:
            found.setdefault((media.kind, media.url), media)
        if len(found) >= MAX_MEDIA:
            break
    return tuple(found.values())


def _media(node: Any) -> Media | None:
    if node.tag == "img":
        if is_smiley(node) or _NOT_SAID.search(f"{node.get('class') or ''} {node.get('src') or ''}"):
            return None
        return Media(kind="image", url=_address(node), text=_words(node))
    if node.tag == "video":
        return Media(kind="video", url=_address(node), text=_words(node))
    url = _address(node)
    return Media(kind="video", url=url, text=_words(node)) if _PLAYERS.search(url) else None


def _address(node: Any) -> str:
    given = [node.get(name) for name in _SOURCES]
    given += [source.get("src") for source in node.iterchildren("source")]
    usable = (url.strip() for url in given if url and not url.strip().lower().startswith(("data:", "blob:")))
    return next((url for url in usable if len(url) <= _MAX_ADDRESS), "")


def _words(node: Any) -> str:
    """The caption, else the alt text or title; a mere file name says nothing."""
    for words in (_caption(node), node.get("alt"), node.get("title"), node.get("aria-label")):
        plain = " ".join((words or "").split())[:MAX_WORDS]
        if plain and not _FILE_NAME.fullmatch(plain):
            return plain
    return ""


def _caption(node: Any) -> str:
    """What stands under the figure that a picture is in, if it is in one."""
    holder, steps = node.getparent(), 0
    while holder is not None and steps < 4:
        if holder.tag == "figure" or "wp-caption" in (holder.get("class") or ""):
            marked = next(
                (
                    child
                    for child in holder.iterchildren()
                    if child.tag == "figcaption" or "caption-text" in (child.get("class") or "")
                ),
                None,
            )
            return "" if marked is None else _plain(marked)
        holder, steps = holder.getparent(), steps + 1
    return ""


def _plain(element: Any) -> str:
    try:
        return "".join(element.itertext())[: 4 * MAX_WORDS]
    except (etree.LxmlError, ValueError):
        return ""
