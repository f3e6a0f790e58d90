"""The whole pipeline on a real store: what becomes of items, and that nothing is lost when the store is away."""

from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from pipeline.build import build_pipeline
from pipeline.clock import ManualClock
from pipeline.configuration import Configuration, StoreTable
from pipeline.draft import Draft
from pipeline.identity import uid_of
from pipeline.item import Item, Published
from pipeline.query.tree import EVERYTHING
from pipeline.run import Fed
from pipeline.secrets import KEY_FILE, SecretMissing
from pipeline.state.opening import open_state
from pipeline.state.tables import meta, source
from pipeline.store.opening import open_store
from pipeline.store.protocol import REJECTED, StoreError
from pipeline.words import Channel, Kind, Precision, Purpose, Reading, Severity, ToneLabel, Via, Voice

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
TOLD = Configuration.model_validate(
    {
        "contact": "test@example.org",
        "brands": {"nordnetz": {"name": "Nordnetz", "accounts": ["Nordnetz_hilft"]}},
        "sources": {"forum": {"spider": "phpbb", "url": "https://forum.example/"}},
    }
)


def item(number: int, text: str, author: str | None = "Elif", **over: object) -> Item:
    values: dict[str, object] = {
        "source": "forum", "platform": "phpbb", "channel": Channel.FORUM, "kind": Kind.POST, "reading": Reading.FULL,
        "origin": "forum.example", "native_id": f"/ p{number}", "fetched": NOW, "text": text, "author": author,
        "published": Published(at=NOW - timedelta(minutes=10), precision=Precision.MINUTE),
        "watermark": NOW - timedelta(minutes=15),
    }  # fmt: skip
    return Item(**{**values, **over})  # type: ignore[arg-type]


@pytest.fixture
def house(tmp_path):
    clock = ManualClock(NOW)
    with closing(open_state(tmp_path)) as state, closing(open_store(tmp_path, StoreTable(), clock=clock)) as store:
        yield build_pipeline(TOLD, store, state, folder=tmp_path, clock=clock), store, state, tmp_path


def only(store):
    [mention] = store.scan(EVERYTHING)
    return mention


def test_an_item_about_a_brand_becomes_a_mention_with_a_tone(house):
    pipeline, store, _, _ = house
    fed = pipeline.feed([item(1, "Nordnetz ist eine Katastrophe, nie wieder!"), item(2, "Schönes Wetter heute.")])
    assert fed == Fed(stored=1, ignored=1)
    mention = only(store)
    [opinion] = mention.analysis.opinions
    assert (opinion.brand, opinion.via, opinion.voice, opinion.counted) == ("nordnetz", Via.NAME, Voice.EARNED, True)
    assert opinion.tone is ToneLabel.NEGATIVE
    assert (mention.analysis.lang, mention.analysis.analyser[:8]) == ("de", "base-de-")
    assert (mention.analysis.severity, mention.analysis.purpose) == (Severity.NONE, Purpose.COMPLAINT)
    assert mention.analysis.topics == ("katastroph",)
    assert mention.analysis.why == (("complaint", ("Katastrophe", "nie wieder")),)


def test_no_author_is_ever_stored_in_clear(house):
    pipeline, _, _, folder = house
    pipeline.feed([item(1, "Nordnetz lahmt wieder.", author="Zebulon Querkopf", parent_author="Philomena Kraus")])
    pipeline.store.close()
    for path in folder.rglob("*"):
        if path.is_file():
            assert b"Zebulon" not in path.read_bytes(), path
            assert b"Philomena" not in path.read_bytes(), path


def test_feeding_the_same_again_changes_nothing(house):
    pipeline, store, _, _ = house
    pipeline.feed([item(1, "Nordnetz läuft gut.")])
    assert pipeline.feed([item(1, "Nordnetz läuft gut.")]) == Fed(unchanged=1)
    assert pipeline.feed([item(1, "Nordnetz läuft doch schlecht.", fetched=NOW + timedelta(minutes=5))]) == Fed(
        revised=1
    )
    assert only(store).revision == 2


