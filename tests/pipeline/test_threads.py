"""Threads of own communities: solved, by whom, and how fast an own account answered."""

from contextlib import closing
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from building import NOON, mention, opinion
from clocks import RunningClock

from pipeline.configuration import Brand, StoreTable
from pipeline.item import Item, Media
from pipeline.mention import stripped
from pipeline.query.evaluate import field_values
from pipeline.rows import mention_row
from pipeline.steps.match import voice_of
from pipeline.store.opening import open_store
from pipeline.threads import thread_state, threads_of
from pipeline.words import Channel, Kind, Reading, Voice

THREAD = "community.example / t12"


def post(number, minutes, voice=Voice.EARNED, accepted=None, thread=THREAD, channel=Channel.OWN):
    return mention(
        f"post {number}",
        at=NOON + timedelta(minutes=minutes),
        thread=thread,
        thread_title="Router startet neu",
        channel=channel,
        accepted=accepted,
        opinions=(opinion("telekom", voice=voice),),
    )


def test_solved_by_a_peer_and_answered_by_staff_after_ninety_minutes():
    posts = [post(1, 0, accepted=False), post(2, 30, accepted=True), post(3, 90, Voice.STAFF, accepted=False)]
    Random(3).shuffle(posts)
    state = thread_state(posts)
    assert (state.thread, state.title, state.posts, state.opened) == (THREAD, "Router startet neu", 3, NOON)
    assert (state.solved, state.solved_by, state.first_answer_s) == (True, "peer", 5_400)
    assert state.first_answer == timedelta(minutes=90)


def test_solved_by_an_own_account():
    state = thread_state([post(1, 0, accepted=False), post(2, 7, Voice.OWNED, accepted=True)])
    assert (state.solved, state.solved_by, state.first_answer_s) == (True, "staff", 420)


def test_unmarked_is_not_unsolved():
    assert thread_state([post(1, 0), post(2, 5)]).solved is None
    assert thread_state([post(1, 0, accepted=False)]).solved is False
    assert thread_state([post(1, 0)]).first_answer_s is None
    assert thread_state([]) is None


def test_what_an_own_account_opened_waits_for_no_answer():
    assert thread_state([post(1, 0, Voice.STAFF), post(2, 5, Voice.STAFF)]).first_answer_s is None


def test_a_store_tells_the_threads_of_own_communities_alone(tmp_path: Path):
    other = "forum.example / t9"
    given = [
        post(1, 0, accepted=False),
        post(2, 10, Voice.STAFF, accepted=True),
        post(3, 0, thread="community.example / t13"),
        post(4, 0, thread=other, channel=Channel.FORUM),
    ]
    with closing(open_store(tmp_path, StoreTable(), clock=RunningClock(NOON))) as store:
        store.write(given)
        states = threads_of(store, [given[0], given[3]])
        assert list(states) == [THREAD]
        assert (states[THREAD].posts, states[THREAD].solved_by, states[THREAD].first_answer_s) == (2, "staff", 600)
        assert threads_of(store, given[3:]) == {}
        row = mention_row(given[0], threads=states)
        assert row["thread_state"]["first_answer_s"] == 600
        assert mention_row(given[3], threads=states)["thread_state"] is None


def test_what_a_place_says_is_carried_and_missing_stays_missing():
    media = (Media(kind="video", url="https://x.example/v.mp4", text="Störung"),)
    known = mention("a", media=media, views=0, verified=False, accepted=True)
    row = mention_row(known)
    assert row["media"] == [{"kind": "video", "url": "https://x.example/v.mp4", "text": "Störung"}]
    assert (row["views"], row["verified"], row["accepted"]) == (0, False, True)
    assert (field_values(known, "has"), field_values(known, "is")) == (["video"], ["accepted"])
    bare = mention_row(mention("b"))
    assert (bare["media"], bare["views"], bare["verified"], bare["accepted"]) == ([], None, None, None)
    assert stripped(known, NOON).crawled.media == ()


@pytest.mark.parametrize(
    ("domains", "home", "voice"),
    [((), False, Voice.EARNED), ((), True, Voice.STAFF), (("community.example",), False, Voice.STAFF)],
)
def test_staff_of_a_place_is_the_brands_where_the_place_is(domains, home, voice):
    brand = Brand.model_validate({"name": "Telekom", "domains": list(domains)})
    item = Item(
        source="own",
        platform="discourse",
        channel=Channel.OWN,
        kind=Kind.POST,
        reading=Reading.FULL,
        origin="community.example",
        native_id="/ t12-3",
        fetched=NOON,
        author="Maja",
        staff=True,
    )
    assert voice_of(brand, item, "Maja", home=home) is voice
