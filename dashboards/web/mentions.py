"""``/mentions``: search box, filters, results grouped by story, and the same search as files."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response

from dashboards.house import NotReady
from dashboards.kibana.opening import in_kibana
from dashboards.memberships import incidents_of
from dashboards.reader import Reader, ReaderHere
from dashboards.searching import SPANS, BadParameter, Search, has, narrowed, query_of, search_of, widened
from dashboards.web.marking import Piece, marked, wanted_stems
from dashboards.web.rendering import back, link, page
from pipeline.mention import Mention
from pipeline.query.parse import QueryError
from pipeline.query.tree import Query
from pipeline.rows import shown_tone
from pipeline.store.protocol import QueryTimeout, Store
from pipeline.words import ToneLabel

router = APIRouter(include_in_schema=False)

PAGE, FACETS = 25, ("brand", "tone", "aspect", "purpose", "severity", "channel", "source")
AS_OF_DELAY = timedelta(seconds=10)


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One mention as the list shows it."""

    mention: Mention
    title: list[Piece]
    text: list[Piece]
    tone: ToneLabel | None
    weight: float | None
    copies: int
    incidents: list[str]


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """One value of a filter: how many, whether it is chosen, and the address that changes that."""

    value: str
    name: str
    posts: int
    chosen: bool
    path: str


@router.get("/mentions", response_class=HTMLResponse)
def show(reader: ReaderHere) -> Response:
    """The mentions that a search finds, or what is wrong with the search."""
    try:
        search = search_of(reader.configuration, reader.request.query_params, reader.now)
    except BadParameter as error:
        return broken(reader, raw_search(reader), str(error), None)
    try:
        return found(reader, search)
    except QueryError as error:
        return broken(reader, search, error.text(reader.speech), error.position)
    except QueryTimeout as error:
        return broken(reader, search, str(error), None, status=503)
    except NotReady:
        return page(reader, "waiting.html")


def raw_search(reader: Reader) -> Search:
    """The search box as it was sent, with nothing else of the address understood."""
    text = reader.request.query_params.get("q", "")
    return Search(text=text, span="", start=None, end=None, as_of=None, after=None, copies=False)


def broken(reader: Reader, search: Search, message: str, position: int | None, *, status: int = 400) -> HTMLResponse:
    """The page with what is wrong, and a caret under the character."""
    caret = None if position is None else (search.text or " ") + "\n" + " " * position + "^"
    return page(reader, "mentions_error.html", status, search=search, message=message, caret=caret, link=link)


def found(reader: Reader, search: Search) -> Response:
    """The page of hits; from the start where ``after`` is none of ours. Raises QueryError, QueryTimeout, NotReady."""
    store, asked = reader.house.store(), query_of(reader.house, search.text, reader.now)
    shown = asked if search.copies else query_of(reader.house, without_copies(search.text), reader.now)
    as_of = moment_of(search, asked, reader.now)
    span = {"start": search.start, "end": search.end}
    try:
        hits = store.search(shown, **span, limit=PAGE, after=search.after, as_of=as_of)
    except ValueError:
        return back(address(search, after=None))
    posts, persons = store.count(shown, **span, as_of=as_of)
    hidden = 0 if search.copies else store.count(asked, **span, as_of=as_of)[0] - posts
    return page(
        reader,
        "mentions.html",
        search=search,
        rows=rows_of(reader, store, asked, hits.mentions),
        posts=posts,
        persons=persons,
        hidden=hidden,
        as_of=as_of,
        facets={name: choices(reader, store, asked, search, name) for name in FACETS},
        spans=[(span, span == search.span, address(search, span=span, after=None)) for span in SPANS],
        next_path=address(search, after=hits.after) if hits.after else None,
        first_path=address(search, after=None) if search.after else None,
        copies_path=address(search, copies=not search.copies, after=None),
        frozen_path=address(search, as_of=as_of or reader.now, after=None),
        kibana=in_kibana(reader.configuration, store, shown, (search.start, search.end), as_of, reader.speech),
        exports=[(form, export_path(search, form)) for form in ("csv", "excel", "jsonl")],
    )


