"""What every field of every index means, for the reference page and for people in Kibana."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.store import side
from pipeline.store.elastic import mapping
from pipeline.store.elastic.names import Names
from pipeline.store.elastic.side import MAPPINGS as BESIDE
from pipeline.store.elastic.side import alias_of, index_of
from pipeline.store.side import SideIndex

MENTION: Mapping[str, str] = {
    "uid": "The mention; the same in every store, page and export.",
    "revision": "How often its content has changed, 1 is the first.",
    "known_from": "Since when this revision is the known one.",
    "known_us": "The same in microseconds since 1970.",
    "known_to": "History only: until when it was the known one.",
    "known_to_us": "The same in microseconds since 1970.",
    "first_known_us": "When its first revision was written, in microseconds since 1970.",
    "event_time": "When it was said, as far as known: the time field. Orders, draws and decides the month.",
    "event_us": "The same in microseconds since 1970.",
    "event_second": "The same in whole seconds since 1970; lists are in this order.",
    "published": "When the page says it was published; missing where it says nothing.",
    "published_us": "The same in microseconds since 1970.",
    "precision": "How exactly that is known: second, minute, hour, day, month or unknown.",
    "seen": "When it was first fetched.",
    "seen_us": "The same in microseconds since 1970.",
    "fed_bin": "Begin of the five minutes in which series, rules and levels count it.",
    "fed": "The same as a number of five minutes since 1970.",
    "brand": "Brands it is about.",
    "brand_tone": "Brand and tone of each opinion, such as telekom:negative.",
    "counted_tone": "The same of the opinions that count.",
    "voice": "Who speaks, seen from its brands: earned, owned, staff or machine.",
    "via": "Why it is about its brands: name, alias, handle, person, about, reply or thread.",
    "tone": "Tone of the whole text: negative, neutral, positive; none: not scored.",
    "p_negative": "The scorer's P(negative) of the whole text, 0 to 1.",
    "source": "All sources that found it.",
    "first_source": "The source that stored it first; its series count it.",
    "platform": "Software or portal it stands on, such as phpbb.",
    "channel": "Kind of place: forum, review, search, news, blog, social or own.",
    "kind": "Kind of item: post, review, reply, article, comment or result.",
    "lang": "Language of the text, such as de; none: not known.",
    "domain": "Host name it stands on.",
    "author": "Pseudonym of the author; missing for guests.",
    "authors": "Pseudonyms of everybody whose words it holds, later readings included.",
    "person": "Who counts as one person: the author, or one nameless person per story.",
    "story": "Story it belongs to: all copies of one text; its own uid where there is no other.",
    "story_own": "The story it was stored with, before stories met.",
    "thread": "Title of the thread.",
    "thread_id": "The thread, by its id.",
    "thread_id.folded": "The same in small letters.",
    "thread_words": "Words of that title as searches of ours compare them.",
    "parent": "uid of what it answers.",
    "rating": "Rating as a share from 0 to 1.",
    "permalink": "Address of the post itself.",
    "title": "Its own title.",
    "text": "Its text, searched the German way of the server; searches of ours use stem and exact.",
    "exact": "Words of title and text as searches of ours compare them; not shown.",
    "stem": "Their stems; not shown.",
    "is": "Properties: copy, historic, late, corrected, deleted, accepted, verified, press.",
    "has": "What the text holds: image, video, link, threat, staff_threat (a threat against people of a brand).",
    "is_copy": "Whether it is a copy of an earlier text.",
    "counted": "Whether any of its opinions counts.",
    "historic": "Whether it came with first contact or was more than two days old when found: raises nothing.",
    "late": "Whether it came after its five minutes had been counted.",
    "aspects": "What about a service it speaks of, such as wartezeit; any number of them.",
    "severity": "How fierce it is: none, aggression, insult or threat; missing in languages without rules.",
    "purpose": "What it is written for: complaint, question, praise, news or advert; missing where nothing says so.",
    "topic": "Stems of its nouns, brands left out, compounds taken apart.",
    "incident": "Reserved; no data yet.",
    "opinions": "One entry per brand it is about; search them as opinions:{ … }.",
    "opinions.brand": "The brand.",
    "opinions.voice": "Who speaks, seen from the brand.",
    "opinions.via": "Why it is about the brand.",
    "opinions.tone": "Tone towards the brand, a person's correction included; none: not scored.",
    "opinions.counted": "Whether it counts: earned, no copy, no mere search result.",
    "opinions.copied": "Whether it would count, were it no copy.",
    "opinions.p_negative": "The scorer's P(negative), 0 to 1.",
    "opinions.p_millionths": "The same in millionths, so that sums are exact.",
    "opinions.fed": "As above, so that opinions are counted alone.",
    "opinions.fed_bin": "As above.",
    "opinions.event_time": "As above.",
    "opinions.event_us": "As above.",
    "opinions.source": "The source that stored the mention first.",
    "opinions.channel": "As above.",
    "opinions.historic": "As above.",
    "opinions.author": "As above.",
    "opinions.nameless": "Whether the author has no name.",
    "opinions.person": "As above.",
    "opinions.story": "As above.",
    "doc": "The whole mention as JSON: what Sturmwarte itself reads.",
    "write": "Which write this state came with.",
}
STORY: Mapping[str, str] = {
    "key": "The document's id, to be sorted by.",
    "what": "bands: of a mention; alias: two stories that are one.",
    "uid": "The mention.",
    "bands": "Marks that texts alike have in common.",
    "newer": "The story that goes by another …",
    "older": "… and the one it goes by.",
    "week": "Week in which the marks were noted, counted from 1970.",
}
ERASED: Mapping[str, str] = {
    "reason": "Why it was erased; the id is the mention's uid.",
    "at": "When.",
}
META: Mapping[str, str] = {
    "mapping_version": "Version of the fields on this page.",
    "analysis_version": "Version of the analysis that made the words in stem and exact.",
    "joined_us": "Up to when double mentions have been looked for, in microseconds since 1970.",
    "made_of": "Fingerprint of templates and settings.",
    "copy_from": "Store whose copy has begun to come in and has not ended.",
}
RAW = "The same as one value, for tables and counts."


def indices() -> Iterator[tuple[str, str, str, Mapping[str, Any], Mapping[str, str]]]:
    """(name, sentence, time field, properties, meanings) of every index under the preset prefix."""
    names = Names("sturmwarte")
    yield (
        names.mentions,
        "Mentions as they are known now. One index per month of `event_time`, such as "
        f"`{names.mentions_of('2026.11')}`, behind this alias.",
        "event_time",
        mapping.PROPERTIES,
        MENTION,
    )
    yield (
        names.history,
        "Replaced revisions of mentions, with the same fields. One index per month, such as "
        f"`{names.history_of('2026.11')}`, behind this alias.",
        "event_time",
        mapping.PROPERTIES,
        MENTION,
    )
    sentences = {
        SideIndex.EVENTS: "Alerts, changes of level, what people did, outages, silences: marks for charts.",
        SideIndex.RESULTS: "Ranked lists of search engines: one document per place.",
        SideIndex.SERIES: "Hours per brand with what was usual: the band of charts.",
    }
    for index, sentence in sentences.items():
        real = f"{sentence} The alias of `{index_of(names, index)}`."
        raw = dict.fromkeys((name for name, _ in flat(BESIDE[index]) if name.endswith(".raw")), RAW)
        yield alias_of(names, index), real, "at", BESIDE[index], {**side.meanings(index), **raw}
    yield (
        names.stories,
        "What stories are joined by; read by Sturmwarte alone.",
        "",
        mapping.STORIES["properties"],
        STORY,
    )
    yield names.erased, "Bars against the return of what was erased.", "", mapping.ERASED["properties"], ERASED
    yield names.meta, "What the indices were made by.", "", mapping.META["properties"], META


def flat(properties: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """(dotted name, type) of every field, nested and further ones included, in the order of the mapping."""
    for name, field in properties.items():
        yield f"{above}{name}", str(field.get("type", "object"))
        yield from flat(field.get("properties", {}), f"{above}{name}.")
        yield from flat(field.get("fields", {}), f"{above}{name}.")
