"""Review portals with interfaces: what their answers say, and incremental visits that keep keys to themselves."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from faults import Reply, broken_utf8, captcha, changed_layout, faulty, json_reply, slow, too_many, unauthorised
from rehearsal import NOW, Source, page

from crawlers.api import ApiSpider
from crawlers.parse import detect
from crawlers.registry import spiders
from crawlers.spiders import etrusted, trustpilot
from crawlers.spiders.appstore import AppstoreSpider
from crawlers.spiders.etrusted import EtrustedSpider
from crawlers.spiders.googleplay import GoogleplaySpider
from crawlers.tokens import service_assertion
from pipeline.words import Answer, Kind

PAGES = Path(__file__).parent / "pages"
ALL = spiders()
FEED = "https://itunes.apple.com/de/rss/customerreviews/page=1/id=42/sortBy=mostRecent/json"


def parsed(file: str, url: str = "https://api.example/reviews"):
    return ALL[file.partition("_")[0]].parser(page((PAGES / file).read_bytes(), url))


@pytest.mark.parametrize(
    "file",
    [
        "trustpilot_api.json",
        "trustpilot_page.html",
        "trustpilot_gated.html",
        "appstore_feed.json",
        "appstore_feed.xml",
        "etrusted_list.json",
        "googlebusiness_list.json",
        "googleplay_list.json",
    ],
)
def test_each_answer_is_known_for_what_it_is(file):
    feed = FEED if file.startswith("appstore") else "https://api.example/reviews"
    body = (PAGES / file).read_bytes()
    assert detect(page(body, feed))[0] == file.partition("_")[0]


def test_trustpilot_by_its_interface():
    url = "https://api.trustpilot.com/v1/business-units/1/reviews?perPage=2&orderBy=createdat.desc"
    found = parsed("trustpilot_api.json", url)
    bad, answer, good = found.items
    assert (found.state, found.links.next) == (Answer.OK, (f"{url}&page=2",))
    assert (bad.author, bad.author_id, bad.title, bad.votes, bad.verified) == (
        "Jörg Müller",
        "c-17",
        "Nie wieder",
        4,
        True,
    )
    assert bad.text == "Drei Wochen gewartet.\n\nNiemand ruft zurück."
    assert bad.url == "https://www.trustpilot.com/reviews/65a1f0c2b7d9e4a3c1f00001"
    assert (bad.rating, bad.rating_raw, bad.rating_scale) == (0.0, "1", "1-5")
    assert bad.published.at == datetime(2026, 11, 20, 9, 40, tzinfo=UTC)
    assert (answer.kind, answer.parent, answer.author, answer.text) == (
        Kind.REPLY,
        bad.id,
        "Muster GmbH",
        "Das tut uns leid.",
    )
    assert (good.text, good.rating, good.verified) == ("Works & ships fast.", 1.0, False)


def test_a_page_and_the_interface_of_trustpilot_name_a_review_alike():
    on_page = parsed("trustpilot_page.html", "https://de.trustpilot.com/review/muster.example?page=2")
    bad, answer = on_page.items
    assert (bad.id, bad.url) == (parsed("trustpilot_api.json").items[0].id, parsed("trustpilot_api.json").items[0].url)
    assert (bad.rating, bad.votes, bad.verified, answer.author) == (0.25, 3, True, "Muster GmbH")
    assert on_page.links.next == ("https://de.trustpilot.com/review/muster.example?page=3",)


def test_trustpilots_walls_are_told_apart():
    assert parsed("trustpilot_gated.html").state is Answer.GATED
    waf = b"<html><head><title>Verifying Connection</title></head><body><p>Please wait.</p></body></html>"
    assert trustpilot.parse(page(waf)).state is Answer.CHALLENGE
    assert trustpilot.parse(page(b'{"reviews":[]}')).state is Answer.EMPTY
    assert trustpilot.parse(page(b'{"reviews":[{"id":"a"},{"id":"b"}]}')).state is Answer.LAYOUT_CHANGED


@pytest.mark.parametrize("file", ["appstore_feed.json", "appstore_feed.xml"])
def test_app_store(file):
    found = parsed(file, FEED)
    one = found.items[0]
    assert (one.id, one.author, one.author_id, one.title) == ("review 9001", "Käthe", "id77", "Stürzt ab")
    assert (one.text, one.rating_raw, one.votes) == ("Seit dem Update stürzt sie ab.", "1", 3)
    assert one.published.at == datetime(2026, 11, 21, 12, 12, 33, tzinfo=UTC)
    assert one.url == "https://apps.apple.com/de/app/id42"
    assert found.links.next == (FEED.replace("page=1", "page=2"),)


def test_etrusted():
    found = parsed("etrusted_list.json", "https://api.etrusted.com/reviews?count=2")
    late, answer, good = found.items
    assert found.links.next == ("https://api.etrusted.com/reviews?count=2&after=abc%3D",)
    assert (late.id, late.author, late.rating, late.verified) == ("review rev-1", "Ünal K.", 0.25, True)
    assert (answer.author, answer.parent, answer.text) == ("Muster Shop", "review rev-1", "Wir prüfen das.")
    assert (good.author, good.rating, good.verified) == ("Ann B.", 1.0, None)


def test_google_business():
    found = parsed("googlebusiness_list.json", "https://api.example/reviews?pageSize=50")
    rude, answer, stars_only = found.items
    assert found.links.next == ("https://api.example/reviews?pageSize=50&pageToken=next-1",)
    assert (rude.text, rude.rating, rude.author) == ("Unfreundliches Personal.", 0.0, "Jürgen")
    assert (answer.kind, answer.text) == (Kind.REPLY, "Bitte melden Sie sich.")
    assert (stars_only.text, stars_only.rating, stars_only.author) == ("", 0.75, None)


def test_google_play():
    found = parsed("googleplay_list.json")
    bad, answer, good = found.items
    assert (bad.title, bad.text, bad.votes) == ("Nichts geht", "Seit heute kein Anruf möglich.", 7)
    assert bad.published.at == datetime.fromtimestamp(1795513200, UTC)
    assert (answer.text, good.title, good.text) == ("Das ist behoben.", "", "Nice app")
    assert found.links.next == ("https://api.example/reviews?token=t2",)


def test_proven_expert():
    bad, answer = parsed("provenexpert_ratings.json").items
    assert (bad.rating, bad.rating_raw, bad.author, bad.text) == (0.375, "2.5", "Özge", "Für den Preis zu wenig.")
    assert (answer.parent, answer.text) == ("review r1", "Danke für die Kritik.")
    refused = ALL["provenexpert"].parser(page(b'{"status":"error","errors":["wrong credentials"]}'))
    assert (refused.state, refused.reason) == (Answer.GATED, "the interface refuses: wrong credentials")


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"reviews":7}', b'{"items":[1,null]}', b"[" * 100_000, b'"x"', b"7"]
)
@pytest.mark.parametrize("name", ["trustpilot", "appstore", "etrusted", "googlebusiness", "googleplay", "provenexpert"])
def test_no_answer_breaks_a_parser(name, body):
    assert ALL[name].parser(page(body)).state is not Answer.OK


# --- messages -----------------------------------------------------------------------------------------------------


def test_messages_of_trustpilot():
    review = json.loads((PAGES / "trustpilot_api.json").read_text("utf-8"))["reviews"][0]
    events = [{"eventName": "service-review-created", "version": 1, "eventData": review}]
    bad, answer = trustpilot.items_of_webhook(json.dumps({"events": events}).encode())
    assert (bad.id, bad.rating, answer.kind) == (f"/reviews/{review['id']}", 0.0, Kind.REPLY)
    gone = {"events": [{"eventName": "service-review-deleted", "eventData": {"id": "x1"}}]}
    assert [one.deleted for one in trustpilot.items_of_webhook(json.dumps(gone).encode())] == [True]
    assert trustpilot.items_of_webhook(b"no json") == ()


def test_messages_of_etrusted():
    review = json.loads((PAGES / "etrusted_list.json").read_text("utf-8"))["items"][1]
    [one] = etrusted.items_of_webhook(json.dumps({"event": "review.approved", "review": review}).encode())
    assert (one.id, one.text, one.deleted) == ("review rev-2", "Good shop.", False)


@pytest.mark.parametrize("portal", [trustpilot, etrusted])
def test_a_signature_is_that_of_this_body_and_secret(portal):
    (spider,) = [cls for cls in vars(portal).values() if isinstance(cls, type) and getattr(cls, "webhook", None)]
    genuine = spider.webhook.signature_for(None).fits
    made = hmac.new(b"geheim", b"{}", hashlib.sha256).hexdigest()
    assert genuine("geheim", {"x-signature": made}, b"{}")
    assert genuine("geheim", {"x-signature": f"sha256={made}"}, b"{}")
    assert not genuine("geheim", {"x-signature": made}, b"{ }")
    assert not genuine("anders", {"x-signature": made}, b"{}")
    assert not genuine("", {"x-signature": hmac.new(b"", b"{}", hashlib.sha256).hexdigest()}, b"{}")
    assert not genuine("geheim", {"x-signature": "ü"}, b"{}")
    assert not genuine("geheim", {}, b"{}")


def test_an_operator_says_how_a_portal_signs_or_that_it_does_not():
    def fits(headers: dict[str, str], **over: str) -> bool:
        options = ALL["trustpilot"].Options(**over)
        return trustpilot.TrustpilotSpider.webhook.signature_for(options).fits("geheim", headers, b"{}")

    by_512 = base64.b64encode(hmac.digest(b"geheim", b"{}", "sha512")).decode()
    other = {"hook_header": "X-Hash", "hook_algorithm": "sha512", "hook_encoding": "base64"}
    assert fits({"x-hash": by_512}, **other) and fits({"x-hash": f"sha512={by_512}"}, **other)
    assert not fits({"x-hash": by_512.lower()}, **other)
    assert not fits({"x-signature": by_512}, **other)
    assert not fits({"x-hash": by_512})
    unsigned = {"hook_header": "Authorization", "hook_algorithm": "none"}
    basic = base64.b64encode(b"wer:geheim").decode()
    assert all(fits({"authorization": said}, **unsigned) for said in ("geheim", "Bearer geheim", f"Basic {basic}"))
    for wrong in ("", "Bearer", "Basic", "Basic ä", f"Basic {basic[:-4]}", "geheim2", basic):
        assert not fits({"authorization": wrong}, **unsigned)
    assert not fits({}, **unsigned)
    with pytest.raises(ValueError, match="hook_algorithm"):
        fits({}, hook_algorithm="md5")


# --- visits -------------------------------------------------------------------------------------------------------


def trust_list(*numbers: int, text: str = "Müde Bewertung") -> str:
    reviews = [
        {
            "id": f"{number:024x}",
            "consumer": {"displayName": f"P{number}"},
            "stars": 2,
            "title": "",
            "text": f"{text} {number}",
            "createdAt": (NOW - timedelta(hours=100 - number)).isoformat(),
        }
        for number in numbers
    ]
    return json.dumps({"reviews": reviews})


PATH = "/v1/business-units/b1/reviews"


@pytest.fixture
def portal(world, monkeypatch):
    """A world whose source is Trustpilot's interface on a server that may go wrong."""
    monkeypatch.setenv("STURMWARTE_TRUSTPILOT_KEY", "schluessel-1")
    with faulty() as server:
        world.spiders = ALL
        world.sources = {"tp": {"spider": "trustpilot", "url": server.url + PATH, "backfill": "9999d"}}
        world.faulty = server
        yield world


