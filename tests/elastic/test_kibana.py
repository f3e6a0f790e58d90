"""Searches of ours in the words of Kibana: run on a real server, they find the same mentions."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

import pytest
from building import NOON, mention, opinion, uid
from elasticsearch import Elasticsearch
from msgspec.structs import replace

from pipeline.clock import ManualClock
from pipeline.configuration import StoreTable
from pipeline.i18n import Speech
from pipeline.item import Published
from pipeline.mention import Correction, Mention
from pipeline.query.evaluate import matches
from pipeline.query.parse import parse
from pipeline.query.tree import All, Everything, Field, Node, Not, OneOpinion, Query, Range, Some, Uids, Words
from pipeline.store.elastic import kibana
from pipeline.store.elastic.client import connect
from pipeline.store.elastic.documents import document
from pipeline.store.elastic.kibana import NotInKibana, discover, kql
from pipeline.store.elastic.mapping import ANALYSIS, MAPPINGS
from pipeline.store.elastic.store import ElasticStore
from pipeline.store.elastic.stories import all_ids
from pipeline.words import Channel, Kind, Precision, ToneLabel, Via, Voice

BERLIN = ZoneInfo("Europe/Berlin")
MEMBERS = frozenset(uid(number) for number in range(0, 90, 7))
TEXTS = (
    "Seit heute früh ist das Netz der Telekom gestört. Die Hotline schweigt!",
    "Die Störung im Netz dauert an, siehe https://netz.example/karte?a=1#b",
    'The network is down again and support keeps promising: "call back"',
    "Großes Lob an die Hotline, 1&1 und O'Brien haben 3.500 Anschlüsse.",
    "Orakel und Android: not and or, UND NICHT oder AND (klammer) {geschweift} \\ *stern*",
    "",
)
TYPED = (
    "",
    "*",
    "störung",
    "Stoerungen netz",
    '"Störung im Netz"',
    '"call back"',
    "=Telekom",
    '="Die Hotline"',
    "tele*",
    "or*",
    "and*",
    "großes OR promising",
    "NOT hotline",
    "-hotline netz",
    "hotline NOT (lob OR störung)",
    '"1&1"',
    "3.500",
    '"not and or"',
    "brand:telekom",
    "brand:telekom tone:negative",
    "brand:telekom tone:negative is:counted",
    "brand:telekom NOT tone:negative",
    "brand:(telekom OR 1und1) tone:(negative OR none)",
    "brand:telekom brand:1und1",
    "brand:telekom brand:1und1 tone:positive",
    "tone:none",
    "voice:owned",
    "voice:earned via:thread tone:negative",
    "brand:1und1 NOT via:thread NOT tone:positive",
    "NOT (brand:telekom tone:negative)",
    "is:counted",
    "NOT is:counted",
    "source:forum",
    "source:(forum OR rss_1)",
    "platform:phpbb",
    "channel:news",
    "kind:(post OR result)",
    "lang:de",
    "lang:none",
    f"author:{'b' * 32}",
    f"NOT author:{'a' * 32}",
    f"story:{uid(3)}",
    'thread:"im Netz"',
    "thread:kündigung",
    'thread_id:"forum.example T7"',
    "domain:forum.example",
    "has:link",
    "has:image NOT has:link",
    "is:copy",
    "is:historic is:late",
    "is:corrected",
    "NOT is:deleted",
    "published:2026-11-20",
    "published:[2026-11-19 TO 2026-11-20}",
    'published:>"2026-11-20 10:00"',
    "seen:<=now-3h",
    "seen:[now-1d TO now-2h]",
    "published:[* TO *]",
    "rating:[0 TO 0.25]",
    "rating:>=0",
    "stars:1",
    "stars:>2",
    "NOT stars:5",
    "incident:R-0001",
    "incident:R-0001 NOT tone:negative",
    "incident:R-0002",
    "netz OR (brand:telekom tone:negative NOT source:forum)",
    "(hotline OR störung) (is:copy OR is:late) NOT (lang:en OR lang:none)",
)


def mentions() -> list[Mention]:
    """Ninety that differ in everything a search can ask."""
    chance = random.Random(20)
    return [_one(number, chance) for number in range(90)]


def _one(number: int, chance: random.Random) -> Mention:
    at = NOON - timedelta(minutes=37 * number, microseconds=chance.choice([0, 1, 999, 1000, 500_500]))
    brands = chance.choice([("telekom",), ("1und1",), ("telekom", "1und1")])
    made = mention(
        number,
        at=at,
        text=chance.choice(TEXTS),
        title=chance.choice(["", "Telekom", "Hotline"]),
        source=chance.choice(["forum", "tele-news", "rss_1"]),
        platform=chance.choice(["phpbb", "WordPress"]),
        channel=chance.choice([Channel.FORUM, Channel.NEWS]),
        kind=chance.choice([Kind.POST, Kind.REVIEW, Kind.RESULT]),
        author=chance.choice(["a" * 32, "b" * 32, None]),
        lang=chance.choice(["de", "en", None]),
        thread=chance.choice([None, "forum.example T7"]),
        thread_title=chance.choice(["", "Störung im Netz seit heute", "Kündigung und Hotline"]),
        rating=chance.choice([None, 0.0, 0.25, 0.5, 1.0]),
        images=chance.choice([0, 1]),
        opinions=tuple(
            opinion(
                brand,
                chance.choice([*ToneLabel, None]),
                voice=chance.choice([Voice.EARNED, Voice.OWNED]),
                via=chance.choice([Via.NAME, Via.THREAD]),
                counted=chance.choice([True, False]),
            )
            for brand in brands
        ),
        published=Published(at=chance.choice([at, None]), precision=Precision.SECOND),
        story=chance.choice([None, uid(3)]),
        is_copy=chance.choice([True, False]),
        historic=chance.choice([True, False]),
        late=chance.choice([True, False]),
        corrections=chance.choice([(), (Correction(tone=ToneLabel.POSITIVE, at=at, by="anna", brand="telekom"),)]),
    )
    return replace(made, revision=1, known_from=NOON, deleted_at=chance.choice([None, None, None, NOON]))


MENTIONS = mentions()


@pytest.fixture(scope="module")
def index(elastic_client: Elasticsearch) -> Iterator[str]:
    """An index of mentions as the store makes it."""
    name = f"kibana-{random.Random().randrange(10**12)}"
    elastic_client.indices.create(index=name, mappings=MAPPINGS, settings={"analysis": ANALYSIS})
    lines: list[dict[str, Any]] = []
    for one in MENTIONS:
        lines += [{"create": {"_id": one.uid}}, document(one, one.story or one.uid, 1)]
    assert not elastic_client.bulk(index=name, operations=lines, refresh=True)["errors"]
    yield name
    elastic_client.indices.delete(index=name)


def asked(text: str) -> Query:
    def resolve(value: str) -> frozenset[str]:
        return {"r-0001": MEMBERS, "r-0002": frozenset[str]()}[value.lower()]

    return parse(text, now=NOON, zone=BERLIN, resolvers={"incident": resolve})


def found(client: Elasticsearch, index: str, queries: Sequence[str]) -> list[set[str]]:
    """What the server's own ``kql`` query finds, for many at once."""
    searches: list[dict[str, Any]] = []
    for query in queries:
        searches += [{}, {"query": {"kql": {"query": query}}, "size": 1000, "_source": False}]
    answers = client.msearch(index=index, searches=searches)["responses"]
    errors = [(query, answer["error"]) for query, answer in zip(queries, answers, strict=True) if "error" in answer]
    assert errors == []
    return [{hit["_id"] for hit in answer["hits"]["hits"]} for answer in answers]


