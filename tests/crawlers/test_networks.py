"""Social networks through their documented interfaces: what each parser takes, and how lists are walked."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from rehearsal import NOW, Source, page

from crawlers.api import quota_span
from crawlers.parse import detect
from crawlers.registry import spiders
from crawlers.spiders.bluesky import BlueskySpider
from crawlers.spiders.facebook import FacebookSpider
from crawlers.spiders.hackernews import HackernewsSpider
from crawlers.spiders.mastodon import MastodonSpider
from crawlers.spiders.reddit import RedditSpider
from crawlers.spiders.x import XSpider
from crawlers.spiders.youtube import YoutubeSpider
from pipeline.identity import native_id, uid_of
from pipeline.words import Answer, Kind

PAGES = Path(__file__).parent / "pages"
NETWORKS = ("mastodon", "bluesky", "jetstream", "reddit", "youtube", "x", "facebook", "hackernews")
ALL = spiders()
FILES = sorted(path.name for path in PAGES.glob("*.json") if path.name.split("_")[0] in NETWORKS)


def read(name: str) -> bytes:
    return (PAGES / name).read_bytes()


def parsed(name: str, url: str = "https://markt.example/api/v1/x?limit=40", **over):
    return ALL[name.split("_")[0]].parser(page(read(name), url, **over))


def query(url: str) -> dict[str, str]:
    return {key: values[-1] for key, values in parse_qs(urlsplit(url).query).items()}


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("YOUTUBE_KEY", "X_TOKEN", "FACEBOOK_TOKEN", "REDDIT_SECRET", "BLUESKY_PASSWORD"):
        monkeypatch.setenv(f"STURMWARTE_{name}", "streng-geheim")


# --- parsers ---------------------------------------------------------------------------------------------------


def test_a_mastodon_post_in_whole():
    post, reply = parsed("mastodon_tag.json").items
    assert (post.id, post.author, post.author_id) == (
        "p113400000000000012",
        "juergen@wolke.example",
        "https://wolke.example/@juergen",
    )
    assert post.text == (
        "@nordnetz Seit Montag kein Netz in Köln! Störung um 9:30 gemeldet.\n\n"
        "Mehr: https://blog.example/stoerung-in-koeln #nordnetz"
    )
    assert (post.published.at, post.votes, post.images, post.lang) == (
        datetime(2026, 11, 21, 18, 20, 5, 120_000, UTC),
        7,
        1,
        "de",
    )
    assert [(one.kind, one.text) for one in post.media] == [("image", "Anzeige: kein Netz")]
    assert (reply.title, reply.text) == ("Ärger mit NordNetz", "Still waiting for a technician.\n\nbleiben\n\nkündigen")
    assert (reply.parent, reply.parent_author, reply.quotes_removed) == (
        "p113400000000000004",
        "nordnetz@markt.example",
        1,
    )


def test_shares_and_posts_to_followers_are_no_posts_of_ours():
    assert [item.id for item in parsed("mastodon_tag.json").items] == ["p113400000000000012", "p113400000000000010"]


def test_one_post_seen_through_two_servers_is_one_mention():
    def seen(server: str, number: str) -> str:
        rows = json.loads(read("mastodon_tag.json"))[:1]
        rows[0]["id"] = number
        site = Source(MastodonSpider, f"https://{server}", options={"tags": ["nordnetz"]})
        [item] = site.visit(lambda url: json.dumps(rows).encode()).items
        return uid_of(item.origin, item.native_id)

    assert seen("markt.example", "5000001") == seen("anders.example", "7000009")
    assert seen("markt.example", "5000001") == uid_of("wolke.example", "/ p113400000000000001")


def test_the_names_of_a_mastodon_post():
    for url in (
        "https://wolke.example/@juergen/113400000000000001",
        "https://wolke.example/users/juergen/statuses/113400000000000001",
        "https://wolke.example/ap/users/44/statuses/113400000000000001",
    ):
        assert native_id(url) == "/ p113400000000000001"
    assert native_id("https://medium.example/@juergen/ein-titel-0a1b") is None


@pytest.mark.parametrize("url", ["https://[/@juergen", "https://[]/@juergen", "https://127.0.0.1/@juergen"])
def test_a_mastodon_author_without_a_public_server_keeps_the_short_name(url):
    body = json.loads(read("mastodon_tag.json"))[:1]
    body[0]["account"] |= {"acct": "juergen", "url": url}
    [post] = ALL["mastodon"].parser(page(json.dumps(body), "https://markt.example/api/v1/x")).items
    assert post.author == "juergen"


def test_a_bluesky_post_in_whole():
    post, reply = parsed("bluesky_search.json").items
    assert (post.author, post.author_id) == ("anna.example.social", "did:plc:anna0001")
    assert post.url == "https://bsky.app/profile/did:plc:anna0001/post/3kaaa222"
    assert native_id(post.url) == "/ pdid:plc:anna0001/3kaaa222"
    assert post.text == (
        "Die Hotline von NordNetz ist seit Tagen tot. Mehr: https://blog.example/stoerung-in-koeln\n\nIch kündige!"
    )
    assert ([one.text for one in post.media], post.votes) == (["Warteschleife seit 40 Minuten"], 12)
    assert (reply.parent, reply.thread) == ("pdid:plc:anna0001/3k998", "pdid:plc:carl0003/3k999")
    assert reply.parent_author == "anna.example.social"


def test_bluesky_shares_are_left_out_and_threads_are_read_to_their_ends():
    assert [item.text for item in parsed("bluesky_feed.json").items] == ["Eigener Beitrag"]
    deep: dict = {"post": json.loads(read("bluesky_thread.json"))["thread"]["post"]}
    for _ in range(300):
        deep = {"post": deep["post"], "replies": [deep]}
    assert len(BlueskySpider.parser(page(json.dumps({"thread": deep}))).items) == 301


def test_a_reddit_post_and_its_comments():
    post, gone = parsed("reddit_new.json").items
    assert (post.title, post.text) == (
        "NordNetz: seit Tagen Ausfälle in Köln",
        "Hat das noch jemand?\n\nSo sagt es die Hotline.",
    )
    assert (post.quotes_removed, post.votes, post.author_id, gone.deleted, gone.author) == (1, 14, "t2_k1", True, None)
    thread = parsed("reddit_thread.json")
    assert [(item.id, item.parent, item.kind) for item in thread.items[1:]] == [
        ("t1_k2x", "t3_1aaab", Kind.COMMENT),
        ("t1_k3y", "t1_k2x", Kind.COMMENT),
    ]
    assert native_id(thread.items[2].url) == "/ t1_k3y"


def test_youtube_comments_with_answers_and_films():
    top, answer, other = parsed("youtube_threads.json").items
    assert (top.text, top.author, top.author_id, top.votes) == (
        "Die Werbung ist schön, das Netz nicht.",
        "@BerndKöln",
        "UCbernd",
        21,
    )
    assert (answer.text, answer.parent) == ("Das tut uns leid & wir helfen.", "pUgxAAAAAAAAAAAAAAAA4AaABAg")
    assert native_id(other.url) == "/ pUgyBBBBBBBBBBBBBBBB4AaABAg"
    [film] = parsed("youtube_search.json").items
    assert (film.title, film.author, film.teaser) == ('NordNetz "Glasfaser" im Test', "Netzprüfer", True)


def test_x_posts_with_long_texts_links_and_pictures():
    reply, long = parsed("x_search.json").items
    assert reply.text == "@nordnetz Seit Montag nichts. Preis & Leistung? https://blog.example/test"
    assert (reply.author, reply.author_id, reply.parent_author, reply.views) == ("uwe_k", "11", "nordnetz", 900)
    assert [one.text for one in reply.media] == ["Störungskarte"]
    assert (long.text, native_id(long.url)) == (
        "A long text about NordNetz that goes on.",
        "/ p1991968000000000001",
    )


def test_facebook_hides_authors_and_its_token_stays_out_of_links():
    feed = parsed("facebook_feed.json", "https://graph.facebook.com/v23.0/100000000000001/feed")
    assert [item.author for item in feed.items] == ["NordNetz"]
    assert feed.links.next == ("https://graph.facebook.com/v23.0/100000000000001/feed?limit=50&after=b",)
    one, two = parsed("facebook_comments.json").items
    assert (one.author, one.text, one.votes, one.kind) == (None, "Und wann geht das Netz wieder?", 5, Kind.COMMENT)
    assert (two.parent, native_id(one.url), native_id(two.url)) == (
        "p30000000000000000",
        "/ p30000000000000002",
        "/ p30000000000000001",
    )


def test_hacker_news():
    comment, story = parsed("hackernews_search.json").items
    assert (comment.text, comment.parent) == (
        "NordNetz broke it again & again.\n\nSecond paragraph.",
        "/item?id=42000001",
    )
    assert (story.title, story.votes, story.kind) == ("Fibre in Germany", 120, Kind.POST)


REFUSALS = [
    ("mastodon", {"error": "This method requires an authenticated user"}, 422, Answer.GATED, "token"),
    ("mastodon", {"error": "Too many requests"}, 429, Answer.RATE_LIMITED, "slow down"),
    ("mastodon", {"error": "Record not found"}, 404, Answer.ERROR, "Record not found"),
    ("bluesky", {"error": "AuthMissing", "message": "Authentication Required"}, 200, Answer.GATED, "app password"),
    ("bluesky", {"error": "RateLimitExceeded", "message": "x"}, 429, Answer.RATE_LIMITED, "slow down"),
    ("reddit", {"message": "Unauthorized", "error": 401}, 401, Answer.GATED, "client_id"),
    ("reddit", {"message": "Too Many Requests", "error": 429}, 429, Answer.RATE_LIMITED, "slow down"),
    ("youtube", {"error": {"code": 403, "errors": [{"reason": "quotaExceeded"}]}}, 403, Answer.RATE_LIMITED, "Pacific"),
    ("youtube", {"error": {"code": 400, "message": "API key not valid."}}, 400, Answer.GATED, "check the key"),
    ("x", {"title": "Unauthorized", "status": 401, "detail": "Unauthorized"}, 401, Answer.GATED, "token"),
    ("x", {"title": "UsageCapExceeded", "detail": "Usage cap exceeded"}, 429, Answer.RATE_LIMITED, "no more posts"),
    ("facebook", {"error": {"code": 190, "type": "OAuthException", "message": "expired"}}, 400, Answer.GATED, "token"),
    ("facebook", {"error": {"code": 32, "message": "Page request limit"}}, 403, Answer.RATE_LIMITED, "slow down"),
]


@pytest.mark.parametrize(("name", "body", "status", "state", "said"), REFUSALS)
def test_a_refusal_is_said_in_the_interfaces_own_words(name, body, status, state, said):
    found = ALL[name].parser(page(json.dumps(body), status=status))
    assert (found.state, found.items) == (state, ())
    assert said in found.reason


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(
    ("body", "states"),
    [
        (b"", {Answer.ERROR}),
        (b"<html><title>Login</title></html>", {Answer.ERROR}),
        (b'{"a": ', {Answer.ERROR}),
        (b"[" * 200_000, {Answer.ERROR}),
        (b"7", {Answer.LAYOUT_CHANGED}),
        (b'{"x": [1, null, {"y": "\xff\xfe"}]}', {Answer.LAYOUT_CHANGED}),
        (b"\xff\xfe\x00", {Answer.ERROR}),
    ],
)
def test_what_is_no_answer_of_the_interface_is_told_with_a_reason(name, body, states):
    found = ALL[name].parser(page(body))
    assert (found.state in states, bool(found.reason), found.items) == (True, True, ())


@pytest.mark.parametrize("name", FILES)
def test_each_answer_is_known_for_what_it_is(name):
    if name not in ("youtube_spent.json", "mastodon_gated.json"):
        assert detect(page(read(name)))[0] == name.split("_")[0]


def _changed(value, path=()):
    """Every answer with one value in it turned into another kind."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in list(inner):
        yield from _changed(one, (*path, key))
        for other in (None, 7, "x", [], {}, [[]], {"a": {}}, True, -1.5, 10**30):
            yield (*path, key), other


