"""Times of items: which is taken, and how exactly it is known."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pipeline.item import Published
from pipeline.times import bin_of, place
from pipeline.words import Precision

SEEN = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
UID = "80000000" + "0" * 24
HOUR = timedelta(hours=1)


def exact(at: datetime) -> Published:
    return Published(at=at, precision=Precision.MINUTE)


def test_an_exact_time_is_the_event_time():
    at = datetime(2026, 11, 20, 11, 43, tzinfo=UTC)
    placed = place(UID, exact(at), SEEN, watermark=SEEN - HOUR)
    assert (placed.event_time, placed.fed_bin) == (at, datetime(2026, 11, 20, 11, 40, tzinfo=UTC))
    assert not (placed.historic or placed.late or placed.clamped)


def test_day_only_dates_are_spread_between_watermark_and_now():
    day = Published(at=datetime(2026, 11, 20, tzinfo=UTC), precision=Precision.DAY)
    placed = place(UID, day, SEEN, watermark=SEEN - 2 * HOUR)
    assert placed.event_time == SEEN - HOUR  # the uid says one half
    assert not placed.late


def test_what_is_released_a_day_later_counts_now_and_draws_then():
    at, watermark = SEEN - 24 * HOUR, SEEN - HOUR
    placed = place(UID, exact(at), SEEN, watermark=watermark)
    assert placed.late
    assert not placed.historic
    assert (placed.event_time, placed.fed_bin) == (at, bin_of(watermark))


def test_a_vague_late_date_is_spread_over_its_own_bounds():
    day = Published(at=datetime(2026, 11, 19, tzinfo=UTC), precision=Precision.DAY)
    placed = place(UID, day, SEEN, watermark=SEEN - HOUR)
    assert placed.event_time == datetime(2026, 11, 19, 12, tzinfo=UTC)
    assert placed.late


def test_old_posts_found_today_are_historic_and_count_in_their_own_time():
    at = SEEN - timedelta(days=3)
    placed = place(UID, exact(at), SEEN, watermark=SEEN - HOUR)
    assert placed.historic
    assert not placed.late
    assert placed.fed_bin == bin_of(at)


def test_first_contact_is_historic_however_new():
    assert place(UID, exact(SEEN - HOUR), SEEN, watermark=None, first_contact=True).historic


def test_dates_in_the_future_or_before_the_web_are_replaced_and_flagged():
    future = place(UID, exact(SEEN + HOUR), SEEN, watermark=SEEN - HOUR)
    assert (future.event_time, future.clamped) == (SEEN, True)
    assert future.published.precision is Precision.UNKNOWN  # so that a right date found later wins
    soon = place(UID, exact(SEEN + timedelta(minutes=10)), SEEN, watermark=SEEN - HOUR)
    assert (soon.event_time, soon.clamped) == (SEEN, False)
    epoch = place(UID, exact(datetime(1970, 1, 1, tzinfo=UTC)), SEEN, watermark=SEEN - HOUR)
    assert epoch.clamped
    assert SEEN - HOUR <= epoch.event_time <= SEEN


def test_no_date_at_all_lies_after_the_last_complete_crawl():
    placed = place(UID, Published(), SEEN, watermark=SEEN - 4 * HOUR)
    assert placed.event_time == SEEN - 2 * HOUR
    assert place(UID, Published(), SEEN, watermark=None).event_time == SEEN


times = st.integers(-10 * 31_557_600, 60 * 31_557_600).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


@given(
    st.text("0123456789abcdef", min_size=32, max_size=32),
    st.none() | times,
    st.sampled_from(Precision),
    times,
    st.none() | times,
    st.none() | times,
    st.none() | times,
    st.booleans(),
)
def test_whatever_a_page_says_time_stays_in_order(uid, at, precision, seen, watermark, lower, upper, first):
    published = Published(at=at, precision=precision, lower=lower, upper=upper)
    placed = place(uid, published, seen, watermark=watermark, first_contact=first)
    assert placed.event_time <= seen
    assert placed.fed_bin.timestamp() % 300 == 0
    assert placed.historic or placed.event_time >= seen - timedelta(hours=48)
    if not placed.historic and watermark is not None:
        assert placed.fed_bin >= bin_of(watermark)