def test_new_and_changed_reviews_are_read_and_known_ones_are_not(portal):
    portal.faulty.put(PATH, json_reply(trust_list(2, 1)))
    assert portal.visit("tp").items == 2
    portal.faulty.put(PATH, json_reply(trust_list(3, 2, 1)))
    portal.clock.advance(hours=1)
    assert portal.visit("tp").items == 1
    portal.faulty.put(PATH, json_reply(trust_list(3, 2, 1, text="Geändert")))
    portal.clock.advance(hours=1)
    report = portal.visit("tp")
    assert (report.items, report.complete) == (3, True)
    assert [seen.headers["apikey"] for seen in portal.faulty.seen] == ["schluessel-1"] * 3


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        (unauthorised(), Answer.GATED),
        (too_many(), Answer.RATE_LIMITED),
        (captcha(), Answer.CHALLENGE),
        (changed_layout(), Answer.LAYOUT_CHANGED),
    ],
)
def test_a_bad_day_is_named_and_loses_nothing(portal, reply, answer):
    portal.faulty.put(PATH, json_reply(trust_list(1)))
    portal.visit("tp")
    before = portal.row("tp").cursor
    portal.faulty.put(PATH, reply)
    portal.clock.advance(hours=1)
    report = portal.visit("tp")
    assert (report.answer, report.complete, report.items) == (answer, False, 0)
    assert portal.row("tp").cursor == before