@pytest.mark.parametrize("name", [name for name in FILES if "jetstream" not in name])
def test_no_change_of_shape_raises(name):
    for path, other in _changed(json.loads(read(name))):
        answer = json.loads(read(name))
        place = answer
        for part in path[:-1]:
            place = place[part]
        place[path[-1]] = other
        ALL[name.split("_")[0]].parser(page(json.dumps(answer)))


def test_entries_without_author_or_time_are_a_changed_layout_and_kept():
    rows = [{"id": str(n), "url": f"https://a.example/@b/{n}00000", "content": "x", "account": {}} for n in range(5)]
    found = MastodonSpider.parser(page(json.dumps(rows)))
    assert (found.state, len(found.items)) == (Answer.LAYOUT_CHANGED, 5)


# --- walks -----------------------------------------------------------------------------------------------------


def statuses(*numbers: int, text: str = "Text") -> bytes:
    def one(number: int) -> dict:
        at = NOW - timedelta(minutes=1000 - number)
        return {
            "id": str(10**17 + number),
            "url": f"https://a.example/@b/{10**17 + number}",
            "created_at": at.isoformat(),
            "visibility": "public",
            "content": f"<p>{text} {number}</p>",
            "account": {"id": "1", "acct": "b", "url": "https://a.example/@b"},
        }

    return json.dumps([one(number) for number in sorted(numbers, reverse=True)]).encode()