def meant(root: Node) -> set[str]:
    return {one.uid for one in MENTIONS if matches(root, one)}


def test_what_people_type_finds_the_same_in_kibana(elastic_client: Elasticsearch, index: str) -> None:
    queries = [asked(text) for text in TYPED]
    wanted = {text: meant(query.root) for text, query in zip(TYPED, queries, strict=True)}
    got = found(elastic_client, index, [kql(query) for query in queries])
    assert dict(zip(TYPED, got, strict=True)) == wanted
    some = [text for text, hits in wanted.items() if 0 < len(hits) < len(MENTIONS)]
    assert len(some) > len(TYPED) * 0.8, "most of them choose"


def test_random_combinations_find_the_same(elastic_client: Elasticsearch, index: str) -> None:
    chance = random.Random(4)
    leaves = [asked(text).root for text in TYPED]

    def grown(depth: int) -> Node:
        form = chance.randrange(4 if depth else 1)
        if form == 0:
            return chance.choice(leaves)
        parts = tuple(grown(depth - 1) for _ in range(chance.randint(1, 3)))
        return Not(parts[0]) if form == 1 else All(parts) if form == 2 else Some(parts)

    roots = [grown(3) for _ in range(600)]
    got = found(elastic_client, index, [kql(Query(root)) for root in roots])
    differing = [(root, hits ^ meant(root)) for root, hits in zip(roots, got, strict=True) if hits != meant(root)]
    assert differing == []
    assert sum(0 < len(hits) < len(MENTIONS) for hits in got) > 200