def test_broken_letters_and_slow_bodies_are_read(portal):
    portal.faulty.put(
        PATH, slow(broken_utf8(json_reply(json.dumps(json.loads(trust_list(1)), ensure_ascii=False))), 0.2)
    )
    assert portal.visit("tp").complete
    [item] = portal.pipeline.items.values()
    assert item.text == "M\N{REPLACEMENT CHARACTER}de Bewertung 1"


def test_without_a_key_and_for_pages_nothing_is_asked(portal, monkeypatch):
    portal.sources = {"tp": {"spider": "trustpilot", "url": f"{portal.faulty.url}/review/muster.example"}}
    report = portal.visit("tp")
    assert (report.answer, portal.faulty.seen) == (Answer.GATED, [])
    assert "pages of Trustpilot are not crawled" in report.reason
    monkeypatch.delenv("STURMWARTE_TRUSTPILOT_KEY")
    portal.sources = {"tp": {"spider": "trustpilot", "url": portal.faulty.url + PATH}}
    portal.clock.advance(hours=1)
    assert "STURMWARTE_TRUSTPILOT_KEY" in portal.visit("tp").reason
    assert portal.faulty.seen == []


def test_a_redirect_does_not_carry_the_key_away(portal):
    with faulty({"/": json_reply(trust_list(1))}) as other:
        portal.faulty.answers[PATH] = lambda seen: Reply(b"", 302, {"Location": f"{other.url}/"})
        assert not portal.visit("tp").complete
        assert other.seen == []