def test_a_hashtag_is_asked_since_a_little_before_what_is_known():
    tag = Source(MastodonSpider, "https://a.example", options={"tags": ["#Köln"]})
    first = tag.visit(lambda url: statuses(*range(1, 31)))
    assert (len(first.items), first.complete) == (30, True)
    assert first.asked == ["https://a.example/api/v1/timelines/tag/K%C3%B6ln?limit=40"]
    second = tag.visit(lambda url: statuses(*range(12, 33)))
    assert [item.native_id for item in second.items] == [f"/ p{10**17 + 32}", f"/ p{10**17 + 31}"]
    assert query(second.asked[0])["since_id"] == str(10**17 + 10)
    edited = tag.visit(lambda url: statuses(31, 32, text="Neuer Text"))
    assert [item.text for item in edited.items] == ["Neuer Text 32", "Neuer Text 31"]
    assert tag.visit(lambda url: b"[]").complete


def test_an_account_is_looked_up_once():
    answers = {"/api/v1/accounts/lookup": b'{"id": "77"}', "/api/v1/accounts/77/statuses": statuses(1)}
    source = Source(MastodonSpider, "https://a.example", options={"accounts": ["b@a.example"]})
    first = source.visit(lambda url: answers[urlsplit(url).path])
    assert ([urlsplit(url).path for url in first.asked], len(first.items)) == (list(answers), 1)
    second = source.visit(lambda url: answers[urlsplit(url).path])
    assert (len(second.asked), second.items, second.complete) == (1, [], True)


