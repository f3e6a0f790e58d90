"""``sturmwarte mentions`` and ``export``: the mention history, searched."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from sturmwarte.commands.shared import (
    UNAVAILABLE,
    BadSearch,
    ByOption,
    ConfigOption,
    Desk,
    JsonLinesOption,
    JsonOption,
    Refused,
    desk,
    guarded,
    leave,
    moment,
    note,
    person,
    print_json,
    print_table,
    progress,
)

if TYPE_CHECKING:
    from dashboards.house import House
    from pipeline.mention import Mention
    from pipeline.query.tree import Query

QueryArgument = Annotated[str, typer.Argument(metavar="QUERY", help="option.query")]
FromOption = Annotated[str | None, typer.Option("--from", metavar="TIME", help="option.from")]
ToOption = Annotated[str | None, typer.Option("--to", metavar="TIME", help="option.to")]
PAGE = 500


@guarded
def mentions(
    query: QueryArgument = "",
    start: FromOption = None,
    end: ToOption = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="option.limit")] = 50,
    as_of: Annotated[str | None, typer.Option("--as-of", metavar="TIME", help="option.as_of")] = None,
    config: ConfigOption = None,
    as_json: JsonLinesOption = False,
) -> None:
    """help.mentions"""
    from pipeline.rows import mention_row
    from pipeline.threads import threads_of

    here = desk(config)
    span = moment(start, "--from"), moment(end, "--to"), moment(as_of, "--as-of")
    with closing(_house(here)) as house:
        from dashboards.memberships import incidents_of

        _parsed(here, house, query)  # a search that is wrong is wrong on an empty folder, too
        if not _stored(here):
            return
        found = list(islice(_search(here, house, query, *span, limit), limit))
        incidents = incidents_of(house, [mention.uid for mention in found])
        threads = threads_of(house.store(), found) if as_json and not as_of else {}
    if as_json:
        for mention in found:
            print_json(mention_row(mention, incidents.get(mention.uid, ()), threads), lines=True)
    else:
        _show(here, found)


def _house(here: Desk) -> House:
    from dashboards.house import House

    return House(lambda: here.configuration, here.folder, here.clock)


def _stored(here: Desk) -> bool:
    """Whether there is any mention yet; says so to the person if not."""
    from pipeline.store.opening import is_there

    there = is_there(here.folder, here.configuration.store)
    if not there:
        note(here.say("nothing_stored", file=str(here.folder)))
    return there


def _parsed(here: Desk, house: House, text: str) -> Query:
    """Raises BadSearch."""
    from dashboards.searching import query_of
    from pipeline.query.errors import QueryError

    try:
        return query_of(house, text, here.clock.now())
    except QueryError as error:
        raise BadSearch(text, error) from error


def _search(
    here: Desk,
    house: House,
    text: str,
    start: datetime | None,
    end: datetime | None,
    as_of: datetime | None,
    limit: int,
) -> Iterator[Mention]:
    """Hits, newest first, page by page."""
    query, store, after = _parsed(here, house, text), house.store(), None
    moment_ = as_of or query.as_of
    while True:
        page = store.search(query, start=start, end=end, limit=min(limit, PAGE), after=after, as_of=moment_)
        yield from page.mentions
        after = page.after
        if after is None:
            return


def _show(here: Desk, found: list[Mention]) -> None:
    if not found:
        note(here.say("mentions.none"))
        return
    names = ("time", "source", "brands", "tone", "text")
    print_table([here.say(f"mentions.{name}") for name in names], [_cells(here, mention) for mention in found])


def _cells(here: Desk, mention: Mention) -> tuple[str, ...]:
    from pipeline.rows import shown_tone

    tone = shown_tone(mention)
    words = " ".join(f"{mention.crawled.title} {mention.crawled.text}".split())
    return (
        here.speech.day_time(mention.event_time),
        here.configuration.source_name(mention.first_source),
        ", ".join(here.configuration.brand_name(opinion.brand) for opinion in mention.analysis.opinions),
        here.speech.say(f"tone.{tone.value if tone else 'none'}"),
        words if len(words) <= 70 else words[:69] + "…",
    )


@guarded
def export(
    query: QueryArgument = "",
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="option.out")] = None,
    form: Annotated[str, typer.Option("--format", metavar="jsonl|csv|excel", help="option.format")] = "jsonl",
    start: FromOption = None,
    end: ToOption = None,
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """help.export"""
    if form not in ("jsonl", "csv", "excel"):
        raise Refused("unknown_format", word=form)
    if out is not None and out.exists():
        raise Refused("exists", file=str(out))
    here = desk(config)
    if not _stored(here):
        leave(UNAVAILABLE)
    span = moment(start, "--from"), moment(end, "--to")
    with closing(_house(here)) as house:
        count = _write(here, house, query, span, form, out)
    _record(here, query, count, person(by))
    if as_json and out is not None:
        print_json({"mentions": count, "out": str(out)})
    else:
        note(here.say("export.done", n=count))


def _write(
    here: Desk,
    house: House,
    text: str,
    span: tuple[datetime | None, datetime | None],
    form: str,
    out: Path | None,
) -> int:
    """Stream the hits into the file (complete or not there at all) or to standard output; returns how many."""
    from dashboards.exporting import lines
    from dashboards.memberships import lookup

    query, store = _parsed(here, house, text), house.store()
    total, _ = store.count(query, start=span[0], end=span[1])
    counted = _Counted(store.scan(query, start=span[0], end=span[1]))
    rows = lines(form, counted, lookup(house), here.configuration.timezone)  # type: ignore[arg-type]
    with progress(here.say("export.progress"), total) as step:
        if out is None:
            _copy(rows, sys.stdout.buffer, step)
            return counted.count
        partial = out.with_name(out.name + ".part")
        with partial.open("wb") as file:
            _copy(rows, file, step)
        partial.replace(out)
    return counted.count


class _Counted:
    """An iterable that knows how many it gave."""

    def __init__(self, mentions: Iterable[Mention]) -> None:
        self._mentions, self.count = mentions, 0

    def __iter__(self) -> Iterator[Mention]:
        for mention in self._mentions:
            self.count += 1
            yield mention


def _copy(rows: Iterable[bytes], file: IO[bytes], step: object) -> None:
    for row in rows:
        file.write(row)
        step(1)  # type: ignore[operator]


def _record(here: Desk, query: str, count: int, who: str) -> None:
    """Exports hold personal data: who took what is kept."""
    import sqlalchemy as sa

    from pipeline.state.tables import audit

    details = {"query": query, "mentions": count, "by": "command line"}
    with here.state() as state, state.begin() as connection:
        connection.execute(sa.insert(audit).values(at=here.clock.now(), who=who, what="export", details=details))
