"""Next and previous page of anything shown over several: by ``rel``, by the words of links, by numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from urllib.parse import parse_qsl, urlsplit

import msgspec

from crawlers.parsing import Links
from crawlers.select import clean_link, select
from crawlers.text import Element, brief
from pipeline.addresses import without_page

_NEXT = re.compile(
    r"(?:(?:zur )?nächsten? ?(?:seite)?|(?:seite )?(?:vor|weiter)(?:blättern)?|next(?: page)?"
    r"|older(?: (?:comments|posts|entries))?"
    r"|ältere(?: (?:kommentare|beiträge|einträge))?|(?:load |show )?more comments|mehr (?:kommentare"
    r"|beiträge)( anzeigen)?)"
    r"?\s*[>»›→❯▶⟩]{0,2}",
    re.IGNORECASE,
)
_PREVIOUS = re.compile(
    r"[<«‹←❮◀⟨]{0,2}\s*(?:(?:zur )?vorherigen? ?(?:seite)?|voriger?n?(?: seite)?|(?:seite )?zurück(?:blättern)?"
    r"|prev(?:ious)?(?: page)?|newer(?: (?:comments|posts|entries))?|neuere(?: (?:kommentare|beiträge"
    r"|einträge))?)?",
    re.IGNORECASE,
)
_PAGE_KEYS = re.compile(
    r"page|seite|p|pg|pn|paged|start|offset|cpage|pageno|pagenum\w*|pageindex|from|ab|skip|st|s|.*page.*"
    r"|.*offset.*",
    re.I,
)
_ENDING = re.compile(
    r"(?:[/_,.-]?(?:(?:page|seite|p|s|pg|start|comment-page)[-_/=,]?)?\d{1,6})?(?:\.html?|\.php|/)?$", re.IGNORECASE
)
_SHOWN = re.compile(r"(?:^|[\s_-])(?:active|current|selected|aktiv|aktuell|on|disabled|is-active)(?:$|[\s_-])", re.I)
_BAR = re.compile(r"pag(?:e|in|er|ing)|seiten|blätter|navi", re.IGNORECASE)
MAX_LINKS = 3_000


class _Link(msgspec.Struct, frozen=True):
    element: Element
    url: str
    words: str


def paging_of(tree: Element, base: str, url: str) -> Links:
    """The pages before and after this one, as far as the page leads to them."""
    here = clean_link(base, url) or url
    links = list(_related(tree, base, here))
    following, before = _by_rel(links, "next"), _by_rel(links, "prev", "previous")
    following = following or _by_words(links, _NEXT, "next")
    before = before or _by_words(links, _PREVIOUS, "prev")
    numbered = _by_number(links, here) if following is None or before is None else (None, None)
    following, before = following or numbered[1], before or numbered[0]
    return Links(next=(following,) if following else (), previous=(before,) if before else ())


def _related(tree: Element, base: str, here: str) -> Iterator[_Link]:
    """Links to what could be another page of the same thing."""
    for element in select(tree, "link[rel][href], a[href]")[:MAX_LINKS]:
        url = clean_link(base, element.get("href"))
        if url and _plain(url) != _plain(here) and related(url, here) and not _is_off(element):
            yield _Link(element, url, (brief(element) or _unsaid(element)).strip()[:60])


def _plain(url: str) -> str:
    """The address without its choice of language."""
    return re.sub(r"(?<=[?&])(?:lang|language|locale|hl)=[\w-]+&?", "", url).rstrip("?&")


def _is_off(link: Element) -> bool:
    """Whether a link is shown, but leads nowhere."""
    above = link.getparent()
    marks = f"{link.get('class') or ''} {above.get('class') or '' if above is not None else ''}"
    return "disabled" in marks.split() or link.get("aria-disabled") == "true"


def _unsaid(link: Element) -> str:
    """What a link without words says: by a label, or by an arrow."""
    label = link.get("aria-label") or link.get("title") or ""
    inner = " ".join(
        f"{one.get('class') or ''} {one.get('alt') or ''}"
        for one in islice(link.iter(), 1, 5)
        if isinstance(one.tag, str)
    )
    if label:
        return str(label)
    arrow = re.search(r"(?:chevron|arrow|angle|caret)s?-(?:double-)?(right|left)|(?:^|[\s_-])(next|prev)", inner, re.I)
    if arrow is None:
        return ""
    return "»" if "right" in arrow[0].lower() or "next" in arrow[0].lower() else "«"


def related(url: str, here: str) -> bool:
    """Whether two addresses differ in nothing but a page number."""
    one, other = urlsplit(without_page(url)), urlsplit(without_page(here))
    if one.netloc != other.netloc:
        return False
    if not _same_stem(one.path, other.path):
        return False
    there, ours = dict(parse_qsl(one.query)), dict(parse_qsl(other.query))
    different = {key for key in there.keys() | ours.keys() if there.get(key) != ours.get(key)}
    return all(_is_page(key, there.get(key), ours.get(key)) for key in different)


def _is_page(key: str, there: str | None, here: str | None) -> bool:
    """Whether a parameter that differs is the number of a page (``page=2``, ``topic=7.15``) or a choice of language."""
    if _PAGE_KEYS.fullmatch(key):
        return (there or "0").isdigit() and (here or "0").isdigit()
    if key.lower() in ("lang", "language", "locale", "hl") and None in (there, here):
        return True
    stems = {re.sub(r"\d+$", "", value or "") for value in (there, here)}
    return len(stems) == 1 and stems != {""} and None not in (there, here)


def _same_stem(one: str, other: str) -> bool:
    if one.rstrip("/") == other.rstrip("/"):
        return True
    stems = {_ENDING.sub("", path).rstrip("/-_,.") for path in (one, other)}
    if len(stems) == 1:
        return len(next(iter(stems))) > 1
    longer, shorter = sorted((one, other), key=len, reverse=True)
    stem = re.sub(r"(?:\.html?|\.php|/)$", "", shorter)
    rest = longer.removeprefix(stem)
    return len(stem) > 3 and rest != longer and bool(re.fullmatch(_ENDING.pattern, rest, re.IGNORECASE))


def _by_rel(links: list[_Link], *names: str) -> str | None:
    return next((link.url for link in links if set((link.element.get("rel") or "").lower().split()) & set(names)), None)


def _by_words(links: list[_Link], words: re.Pattern[str], mark: str) -> str | None:
    """A link that says so, in a bar of pages if there is one; else one whose class does."""
    said = [link for link in links if link.element.tag == "a" and link.words and words.fullmatch(link.words.lower())]
    said = [link for link in said if len(link.words) > 1 or _in_bar(link.element)]
    marked = [
        link
        for link in links
        if link.element.tag == "a" and re.search(rf"(?:^|[\s_-]){mark}", _marks(link.element, 2), re.IGNORECASE)
    ]
    found = [link for link in said if _in_bar(link.element)] or said or [one for one in marked if _in_bar(one.element)]
    return found[0].url if found else None


def _marks(element: Element, height: int) -> str:
    marks = [element.get("class") or "", element.get("id") or ""]
    above = element.getparent()
    for _ in range(height - 1):
        if above is not None:
            marks.append(above.get("class") or "")
            above = above.getparent()
    return " ".join(marks)


def _in_bar(element: Element) -> bool:
    above = element
    for _ in range(5):
        if above is None:
            return False
        if _BAR.search(f"{above.get('class') or ''} {above.get('id') or ''}") or above.tag == "nav":
            return True
        above = above.getparent()
    return False


def _by_number(links: list[_Link], here: str) -> tuple[str | None, str | None]:
    """The neighbours of the page shown, where the bar has numbers alone."""
    numbers: dict[int, _Link] = {}
    for link in links:
        word = re.fullmatch(r"(?:seite |page )?(\d{1,5})", link.words.lower())
        if word and link.element.tag == "a":
            numbers.setdefault(int(word[1]), link)
    if not numbers:
        return None, None
    shown = _shown_number(next(iter(numbers.values())).element, numbers)
    if shown is None:
        return None, None
    before, following = numbers.get(shown - 1), numbers.get(shown + 1)
    return (before.url if before else None), (following.url if following else None)


def _shown_number(element: Element, numbers: dict[int, _Link]) -> int | None:
    """The number of this page: in the bar without a link, or marked as the one shown; else the one that is missing."""
    bar, plain = element, []
    for _ in range(4):
        above = bar.getparent()
        if above is None or above.tag in ("body", "html"):
            break
        bar = above
        inner = list(islice(bar.iter("a", "span", "strong", "b", "li", "em", "td", "div"), 200))
        marked = [one for one in inner if _SHOWN.search(one.get("class") or "") or one.get("aria-current")]
        plain = [one for one in inner if one.tag in ("span", "strong", "b", "em") and len(one) == 0]
        for one in [*marked, *plain]:
            word = brief(one)
            if word.isascii() and word.isdigit() and len(word) < 6 and (int(word) not in numbers or one in marked):
                return int(word)
    return 1 if 2 in numbers and 1 not in numbers else None