def oauth_sources(server) -> dict[str, dict[str, object]]:
    token = {"token_url": f"{server.url}/token"}
    return {
        "etrusted": token | {"client_id": "c1"},
        "googlebusiness": token | {"client_id": "c1"},
        "googleplay": token,
    }


def service_account() -> tuple[str, rsa.RSAPrivateKey]:
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return json.dumps({"client_email": "s@p.example", "private_key": pem}), key


@pytest.mark.parametrize("name", ["etrusted", "googlebusiness", "googleplay"])
def test_a_token_is_bought_used_and_kept_nowhere(world, monkeypatch, name, caplog):
    spider = ALL[name]
    assert issubclass(spider, ApiSpider)
    secret = service_account()[0] if name == "googleplay" else "geheim-77"
    monkeypatch.setenv(spider.key_name, secret)
    body = json.loads((PAGES / f"{name}_list.json").read_text("utf-8"))
    body.pop("paging", None), body.pop("nextPageToken", None), body.pop("tokenPagination", None)
    with faulty({"/token": json_reply('{"access_token":"marke-9","expires_in":300}')}) as server:
        server.put("/reviews", json_reply(json.dumps(body)))
        options = oauth_sources(server)[name]
        world.spiders, world.sources = ALL, {"s": {"spider": name, "url": f"{server.url}/reviews", "backfill": "9999d"}}
        world.sources["s"] |= options
        report = world.visit("s")
        assert (report.complete, report.items) == (True, 3), report
        asked = [(seen.method, seen.path.partition("?")[0]) for seen in server.seen]
        assert asked == [("POST", "/token"), ("GET", "/reviews")]
        assert server.seen[1].headers["authorization"] == "Bearer marke-9"
        server.put("/token", unauthorised())
        world.clock.advance(hours=1)
        assert world.visit("s").answer is Answer.GATED
    kept = b"".join(path.read_bytes() for path in world.folder.rglob("*") if path.is_file())
    assert b"marke-9" not in kept
    assert b"geheim-77" not in kept
    assert "marke-9" not in caplog.text


