"""Saved result pages of Google, Bing, DuckDuckGo and Ecosia: readers for imports. Nobody here asks these engines.

Their terms forbid it; a person may save a page and have it read. A page that asks whether we are a robot, wants consent
or JavaScript first, is a challenge, never "nothing found".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from urllib.parse import urlsplit

import msgspec

from crawlers.look import Look
from crawlers.parsing import Links, PageFile, Parsed, ParsedItem
from crawlers.results import MAX_RESULTS, ranked_items
from crawlers.select import absolute, base_of, first, select, tree_of
from crawlers.text import Element, one_line
from crawlers.unwrap import unwrapped
from pipeline.identity import identify, permalink_id
from pipeline.words import Answer, Kind

CLIMB = 12
"""Levels between a heading and the block of its result."""
_LITTLE = 1_500
"""Characters of a page that says nothing but "switch on JavaScript"."""

_WALLS = (
    "#captcha-form, form[action*='/sorry/'], form[action*='consent.'], .g-recaptcha, iframe[src*='recaptcha'], "
    ".anomaly-modal__title, #challenge-form, #challenge-running, .cf-turnstile, #b_captcha, .captcha_header, "
    "a[href*='/httpservice/retry/enablejs'], meta[content*='/httpservice/retry/enablejs']"
)
_WALL_WORDS = re.compile(
    r"unusual traffic|ungewöhnlichen datenverkehr|before you continue to google|bevor sie zu google weitergehen"
    r"|bots use duckduckgo too|one last step|verify you are (?:a )?human|enable javascript|javascript aktivieren"
    r"|requires javascript|if you're having trouble accessing google search",
    re.IGNORECASE,
)
_NOTHING = re.compile(
    r"did not match any documents|no results (?:found|containing)|there are no results for|no more results"
    r"|stimmen? mit keinem? |keine (?:mit ihrer|mit deiner|übereinstimmenden|ergebnisse|treffer)"
    r"|es wurden keine|we couldn.t find any|couldn.t find any results|keine .{0,40}ergebnisse gefunden",
    re.IGNORECASE,
)


class Engine(msgspec.Struct, frozen=True, kw_only=True):
    """How one engine's page looks. All are CSS selectors."""

    name: str
    headings: str
    """The heading of a result, in its link or around it."""
    snippets: str
    apart: str
    """Blocks that are no organic results: advertisements, questions of others, answers of machines."""
    nothing: str
    """What stands on the page only where nothing was found."""
    marks: str
    """By what the page is known."""


ENGINES: Mapping[str, Engine] = {
    engine.name: engine
    for engine in (
        Engine(
            name="google",
            headings="#rso h3, #search h3, #main h3, #center_col h3, #botstuff h3, #ires h3",
            snippets=".VwiC3b, .IsZvec, .aCOpRe, .st, .s3v9rd .s3v9rd, .BNeawe.s3v9rd, [data-sncf='1']",
            apart="#tads, #tadsb, #bottomads, .uEierd, [data-text-ad], .commercial-unit-desktop-top, "
            ".related-question-pair, .cUnQKe, "
            "[jsname='N760b'], #rhs, g-scrolling-carousel, g-inner-card, #botstuff #bres, [data-initq]",
            nothing="#topstuff .card-section, .v3jTId",
            marks="form[action='/search'] [name='q'], form[action*='/sorry/'], form#tsf, #rso",
        ),
        Engine(
            name="bing",
            headings="#b_results > li.b_algo h2",
            snippets=".b_caption p, .b_algoSlug, p[class*='b_lineclamp'], .b_snippet, .b_imgcap_main p",
            apart=".b_ad, .b_adLastChild, #b_pole, .b_ans, .b_rs",
            nothing="#b_results .b_no",
            marks="#b_results, form#sb_form",
        ),
        Engine(
            name="duckduckgo",
            headings="article[data-testid='result'] h2, .result h2.result__title, a.result-link",
            snippets="[data-result='snippet'], .result__snippet, td.result-snippet",
            apart=".result--ad, .badge--ad__wrap, article[data-testid='ad'], .result-sponsored, [data-testid='ads']",
            nothing=".no-results, .result--no-result, .no-results__title, [data-testid='no-results-message']",
            marks="form[action*='duckduckgo.com'], form#search_form[action='/html/'], form[action='/lite/'], "
            ".react-results--main, .anomaly-modal__title, link[href*='duckduckgo.com/opensearch']",
        ),
        Engine(
            name="ecosia",
            headings="[data-test-id='organic-result'] [data-test-id='result-title'], "
            "[data-test-id='mainline-result-web'] [data-test-id='result-title'], "
            ".result.js-result a.result-title, .result__title a.result-title",
            snippets="[data-test-id='result-description'], [data-test-id='web-result-description'], .result-snippet, "
            ".result__description, .web-result__description",
            apart="[data-test-id='ad-result'], [data-test-id='mainline-result-ad'], .card-ad, .result-ad, "
            "[data-test-id='related-questions'], [data-test-id='mainline-result-relatedQuestions']",
            nothing="[data-test-id='no-results'], .no-results",
            marks="[data-test-id='mainline'], [data-test-id='search-form'], form[action*='ecosia.org/search']",
        ),
    )
}