def test_conditions_on_one_opinion_in_every_combination(elastic_client: Elasticsearch, index: str) -> None:
    choices: dict[str, list[tuple[str, ...]]] = {
        "brand": [("telekom",), ("1und1", "telekom")],
        "tone": [("negative",), ("none", "positive")],
        "voice": [("earned",)],
        "via": [("thread",)],
        "counted": [("true",), ("false",)],
    }
    roots = [
        OneOpinion(((a, one), (b, two)), excluded)
        for a in choices
        for b in choices
        if a < b
        for one in choices[a]
        for two in choices[b]
        for excluded in ((), (("tone", ("negative",)),), (("via", ("name",)), ("voice", ("owned",))))
    ]
    got = found(elastic_client, index, [kql(Query(root)) for root in roots])
    assert [root for root, hits in zip(roots, got, strict=True) if hits != meant(root)] == []
    assert len(roots) > 50 and sum(bool(hits) for hits in got) > 40


@pytest.mark.parametrize("low_in", [True, False])
@pytest.mark.parametrize("micros", [0, 1, 1000, 1001])
def test_bounds_of_time_are_exact(elastic_client: Elasticsearch, index: str, low_in: bool, micros: int) -> None:
    """Dates of the index know milliseconds; the hits do not depend on it."""
    some = [one.seen for one in MENTIONS[:6]]
    bounds = [at + sign * timedelta(microseconds=micros) for at in some for sign in (1, -1)]
    roots = [Range("seen", low, None, low_in) for low in bounds]
    roots += [Range("seen", None, high, True, low_in) for high in bounds]
    got = found(elastic_client, index, [kql(Query(root)) for root in roots])
    assert got == [meant(root) for root in roots]


@pytest.fixture
def store(elastic_url: str, elastic_prefix: str) -> Iterator[ElasticStore]:
    """A store of its own with all mentions, two stories of which were joined later."""
    opened = ElasticStore(
        connect(StoreTable(urls=(elastic_url,))), elastic_prefix, clock=ManualClock(NOON + timedelta(hours=6))
    )
    opened.write([replace(one, revision=0, known_from=None) for one in MENTIONS])
    opened.join_stories(uid(4), uid(3))
    opened.refresh()
    yield opened
    opened.close()


