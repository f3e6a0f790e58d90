"""``/mentions/UID``: one mention, why it counts, all its revisions, and the correction of its tone."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException
from fastapi.responses import HTMLResponse, Response

from dashboards.house import NotReady
from dashboards.memberships import incidents_of
from dashboards.reader import FormHere, Reader, ReaderHere, field
from dashboards.web.rendering import back, page
from pipeline.corrections import UnknownMention, correct
from pipeline.labels.topics import topics
from pipeline.mention import Mention
from pipeline.rows import shown_tone
from pipeline.store.protocol import Revision
from pipeline.threads import threads_of
from pipeline.words import ToneLabel

router = APIRouter(include_in_schema=False)


def local_path(fields: FormHere) -> str:
    """Where the form wants to go back to: a path of ours, else the mentions."""
    wanted = field(fields, "back")
    return wanted if wanted.startswith("/") and not wanted.startswith(("//", "/\\")) else "/mentions"


def topic_words(mention: Mention) -> list[str]:
    """Its topic terms as the text has them; a compound and its parts are one word."""
    text = [(f"{mention.crawled.title}\n\n{mention.crawled.text}", mention.analysis.lang)]
    return list(dict.fromkeys(topics().shown(term, text) for term in mention.analysis.topics))


@router.get("/mentions/{uid}", response_class=HTMLResponse)
def show(reader: ReaderHere, uid: str) -> HTMLResponse:
    """One mention and its history."""
    try:
        store, mention = reader.house.store(), reader.house.mention(uid)
    except NotReady:
        return page(reader, "waiting.html")
    if mention is None:
        raise HTTPException(404)
    history = store.history(uid)
    return page(
        reader,
        "mention.html",
        mention=mention,
        tone=shown_tone(mention),
        why=dict(mention.analysis.why),
        topics=topic_words(mention),
        thread=threads_of(store, [mention]).get(mention.crawled.thread or ""),
        history=list(reversed(history)),
        changes=changes_of(reader, history),
        members=store.story_members(mention.story) if mention.story else [],
        incidents=incidents_of(reader.house, [uid]).get(uid, []),
    )


def changes_of(reader: Reader, history: list[Revision]) -> dict[int, list[str]]:
    """Revision → what changed in it, in words."""
    say, changes = reader.speech.say, {}
    for index, revision in enumerate(history):
        new, old = revision.mention, history[index - 1].mention if index else None
        said = [say("pages.revision.first")] if old is None else []
        if old is not None:
            compared = {
                "text": (old.crawled.text, new.crawled.text),
                "title": (old.crawled.title, new.crawled.title),
                "tone": (shown_tone(old), shown_tone(new)),
                "corrected": (old.corrections, new.corrections),
                "shown": (_shown(old), _shown(new)),
                "sources": (old.sources, new.sources),
                "opinions": (old.analysis.opinions, new.analysis.opinions),
                "deleted": (old.deleted_at, new.deleted_at),
            }
            said = [say(f"pages.revision.{name}") for name, (before, after) in compared.items() if before != after]
        changes[new.revision] = said or [say("pages.revision.other")]
    return changes


def _shown(mention: Mention) -> tuple[object, ...]:
    """What a place says of a mention beside its text."""
    crawled = mention.crawled
    return crawled.media, crawled.views, crawled.votes, crawled.verified, crawled.accepted


@router.post("/mentions/{uid}/tone")
def set_tone(reader: ReaderHere, fields: FormHere, uid: str, path: Annotated[str, Depends(local_path)]) -> Response:
    """Record a person's word on the tone, and go back."""
    try:
        tone = ToneLabel(field(fields, "tone"))
    except ValueError:
        raise HTTPException(422, "tone") from None
    brand = field(fields, "brand") or None
    try:
        if reader.house.mention(uid) is None:
            raise UnknownMention(uid)
        with reader.house.writing_store() as store:
            correct(reader.house.state(), store, uid, brand, tone, reader.name, reader.house.clock)
    except (UnknownMention, NotReady):
        raise HTTPException(404) from None
    return back(f"{path}#m-{uid}")