def test_searching_mastodon_without_a_token_is_gated_and_says_so():
    run = Source(MastodonSpider, "https://a.example", options={"queries": ["acme"]}).visit(
        lambda url: b'{"statuses": []}'
    )
    assert (run.complete, run.lost[0].answer) == (False, Answer.GATED)
    assert "token" in run.lost[0].reason


def test_bluesky_signs_in_and_reads_what_was_answered():
    def site(url: str) -> bytes:
        if url.endswith("createSession"):
            return b'{"accessJwt": "ein.geheimes.token", "did": "did:plc:me"}'
        if "getPostThread" in url:
            return read("bluesky_thread.json")
        return read("bluesky_search.json").replace(b'"cursor": "25", ', b"")

    options = {"queries": ["NordNetz"], "account": "wir.example"}
    source = Source(BlueskySpider, "https://pds.example", options=options)
    run = source.visit(site)
    assert [urlsplit(url).path.rpartition(".")[2] for url in run.asked] == [
        "createSession",
        "searchPosts",
        "getPostThread",
    ]
    assert [(item.native_id, item.opens_thread) for item in run.items] == [
        ("/ pdid:plc:anna0001/3kaaa222", True),
        ("/ pdid:plc:bert0002/3kaaa111", False),
        ("/ pdid:plc:dora0004/3kbbb", False),
    ]
    assert run.items[2].thread == "/ pdid:plc:anna0001/3kaaa222" == run.items[2].parent
    assert {item.origin for item in run.items} == {"bsky.app"}
    again = source.visit(site)
    assert (again.items, again.complete, len(again.asked)) == ([], True, 2)