def without_copies(text: str) -> str:
    """The search with copies left out, in the query language."""
    return f"({text}) NOT is:copy" if text else "NOT is:copy"


def moment_of(search: Search, query: Query, now: datetime) -> datetime | None:
    """The moment whose knowledge is asked for, at least ten seconds ago; None: what is known now."""
    asked = search.as_of or query.as_of
    return None if asked is None else min(asked, now - AS_OF_DELAY)


def rows_of(reader: Reader, store: Store, query: Query, mentions: tuple[Mention, ...]) -> list[Row]:
    """The rows of one page."""
    incidents = incidents_of(reader.house, [mention.uid for mention in mentions])
    stems = wanted_stems(query)
    return [row_of(store, mention, stems, incidents.get(mention.uid, [])) for mention in mentions]


def row_of(store: Store, mention: Mention, stems: frozenset[str], incidents: list[str]) -> Row:
    """One row: the found words marked, copies counted."""
    lang, tone = mention.analysis.lang, shown_tone(mention)
    members = store.story_members(mention.story) if mention.story and not mention.is_copy else []
    return Row(
        mention=mention,
        title=marked(mention.crawled.title, stems, lang),
        text=marked(shortened(mention.crawled.text), stems, lang),
        tone=tone,
        weight=weight_of(mention, tone),
        copies=max(len(members) - 1, 0),
        incidents=incidents,
    )


def shortened(text: str, limit: int = 420) -> str:
    """The beginning of a long text, cut between words."""
    if len(text) <= limit:
        return text
    return text[:limit].rsplit(" ", 1)[0] + " …"


def weight_of(mention: Mention, label: ToneLabel | None) -> float | None:
    """The probability the scorer gives the shown tone; None where a person said it, or nobody."""
    tone = mention.analysis.tone
    if tone is None or label is None or mention.corrections:
        return None
    return {"negative": tone.p_negative, "neutral": tone.p_neutral, "positive": tone.p_positive}[label]


def choices(reader: Reader, store: Store, query: Query, search: Search, field: str) -> list[Choice]:
    """The values of a filter among the hits, the chosen ones marked."""
    facets = store.facets(query, field, start=search.start, end=search.end, limit=12)
    return [
        Choice(
            value=facet.value,
            name=value_name(reader, field, facet.value),
            posts=facet.posts,
            chosen=has(search.text, field, facet.value),
            path=toggled(search, field, facet.value),
        )
        for facet in facets
    ]


def toggled(search: Search, field: str, value: str) -> str:
    """The address with that condition added, or taken away where it holds."""
    change = widened if has(search.text, field, value) else narrowed
    return address(search, text=change(search.text, field, value), after=None)


def value_name(reader: Reader, field: str, value: str) -> str:
    """What people read for a value of a filter."""
    if field == "brand":
        return reader.configuration.brand_name(value)
    if field == "source":
        return reader.configuration.source_name(value)
    return reader.speech.say(f"{field}.{value}")


def address(search: Search, **changes: object) -> str:
    """The address of this search with some parts changed."""
    changed = msgspec.structs.replace(search, **changes)
    return link("/mentions", **parameters(changed))


def export_path(search: Search, form: str) -> str:
    """Where the same search is had as a file."""
    given = parameters(search)
    given.pop("after", None)
    return link("/api/exports", form=form, **given)


def parameters(search: Search) -> dict[str, object]:
    """A search as parameters of an address."""
    times: dict[str, object] = {"span": search.span} if search.span else {"from": search.start, "to": search.end}
    copies = "1" if search.copies else None
    return {"q": search.text, **times, "as_of": search.as_of, "copies": copies, "after": search.after}