def test_forty_copies_of_one_text_are_one_opinion(house):
    pipeline, store, _, _ = house
    text = (
        "Nordnetz hat heute tausende Störungsmeldungen ohne Prüfung geschlossen, das berichten mehrere Betroffene "
        "übereinstimmend, und die Hotline legt einfach auf."
    )
    first, rest = (
        item(0, text, author="Quelle"),
        [item(n, f"RT @quelle: {text}", author=f"Kopie{n}") for n in range(1, 41)],
    )
    pipeline.feed([first])
    pipeline.feed(rest[:20])
    pipeline.feed(rest[20:])
    mentions = list(store.scan(EVERYTHING))
    assert len(mentions) == 41
    assert len({mention.story for mention in mentions}) == 1
    assert [m.crawled.text for m in mentions if not m.is_copy] == [text]
    assert sum(opinion.counted for mention in mentions for opinion in mention.analysis.opinions) == 1


def test_own_voices_are_kept_and_not_counted(house):
    pipeline, store, _, _ = house
    pipeline.feed([item(1, "Nordnetz bedauert den Ausfall sehr.", author="Nordnetz_hilft")])
    [opinion] = only(store).analysis.opinions
    assert (opinion.voice, opinion.counted) == (Voice.OWNED, False)


def test_with_the_store_away_everything_waits_and_comes_back_with_its_copies_found(house, monkeypatch):
    pipeline, store, state, _ = house
    with state.begin() as connection:
        row = {"id": "forum", "spider": "phpbb", "url": "", "channel": "forum", "state": "healthy", "state_since": NOW,
               "next_due": NOW, "interval_s": 60, "cursor": {}}  # fmt: skip
        connection.execute(source.insert().values(row))
    text = "Nordnetz hat heute die Hotline abgeschaltet und niemand weiß, wann sie wieder erreichbar sein wird."

    def refuse(*arguments, **more):
        raise StoreError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(store, "write", refuse)
        assert pipeline.feed([item(1, text)]) == Fed(spooled=1)
        assert pipeline.feed([item(2, text, author="Okka")]) == Fed(spooled=1)
        assert pipeline.spool_watermark("forum", NOW) is False
        assert pipeline.drain() == 0
    assert pipeline.drain() == 2
    mentions = sorted(store.scan(EVERYTHING), key=lambda mention: mention.is_copy)
    assert [m.is_copy for m in mentions] == [False, True]
    assert mentions[0].story == mentions[1].story
    with state.read() as connection:
        assert connection.scalar(sa.select(source.c.watermark)) == NOW
    assert pipeline.spool.sizes() == (0, 0)


def test_a_watermark_and_an_empty_spool_wait_for_no_batch_of_others(house):
    pipeline, _, _, _ = house
    marked = []
    pipeline._set_watermark = lambda *mark: marked.append(mark)
    pipeline.drain()  # the first one makes sure that no earlier process has left anything
    with pipeline._lock:  # a batch is under way
        assert pipeline.drain() == 0
        assert pipeline.spool_watermark("forum", NOW) is True
    assert marked == [("forum", NOW)]


def test_without_a_near_text_the_store_is_not_read_for_copies(house, monkeypatch):
    pipeline, store, _, _ = house
    read = []
    monkeypatch.setattr(store, "get", lambda uids: read.append(uids) or {})
    pipeline.steps[-1]([Draft(item(1, "Nordnetz ist seit heute früh in der ganzen Stadt nicht mehr erreichbar."), "u")])
    assert read == []


def test_an_item_that_breaks_a_step_is_put_aside_and_the_rest_goes_on(house):
    pipeline, _store, _, _ = house

    class Fragile:
        name = "fragile"

        def __call__(self, batch):
            if any("Bruch" in draft.text for draft in batch):
                raise ValueError("broken by a test")
            return batch

    pipeline.steps = (*pipeline.steps[:1], Fragile(), *pipeline.steps[1:])
    fed = pipeline.feed([item(1, "Nordnetz Bruch", author="Detlef Grau"), item(2, "Nordnetz läuft gut.")])
    assert fed == Fed(stored=1, quarantined=1)
    assert pipeline.spool.sizes() == (0, 1)
    kept = (pipeline.spool.folder / "quarantine.ndjson").read_text("utf-8")
    assert "broken by a test" in kept
    assert "Detlef" not in kept


class Picky:
    """A store whose engine cannot hold mentions of the word "Bruch"."""

    def __init__(self, store):
        self._store = store

    def __getattr__(self, name):
        return getattr(self._store, name)

    def write(self, mentions):
        bad = [m.uid for m in mentions if "Bruch" in m.crawled.text]
        written = self._store.write([m for m in mentions if m.uid not in bad])
        return replace(written, refused=(*written.refused, *((uid, f"{REJECTED}too much of it") for uid in bad)))