def test_signing_in_that_gives_no_token_is_gated():
    options = {"queries": ["NordNetz"], "account": "wir.example"}
    run = Source(BlueskySpider, "https://pds.example", options=options).visit(lambda url: b'{"error": "x"}')
    assert (run.complete, run.lost[0].answer, run.lost[0].reason) == (
        False,
        Answer.GATED,
        "signing in gave no token",
    )


def test_reddit_reads_a_place_its_comments_and_the_threads_that_a_search_finds():
    def site(url: str) -> bytes:
        path = urlsplit(url).path
        if path.endswith("access_token"):
            return b'{"access_token": "t", "expires_in": 3600}'
        if path.startswith("/comments/"):
            return read("reddit_thread.json")
        empty = b'{"kind": "Listing", "data": {"children": [], "after": null}}'
        return read("reddit_new.json") if path == "/search" and "after" not in url else empty

    options = {"queries": ["nordnetz"], "client_id": "app"}
    source = Source(RedditSpider, "https://oauth.reddit.com", options=options)
    run = source.visit(site)
    assert [item.native_id for item in run.items] == ["/ t3_1aaab", "/ t3_1aaaa", "/ t1_k2x", "/ t1_k3y"]
    assert (run.items[2].thread, run.items[2].thread_title) == ("/ t3_1aaab", "NordNetz: seit Tagen Ausfälle in Köln")
    assert (run.items[3].parent, run.complete) == ("/ t1_k2x", True)
    assert source.visit(site).items == []


def test_youtube_reads_pages_and_the_answers_that_are_not_shown():
    replies = json.loads(read("youtube_threads.json"))["items"][0]["replies"]["comments"]
    for name in ("9bbbb", "9cccc"):
        replies.append(json.loads(json.dumps(replies[0]).replace("9aaaa", name)))

    def site(url: str) -> bytes:
        if "/comments?" in url:
            return json.dumps({"kind": "youtube#commentListResponse", "items": replies}).encode()
        return read("youtube_threads.json") if "pageToken" not in url else b'{"items": []}'

    source = Source(YoutubeSpider, "https://www.googleapis.com/youtube/v3", options={"videos": ["Film0000001"]})
    run = source.visit(site)
    assert sorted(item.native_id.rpartition(".")[2] for item in run.items if "." in item.native_id) == [
        "9aaaa",
        "9aaaa",
        "9bbbb",
        "9cccc",
    ]
    assert (run.visit.spent, run.visit.quota) == (3, ("youtube", datetime(2026, 11, 21, 8, tzinfo=UTC), 10_000))
    assert "streng-geheim" not in " ".join(run.asked)
    assert source.visit(site).items == []


def test_a_film_that_is_gone_is_read_and_one_we_are_kept_from_or_a_spent_quota_is_not():
    source = Source(YoutubeSpider, "https://g.example", options={"videos": ["Film0000001"]})
    assert source.visit(lambda url: 404).complete
    for status in (401, 403):
        assert not source.visit(lambda url, status=status: status).complete
    searching = {"queries": ["nordnetz"], "quota": 99}
    run = Source(YoutubeSpider, "https://g.example", options=searching).visit(lambda url: b'{"items": []}')
    assert (run.complete, run.lost[0].answer, run.asked) == (False, Answer.RATE_LIMITED, [])
    assert run.lost[0].reason == "the quota of 99 is spent until 2026-11-22T08:00+00:00"


def test_films_that_a_search_found_are_watched_and_searches_are_rare():
    def site(url: str) -> bytes:
        return read("youtube_search.json") if "/search?" in url else b'{"items": []}'

    source = Source(YoutubeSpider, "https://g.example", options={"queries": ["nordnetz"]})
    assert source.visit(site).visit.spent == 100
    second = source.visit(site)
    assert [query(url).get("videoId") for url in second.asked] == ["Film0000002"]
    source.now += timedelta(hours=12)
    third = source.visit(site)
    assert (len(third.asked), third.items) == (2, [])


def x_site(total: int, body: bytes):
    return lambda url: json.dumps({"meta": {"total_tweet_count": total}}).encode() if "/counts/" in url else body