def test_what_google_play_no_longer_tells_after_a_pause_is_a_hole(monkeypatch):
    monkeypatch.setenv("STURMWARTE_GOOGLE_PLAY_ACCOUNT", service_account()[0])
    answers = lambda url: b'{"access_token":"t"}' if "token" in url else b'{"reviews":[]}'  # noqa: E731
    app = Source(GoogleplaySpider, "https://androidpublisher.googleapis.com/v3/applications/de.acme/reviews")
    assert (app.visit(answers).complete, app.visit(answers).visit.holes) == (True, [])
    read_to = app.watermark
    app.now += timedelta(days=7)
    late = app.visit(answers)
    resumed = read_to + timedelta(minutes=30)
    assert late.visit.holes == [(read_to, resumed, "Google Play tells reviews of seven days only")]
    assert late.complete
    assert app.visit(answers).visit.holes == []


def test_a_token_that_ends_during_a_visit_is_bought_anew(monkeypatch):
    monkeypatch.setenv("STURMWARTE_GOOGLE_PLAY_ACCOUNT", service_account()[0])
    app = Source(GoogleplaySpider, "https://play.example/reviews", backfill=timedelta(days=9999))
    body = (PAGES / "googleplay_list.json").read_bytes()

    def site(url: str) -> bytes:
        if "token=" in url or "oauth" in url:
            return b'{"reviews":[]}' if "token=" in url else b'{"access_token":"t","expires_in":300}'
        app.now += timedelta(minutes=4)
        return body

    run = app.visit(site)
    assert [url.partition("?")[0].rpartition("/")[2] for url in run.asked] == ["token", "reviews", "token", "reviews"]
    assert (run.complete, len(run.items)) == (True, 3)


def test_a_key_that_cannot_be_read_is_said_and_nothing_is_asked(tmp_path):
    run = Source(GoogleplaySpider, "https://play.example/reviews", {"key_file": tmp_path / "fehlt"}).visit(
        lambda _: b""
    )
    assert (run.asked, run.complete, run.lost[0].answer) == ([], False, Answer.GATED)
    assert str(tmp_path / "fehlt") in run.lost[0].reason


def test_a_service_account_signs_what_it_says():
    account, key = service_account()
    said, _, signature = service_assertion(account, "scope", "https://a.example", NOW).rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    key.public_key().verify(raw, said.encode(), padding.PKCS1v15(), SHA256())
    claims = json.loads(base64.urlsafe_b64decode(said.partition(".")[2] + "=="))
    assert (claims["iss"], claims["exp"] - claims["iat"], claims["aud"]) == ("s@p.example", 3600, "https://a.example")
    with pytest.raises(ValueError, match="no key file"):
        service_assertion("{}", "s", "a", NOW)


def test_an_empty_answer_of_apple_keeps_what_was_known():
    shop = Source(AppstoreSpider, FEED)
    body = (PAGES / "appstore_feed.json").read_bytes()
    empty = b'{"feed":{"author":{}}}'
    site = {FEED: body, FEED.replace("page=1", "page=2"): empty}
    first = shop.visit(site.get)
    assert (first.ids, first.complete) == (["review 9001", "review 9000"], True)
    cursor, mark = dict(shop.cursor), shop.watermark
    second = shop.visit(lambda url: empty)
    assert (second.complete, shop.cursor, shop.watermark) == (False, cursor, mark)
    third = shop.visit(site.get)
    assert (third.items, third.complete) == ([], True)


def test_an_app_that_never_showed_a_review_is_not_known_to_have_none():
    run = Source(AppstoreSpider, FEED).visit(lambda url: b'{"feed":{}}')
    assert (run.complete, [lost.answer for lost in run.lost]) == (False, [Answer.EMPTY])


def test_an_app_is_read_in_every_country():
    shop = Source(AppstoreSpider, "https://apps.apple.com/de/app/muster/id42", {"countries": ("de", "at")})
    run = shop.visit(lambda url: (PAGES / "appstore_feed.json").read_bytes() if "page=1" in url else b'{"feed":{}}')
    assert run.asked[:2] == [FEED, FEED.replace("/de/", "/at/")]


def test_etrusted_asks_since_the_last_visit():
    shop = Source(EtrustedSpider, "https://api.etrusted.com/reviews", {"client_id": "c", "key_env": "HOME"})
    answers = lambda url: b'{"access_token":"t"}' if "oauth" in url else b'{"items":[]}'  # noqa: E731
    shop.visit(answers)
    run = shop.visit(answers)
    assert run.complete
    assert "submittedAfter=2026-11-20T07%3A00%3A00Z" in run.asked[-1]