def test_what_the_store_rejects_goes_to_the_quarantine_and_the_rest_is_stored(house):
    pipeline, store, _, _ = house
    pipeline.store = Picky(store)
    bad, good = item(1, "Nordnetz Bruch", author="Detlef Grau"), item(2, "Nordnetz läuft gut.")
    assert pipeline.feed([bad, good]) == Fed(stored=1, quarantined=1)
    assert pipeline.spool.sizes() == (0, 1)
    kept = (pipeline.spool.folder / "quarantine.ndjson").read_text("utf-8")
    assert "rejected: too much of it" in kept
    assert "Detlef" not in kept
    assert pipeline.spool.quarantined() == {uid_of("forum.example", "/ p1")}


def test_what_the_store_rejects_when_the_spool_is_drained_goes_there_too(house, monkeypatch):
    pipeline, store, _, _ = house

    def refuse(*arguments, **more):
        raise StoreError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(store, "write", refuse)
        pipeline.feed([item(1, "Nordnetz Bruch", author="Detlef Grau"), item(2, "Nordnetz läuft gut.")])
    pipeline.store = Picky(store)
    [pseudonym] = {m.crawled.author for m in pipeline.spool.waiting() if "Bruch" in m.crawled.text}
    assert pipeline.drain() == 2
    assert only(store).crawled.text == "Nordnetz läuft gut."
    assert pipeline.spool.sizes() == (0, 1)
    rejected = {uid_of("forum.example", "/ p1")}
    assert pipeline.spool.quarantined() == rejected
    assert pseudonym not in (pipeline.spool.folder / "quarantine.ndjson").read_text("utf-8")
    assert pipeline.spool.forget_quarantined(rejected) == 1
    assert pipeline.spool.sizes() == (0, 0)


def test_a_missing_key_beside_data_refuses_to_start(house):
    pipeline, store, state, folder = house
    pipeline.feed([item(1, "Nordnetz läuft gut.")])
    (folder / KEY_FILE).unlink()
    with pytest.raises(SecretMissing, match=KEY_FILE):
        build_pipeline(TOLD, store, state, folder=folder, clock=ManualClock(NOW))


def test_what_a_database_could_not_write_is_not_in_its_error(house):
    _, _, state, _ = house
    words = {"key": "k", "value": "Philomena Kraus schreibt"}
    with pytest.raises(sa.exc.IntegrityError) as caught, state.begin() as connection:
        connection.execute(sa.insert(meta).values([words, words]))
    assert "Philomena" not in str(caught.value)


def test_a_post_that_is_edited_until_it_names_nobody_is_revised_and_counts_no_more(house):
    pipeline, store, _, _ = house
    pipeline.feed([item(1, "Nordnetz ist eine Katastrophe, nie wieder!")])
    later = {"fetched": NOW + timedelta(minutes=5)}
    assert pipeline.feed([item(1, "Beitrag zurückgezogen.", source="anderswo", **later)]) == Fed(ignored=1)
    assert pipeline.feed([item(1, "Beitrag zurückgezogen.", **later)]) == Fed(revised=1)
    mention = only(store)
    assert (mention.crawled.text, mention.analysis.opinions) == ("Beitrag zurückgezogen.", ())
    assert [len(one.mention.analysis.opinions) for one in store.history(mention.uid)] == [1, 0]
    assert (store.series("nordnetz", NOW - timedelta(hours=1), NOW), store.check()) == ([], [])


def test_what_is_said_and_deleted_within_one_batch_is_counted_and_a_strangers_deletion_is_nothing(house):
    pipeline, store = house[0], house[1]
    said = item(1, "Nordnetz meldet sich nicht.")
    fed = pipeline.feed([said, replace(said, deleted=True, text="")])
    assert (fed.stored, fed.revised, fed.ignored) == (1, 1, 0)
    kept = only(store)
    assert (kept.crawled.text, kept.deleted_at) == ("", said.fetched)
    assert [opinion.brand for opinion in kept.analysis.opinions] == ["nordnetz"]
    stranger = item(2, "", deleted=True)
    assert pipeline.feed([stranger]).ignored == 1