def test_x_counts_first_reads_since_the_newest_and_pays_by_the_post():
    source = Source(XSpider, "https://api.x.com/2", options={"queries": ["nordnetz"]})
    body = read("x_search.json").replace(b"199196800000000000", str(_x_id(NOW)).encode()[:-1])
    run = source.visit(x_site(3, body))
    assert (len(run.items), run.visit.spent, run.complete) == (2, 3, True)
    assert query(run.asked[0])["start_time"] == "2026-11-15T07:05:00Z"
    nothing = source.visit(x_site(0, b"{}"))
    assert (len(nothing.asked), nothing.visit.spent, nothing.complete) == (1, 0, True)
    assert query(nothing.asked[0])["since_id"] == str(_x_id(NOW))[:-1] + "3"
    source.now += timedelta(days=9)
    late = source.visit(x_site(0, b"{}"))
    [(start, end, reason)] = late.visit.holes
    assert (end, reason) == (late_start(source), "recent search reaches back seven days only")
    assert abs(start - NOW) < timedelta(seconds=1)


def late_start(source: Source) -> datetime:
    return source.now - timedelta(minutes=30) - timedelta(days=7) + timedelta(minutes=5)


def _x_id(at: datetime) -> int:
    return (round(at.timestamp() * 1000) - 1_288_834_974_657) << 22


def test_x_stops_at_the_cap_of_the_month_and_says_what_goes_unread():
    options = {"queries": ["nordnetz"], "posts_per_month": 12}
    source = Source(XSpider, "https://api.x.com/2", options=options)
    run = source.visit(
        x_site(500, read("x_search.json").replace(b'"result_count"', b'"next_token": "n", "result_count"'))
    )
    assert (run.complete, run.lost[0].answer) == (False, Answer.RATE_LIMITED)
    assert run.lost[0].reason == "the quota of 12 is spent until 2026-12-01T00:00+00:00"
    assert query(run.asked[1])["max_results"] == "12"
    assert len(run.asked) == 2


def test_facebook_reads_comments_again_only_where_there_are_more():
    def site(url: str) -> bytes:
        body = read("facebook_comments.json" if "/comments?" in url else "facebook_feed.json")
        return b'{"data": []}' if "after=b" in url else body

    source = Source(FacebookSpider, "https://graph.facebook.com/v23.0/100000000000001")
    run = source.visit(site)
    assert [item.native_id for item in run.items] == [
        "/ p20000000000000001",
        "/ p30000000000000002",
        "/ p30000000000000001",
    ]
    assert {item.thread for item in run.items} == {"/ p20000000000000001"}
    assert "geheim123" not in " ".join(run.asked)
    again = source.visit(site)
    assert ([urlsplit(url).path.rpartition("/")[2] for url in again.asked], again.items) == (["feed"], [])


class Page:
    """A page on Facebook with some posts, each with comments on pages of two."""

    def __init__(self, posts: int, comments: int) -> None:
        self.posts, self.comments = posts, comments

    def __call__(self, url: str) -> bytes:
        path, asked = urlsplit(url).path, query(url)
        if path.endswith("/feed"):
            rows = [self._row(f"1_{number}", comments=self.comments) for number in range(self.posts, 0, -1)]
            return json.dumps({"data": rows}).encode()
        post = path.rpartition("/")[0].rpartition("_")[2]
        last = self.comments - int(asked.get("after", 0))
        rows = [self._row(f"{post}_{post}0{number}") for number in range(last, max(last - 2, 0), -1)]
        more = f"https://graph.example{path}?after={self.comments - last + 2}" if last > 2 else None
        return json.dumps({"data": rows, "paging": {"next": more} if more else {}}).encode()

    @staticmethod
    def _row(name: str, comments: int = 0) -> dict:
        at = NOW - timedelta(minutes=10_000 - int(name.rpartition("_")[2]))
        told = {"id": name, "message": f"Text {name}", "created_time": at.isoformat()}
        link = f"https://www.facebook.com/1/posts/{name.rpartition('_')[2]}/"
        return told | {"permalink_url": link, "comments": {"summary": {"total_count": comments}}}