def parse_serp(engine: Engine, page: PageFile) -> Parsed:
    """The organic results of a saved page, as ranked as they stand there. Never raises on any bytes."""
    if not page.body.strip():
        return Parsed(state=Answer.ERROR, reason="the page is empty")
    tree = tree_of(page)
    base = base_of(tree, page.url if _is_home(engine, page.url) else f"https://www.{engine.name}.com/search")
    items = tuple(_items(engine, tree, base))
    if not items:
        return _without(engine, tree)
    results = ranked_items(items, engine.name)
    links = Links(items=tuple(item.url for item in items if item.url))
    return Parsed(state=Answer.OK, items=items, results=results, links=links, lang=(tree.get("lang") or "")[:2] or None)


READERS: Mapping[str, Callable[[PageFile], Parsed]] = {
    name: partial(parse_serp, engine) for name, engine in ENGINES.items()
}
"""The readers of saved result pages, by the engine's name."""


def recognise(look: Look) -> tuple[str, str]:
    """(engine, why) of a saved result page; empty where it is none. Its address tells, or results in its markup."""
    if look.tree is None:
        return "", ""
    for name, engine in ENGINES.items():
        at_home = _is_home(engine, look.page.url) or name in (look.tree.findtext(".//title") or "").lower()
        if first(look.tree, engine.marks) is not None and (at_home or _headings(engine, look.tree)):
            return name, f"a saved result page of {name}"
    return "", ""


def _headings(engine: Engine, tree: Element) -> list[Element]:
    apart = set(select(tree, engine.apart))
    found = select(tree, engine.headings)[: 4 * MAX_RESULTS]
    return [one for one in found if one not in apart and apart.isdisjoint(one.iterancestors())]


def _items(engine: Engine, tree: Element, base: str) -> Iterator[ParsedItem]:
    headings = _headings(engine, tree)
    others, position, seen = set(headings), 0, set[Element]()
    for heading in headings:
        link = _link(heading)
        url = absolute(base, link.get("href")) if link is not None else None
        title = one_line(heading)
        if link is None or url is None or not title or link in seen or position >= MAX_RESULTS:
            continue
        url = unwrapped(url)
        if _is_own(engine, url):
            continue
        seen.add(link)
        position += 1
        yield ParsedItem(
            kind=Kind.RESULT,
            id=identify([url], permalink=url) or permalink_id(url),
            url=url,
            title=title,
            text=_snippet(engine, heading, others),
            position=position,
        )


def _link(heading: Element) -> Element | None:
    """The link a heading is, stands in, or holds."""
    if heading.tag == "a":
        return heading
    around = next((one for one in heading.iterancestors("a")), None)
    return around if around is not None else first(heading, "a[href]")


def _is_home(engine: Engine, url: str) -> bool:
    """Whether an address is one of the engine's own; that of a saved file need not be."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    return re.search(rf"(?:^|\.){engine.name}\.[a-z.]{{2,6}}$", host) is not None


def _is_own(engine: Engine, url: str) -> bool:
    """Links to the engine's own further searches and advertisements."""
    return _is_home(engine, url) and urlsplit(url).path in (
        "/search",
        "/aclk",
        "/aclick",
        "/y.js",
        "/url",
        "/images/search",
        "/videos/search",
    )


def _snippet(engine: Engine, heading: Element, others: set[Element]) -> str:
    """The first snippet in the largest block that holds no other result; lists and tables know it as the next row."""
    block = heading
    for _, above in zip(range(CLIMB), heading.iterancestors(), strict=False):
        if any(one is not heading and one in others for one in above.iter(heading.tag)):
            break
        block = above
    found = first(block, engine.snippets)
    if found is None and block.tag == "tr":
        following = block.getnext()
        found = first(following, engine.snippets) if following is not None else None
    return one_line(found)


def _without(engine: Engine, tree: Element) -> Parsed:
    """Why a page has no result."""
    said = one_line(tree)
    if first(tree, _WALLS) is not None or (len(said) <= 2 * _LITTLE and _WALL_WORDS.search(said)):
        return Parsed(state=Answer.CHALLENGE, reason=f"{engine.name} asks for a browser check or for consent")
    if first(tree, engine.nothing) is not None or _NOTHING.search(said):
        return Parsed(state=Answer.EMPTY, reason="nothing found")
    if first(tree, engine.marks) is None and len(said) < _LITTLE and first(tree, "script") is not None:
        return Parsed(state=Answer.CHALLENGE, reason=f"{engine.name} gave a page that needs JavaScript")
    return Parsed(state=Answer.LAYOUT_CHANGED, reason=f"no results, and {engine.name} does not say that there are none")
