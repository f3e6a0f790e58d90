"""The strip above every page: what makes the numbers incomplete, or keeps them from being shown."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from alerts import outbox
from dashboards.house import NotReady
from dashboards.reader import Reader
from dashboards.web.moments import since
from pipeline.reasons import in_words
from pipeline.state.opening import StateUnavailable
from pipeline.state.tables import source
from pipeline.words import SourceState

UNSEEING = (SourceState.BLIND, SourceState.LATE, SourceState.BEHIND)


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the strip: ``kind`` is warning or note; ``path`` leads to more."""

    kind: str
    lead: str
    text: str
    path: str
    path_text: str


def strip_of(reader: Reader) -> list[Notice]:
    """All notices that hold now, most urgent first."""
    try:
        notices = [*_messages(reader), *_sources(reader), *_demonstration(reader)]
    except (StateUnavailable, OperationalError):
        notices = [_away(reader, "stateless")]
    return [*_store(reader), *sorted(notices, key=lambda notice: notice.kind != "warning")]


def _store(reader: Reader) -> list[Notice]:
    """That mentions cannot be read now."""
    trouble = reader.house.store_probe.trouble()
    if trouble == "":
        return []
    return [_away(reader, "storeless", reason=trouble or reader.speech.say("pages.strip.storeless.late"))]


def _away(reader: Reader, what: str, **values: object) -> Notice:
    """A database does not answer: the error page, too, is shown with this."""
    say = reader.speech.say
    return Notice(
        kind="warning",
        lead=say(f"pages.strip.{what}.lead"),
        text=say(f"pages.strip.{what}.text", **values),
        path="/healthz",
        path_text=say(f"pages.strip.{what}.path"),
    )


def _demonstration(reader: Reader) -> list[Notice]:
    if reader.configuration.demo.mailbox is None:
        return []
    say = reader.speech.say
    return [
        Notice(
            kind="note",
            lead=say("pages.strip.demo.lead"),
            text=say("pages.strip.demo.text"),
            path="/mailbox",
            path_text=say("pages.strip.demo.path"),
        )
    ]


def _messages(reader: Reader) -> list[Notice]:
    """Messages that do not go out: refused, held since a restore, given up."""
    try:
        with reader.house.state().read() as connection:
            stuck = outbox.stuck(connection)
    except NotReady:
        return []
    waiting = since(reader, stuck.since) if stuck.since else ""
    values: dict[str, dict[str, object]] = {
        "refused": {"n": stuck.refused, "since": waiting, "reason": stuck.reason},
        "held": {"n": stuck.held},
        "failed": {"n": stuck.failed, "reason": stuck.failure},
    }
    return [_message(reader, name, found) for name, found in values.items() if found["n"]]


def _message(reader: Reader, name: str, values: dict[str, object]) -> Notice:
    say = reader.speech.say
    reason = in_words(str(values.get("reason", "")), reader.speech) or say("pages.strip.no_reason")
    told = {**values, "reason": reason}
    return Notice(
        kind="warning",
        lead=say(f"pages.strip.mail.{name}.lead", **told),
        text=say(f"pages.strip.mail.{name}.text", **told),
        path="/incidents",
        path_text=say("pages.strip.mail.path"),
    )


def _sources(reader: Reader) -> list[Notice]:
    rows = source_rows(reader)
    by_state = {state: [row for row in rows if row.state == state] for state in SourceState}
    notices = [_unseeing(reader, state, by_state[state], len(rows)) for state in UNSEEING if by_state[state]]
    learning = by_state[SourceState.LEARNING]
    if learning:
        notices.append(_learning(reader, len(learning), len(rows)))
    return notices


def source_rows(reader: Reader) -> list[sa.Row[tuple[object, ...]]]:
    """The state of every source that is not retired; none before the service has run."""
    try:
        state = reader.house.state()
    except NotReady:
        return []
    with state.read() as connection:
        wanted = sa.select(source).where(source.c.state != SourceState.RETIRED).order_by(source.c.id)
        return list(connection.execute(wanted).all())


def _unseeing(reader: Reader, state: SourceState, rows: list[sa.Row[tuple[object, ...]]], total: int) -> Notice:
    say, row = reader.speech.say, rows[0]
    name = reader.configuration.source_name(row.id)
    reason = in_words(row.reason, reader.speech) or say("pages.strip.no_reason")
    text = say(f"pages.strip.{state}.text", n=len(rows), name=name, since=since(reader, row.state_since), reason=reason)
    return Notice(
        kind="warning",
        lead=say(f"pages.strip.{state}.lead", n=len(rows), total=total),
        text=text,
        path=f"/sources/{row.id}" if len(rows) == 1 else "/sources",
        path_text=say("pages.strip.source", n=len(rows)),
    )


def _learning(reader: Reader, n: int, total: int) -> Notice:
    say = reader.speech.say
    return Notice(
        kind="note",
        lead=say("pages.strip.learning.lead", n=n, total=total),
        text=say("pages.strip.learning.text") + (" " + say("pages.strip.learning.cap") if n == total else ""),
        path="/sources",
        path_text=say("pages.strip.source", n=n),
    )