def test_answers_that_a_visit_had_no_pages_left_for_are_read_by_the_next_ones():
    source = Source(FacebookSpider, "https://graph.example/v23.0/1", max_pages=3)
    site = Page(posts=3, comments=5)
    first = source.visit(site)
    assert (first.complete, first.visit.behind, len(first.asked)) == (False, True, 3)
    assert first.visit.reason == "the limit of pages per visit was reached; the next visit goes on"
    seen, runs = [item.native_id for item in first.items], [first]
    site.posts = 9  # what is new pushes the posts that are owed off the part of the list that is read
    while not runs[-1].complete:
        assert len(runs) < 30
        runs.append(source.visit(site))
        seen += [item.native_id for item in runs[-1].items]
    comments = {f"/ p{post}0{number}" for post in range(1, 10) for number in range(1, 6)}
    assert comments | {f"/ p{post}" for post in range(1, 10)} == set(seen)
    assert len(seen) == len(set(seen))
    assert (source.visit(site).items, "owed" in source.cursor) == ([], False)


def test_answers_that_could_not_be_had_are_not_forgotten_by_a_visit_that_was_cut():
    source = Source(FacebookSpider, "https://graph.example/v23.0/1", max_pages=2)
    site = Page(posts=2, comments=1)
    broken = source.visit(lambda url: 500 if "/comments" in url else site(url))
    assert (broken.visit.behind, len(broken.lost)) == (True, 1)
    site.posts = 3
    later = [item.native_id for _ in range(4) for item in source.visit(site).items]
    assert sorted(later) == ["/ p101", "/ p201", "/ p3", "/ p301"]


def test_a_spent_quota_leaves_answers_for_when_it_begins_anew():
    source = Source(FacebookSpider, "https://graph.example/v23.0/1", options={"quota": 3})
    first = source.visit(Page(posts=2, comments=3))
    assert (first.complete, first.lost, len(first.asked)) == (False, [], 3)
    assert first.visit.reason.startswith("the quota of 3 is spent until")


def test_answers_given_up_for_good_are_said(monkeypatch):
    monkeypatch.setattr("crawlers.network.MOST_OWED", 4)
    source = Source(FacebookSpider, "https://graph.example/v23.0/1", max_pages=1)
    run = source.visit(Page(posts=7, comments=1))
    assert run.visit.reason == "answers to 3 posts go unread: too many wait for a visit"
    assert [one["row"]["id"] for one in source.cursor["owed"]] == ["p4", "p3", "p2", "p1"]


def test_hacker_news_walks_pages_and_stops_at_what_is_known():
    source = Source(HackernewsSpider, "https://hn.example/api/v1", options={"queries": ["nordnetz"]})
    site = lambda url: b'{"hits": [], "page": 1, "nbPages": 2}' if "&page=1" in url else read("hackernews_search.json")  # noqa: E731
    run = source.visit(site)
    assert [item.native_id for item in run.items] == ["/item?id=42000002", "/item?id=42000001"]
    assert (len(run.asked), run.items[0].thread_title) == (2, "Fibre in Germany")
    assert (len(source.visit(site).asked), source.visit(site).items) == (1, [])


# --- quota periods ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "period", "zone", "start", "end"),
    [
        ("2026-11-22T07:00", timedelta(days=1), "UTC", "2026-11-22T00:00", "2026-11-23T00:00"),
        ("2026-11-22T07:00", timedelta(days=1), "America/Los_Angeles", "2026-11-21T08:00", "2026-11-22T08:00"),
        ("2026-11-01T08:30", timedelta(days=1), "America/Los_Angeles", "2026-11-01T07:00", "2026-11-02T08:00"),
        ("2026-03-08T20:00", timedelta(days=1), "America/Los_Angeles", "2026-03-08T08:00", "2026-03-09T07:00"),
        ("2026-12-31T23:59", "month", "UTC", "2026-12-01T00:00", "2027-01-01T00:00"),
        ("2026-01-31T10:00", "month", "Europe/Berlin", "2025-12-31T23:00", "2026-01-31T23:00"),
        ("2026-11-22T07:42", timedelta(hours=1), "UTC", "2026-11-22T07:00", "2026-11-22T08:00"),
        ("2026-11-22T07:42", timedelta(minutes=5), "UTC", "2026-11-22T07:40", "2026-11-22T07:45"),
    ],
)
def test_a_quota_begins_at_midnight_of_its_place(now, period, zone, start, end):
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    found = [at.strftime("%Y-%m-%dT%H:%M") for at in quota_span(moment, period, zone)]
    assert found == [start, end]