def test_our_own_search_and_kibana_find_the_same(elastic_client: Elasticsearch, store: ElasticStore) -> None:
    """On the alias that the data view stands for, with what a store writes itself."""
    typed = [*TYPED, f"story:{uid(4)}", f"story:{uid(5)}"]
    queries = [asked(text) for text in typed]
    ours = [{one.uid for one in store.scan(query)} for query in queries]
    words = [kql(query, lambda story: all_ids(store.access, story)) for query in queries]
    theirs = found(elastic_client, store.access.names.mentions, words)
    assert dict(zip(typed, theirs, strict=True)) == dict(zip(typed, ours, strict=True))
    joined = ours[typed.index(f"story:{uid(3)}")]
    assert joined == ours[-2] and uid(4) in joined and len(joined) > 5


# --- the words ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "*"),
        ("hotline", 'stem:"hotlin" or stem:"hotline"'),
        ('"Störung im Netz"', 'stem:"storung im netz" or stem:"stoerung im netz"'),
        ("=Telekom tele*", 'exact:"telekom" and exact:tele*'),
        ("brand:telekom tone:negative", 'brand_tone:"telekom:negative"'),
        ("brand:telekom tone:negative is:counted", 'counted_tone:"telekom:negative"'),
        ("brand:telekom via:thread", 'opinions:{ brand:"telekom" and via:"thread" }'),
        (
            "brand:telekom NOT tone:negative",
            'opinions:{ brand:"telekom" } and (not opinions:{ brand:"telekom" and tone:"negative" })',
        ),
        ("source:(a OR b) NOT is:copy", '(source:"a" or source:"b") and (not is:"copy")'),
        (
            "published:2026-11-20",
            'published >= "2026-11-19T23:00:00.000Z" and published < "2026-11-20T23:00:00.000Z"',
        ),
        ("stars:>3", 'rating >= "0.500001"'),
    ],
)
def test_words_of_kibana(text: str, words: str) -> None:
    assert kql(asked(text)) == words


def test_a_story_is_found_by_all_its_ids() -> None:
    query = asked("story:b")
    assert kql(query, {"b": ["a", "b"]}.__getitem__) == 'story:"b" or story:"a"'


def test_quotation_marks_in_values_end_nothing() -> None:
    assert kql(Query(Field("domain", ('a"b\\c',)))) == r'domain:"a\"b\\c"'


@pytest.mark.parametrize(
    ("query", "key"),
    [
        (Query(Everything(), as_of=NOON), "as_of"),
        (Query(Words((("kein", "net"),), "exact", True)), "phrase_beginning"),
        (Query(Uids(frozenset(uid(n) for n in range(kibana.MOST_UIDS + 1)))), "many"),
        (Query(Words((tuple("wort" for _ in range(4000)),))), "too_long"),
        (Query(Node()), "unknown"),
    ],
)
@pytest.mark.parametrize("language", ["de", "en"])
def test_what_kibana_cannot_say_is_said(query: Query, key: str, language: str) -> None:
    with pytest.raises(NotInKibana) as refused:
        kql(query)
    assert refused.value.key == key
    assert len(refused.value.text(Speech(language, BERLIN))) > 20


def test_the_address_opens_data_view_words_and_time() -> None:
    start, end = datetime(2026, 11, 20, tzinfo=UTC), datetime(2026, 11, 21, 0, 0, 0, 500, tzinfo=UTC)
    address = discover("https://kibana.example/s/pr/", "warte", """stem:"o'brien!" and is:"copy\"""", start, end)
    base, _, rest = address.partition("?")
    assert base == "https://kibana.example/s/pr/app/discover#/"
    assert '"' not in rest and " " not in rest
    general, _, own = unquote(rest).partition("&_a=")
    assert general == ("_g=(filters:!(),time:(from:'2026-11-20T00:00:00.000Z',to:'2026-11-21T00:00:00.000Z'))")
    assert "dataSource:(dataViewId:'warte-mentions',type:dataView)" in own
    assert """query:(language:kuery,query:'stem:"o!'brien!!" and is:"copy"')""" in own
    assert own.endswith("sort:!(!(event_time,desc)))")


def test_an_open_span_is_all_of_time() -> None:
    assert "from:'1970-01-01T00:00:00.000Z',to:'2100-01-01T00:00:00.000Z'" in discover("http://k", "p", "*")
