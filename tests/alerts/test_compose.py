"""The mail as bytes: what it says in both languages, what it must never contain, and that nothing in it is random."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from html.parser import HTMLParser
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.compose import compose, sender
from alerts.facts import Facts, Voice
from alerts.message import MessageKind, Occasion, subject_of
from alerts.outbox import message_id
from alerts.plain import as_html, as_text, clean, strong
from alerts.sample import sample_facts, sample_occasion
from alerts.subjects import subject_line
from alerts.wording import Wording
from pipeline.configuration import Configuration
from pipeline.i18n import Speech

NOW = datetime(2026, 11, 20, 10, 5, tzinfo=UTC)
SETTINGS: dict[str, Any] = {
    "contact": "watch@example.org",
    "public_url": "https://watch.example.org/",
    "brands": {"telekom": {"name": "Telekom"}},
    "sources": {
        "forum-a": {"spider": "phpbb", "url": "https://forum-a.example/", "name": "Forum A"},
        "portal-b": {"spider": "reviews", "url": "https://portal-b.example/", "name": "Portal B"},
        "portal-d": {"spider": "reviews", "url": "https://portal-d.example/", "name": "Portal D"},
    },
    "receivers": {
        "pr": {"address": "pr@example.org", "name": "PR-Dienst"},
        "kern": {"address": "kern@example.org", "name": "M. Kern", "language": "en"},
    },
}
CONFIGURATION = Configuration.model_validate(SETTINGS)


def facts(**over: Any) -> Facts:
    made = sample_facts("telekom", ("forum-a", "portal-b"), NOW)
    why: dict[str, Any] = {
        "rule": "kritik",
        "rule_version": 3,
        "reasons": (("mail.lead", {"n": 2, "persons": "2 Personen", "window": "jetzt", "brand": "<b>X</b>"}),),
        "next_level": (("no.such.key", {"points": 13}),),
    }
    return msgspec.structs.replace(made, **{**why, **over})


def occasion(kind: MessageKind = MessageKind.NEW, **over: Any) -> Occasion:
    base: dict[str, Any] = {
        "subject": subject_of(incident=127),
        "number": 1,
        "kind": kind,
        "at": NOW,
        "brand": "telekom",
        "level": 3,
        "previous_level": 2,
        "incident": 127,
        "facts": facts(),
        "rule": "kritik",
        "rule_version": 3,
        "extra": {"receivers": ["pr", "kern"], "topic": "Hotline"},
    }
    return Occasion(**{**base, **over})


def source_occasion(kind: MessageKind) -> Occasion:
    since = (NOW - timedelta(minutes=35)).isoformat()
    extra = {"source": "portal-d", "since": since, "reason": "gated", "state": "blind"}
    return Occasion(subject=subject_of(source="portal-d"), number=1, kind=kind, at=NOW, extra=extra)


def raw(told: Occasion, receiver: str = "pr", configuration: Configuration = CONFIGURATION, **over: Any) -> bytes:
    given_: dict[str, Any] = {"message_id": "<one@watch.example.org>", "now": NOW, **over}
    return compose(told, receiver, configuration, **given_)


def mail(*args: Any, **over: Any) -> EmailMessage:
    parsed = email.message_from_bytes(raw(*args, **over), policy=email.policy.default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    assert body is not None
    return str(body.get_content())


class Reader(HTMLParser):
    """Words and tags of HTML as a mail program sees them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words, self.tags, self.links, self.images = "", set[str](), list[str](), list[dict[str, str | None]]()
        self._silent = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self._silent += tag in {"style", "title"}
        self.words += " " if tag in {"td", "p", "h1", "div"} else ""
        if tag == "a":
            self.links.append(dict(attrs)["href"] or "")
        if tag == "img":
            self.images.append(dict(attrs))

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in {"style", "title"}

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.words += data


def squeezed(text: str) -> str:
    return re.sub(r"\s+", " ", text)


# --- what it says ---------------------------------------------------------------------------------------------


def test_german_mail_says_the_situation() -> None:
    message = mail(occasion())
    text = squeezed(part(message, "plain"))
    assert message["Subject"] == "[3 ↑] Telekom: 47 Personen (sonst 4-11), Hotline · R-0127"
    for words in (
        "Sturmwarte · Vorgang R-0127 · Fr 20.11.2026, 11:05 Uhr",
        "Stufe 3 von 6, steigend: Telekom, Thema Hotline",
        "■■■□□□",
        "Frische Brise (3 von 6), steigend; Beginn 09:25 Uhr. Noch keine Presse.",
        "47 Personen äußern sich in den letzten 2 Stunden kritisch über Telekom. Üblich um diese Zeit: 4 bis 11.",
        "Das ist das 6,7-Fache des Erwarteten. Das kommt höchstens etwa einmal in 94 Tagen vor.",
        "Das kommt höchstens etwa einmal in 94 Tagen vor.",
        "71 % (61 bis 79), n = 89, sonst 18 %",
        "63 von 89 kritisch, dazu 12 Kopien, nicht mitgezählt",
        "41 von 47 erstmals dabei; die drei aktivsten schrieben 6 von 63 Beiträgen",
        "Forum A 35, Portal B 12",
        "Früheste Stimme, 08:57 Uhr, Forum A",
        "Übernehmen: https://watch.example.org/incidents/R-0127?action=acknowledge",
        "Ausgelöst von Regel „kritik“ (Fassung 3).",
        "Noch niemand hat übernommen. Nächste Meldung, sobald sich die Stufe ändert.",
        "Empfänger: PR-Dienst, M. Kern.",
    ):
        assert words in text


def test_english_mail_says_the_same() -> None:
    message = mail(occasion(MessageKind.UP), "kern")
    text = squeezed(part(message, "plain"))
    assert message["Subject"] == "[3 ↑] Telekom: 47 persons (usually 4-11), Hotline · R-0127"
    for words in (
        "Sturmwarte · Incident R-0127 · Fri 20 Nov 2026, 11:05",
        "Level 3 of 6 (was 2), rising: Telekom, topic Hotline",
        "Fresh breeze (3 of 6), rising; it began at 09:25. No press yet.",
        "47 persons criticised Telekom in the last 2 hours. Usual at this time: 4 to 11.",
        "71% (61 to 79), n = 89, usually 18%",
        "Take over: https://watch.example.org/incidents/R-0127?action=acknowledge",
        "Raised by rule “kritik” (version 3).",
    ):
        assert words in text


@pytest.mark.parametrize("receiver", ["pr", "kern"])
@pytest.mark.parametrize("kind", list(MessageKind))
def test_both_parts_say_the_same_in_the_same_order(kind: MessageKind, receiver: str) -> None:
    told = source_occasion(kind) if kind in {MessageKind.BLIND, MessageKind.SIGHTED} else occasion(kind)
    message = mail(told, receiver)
    html = squeezed(Reader(part(message, "html").partition("<table")[2]).words)
    position, lines = 0, list(lines_of(part(message, "plain")))
    for line in lines:
        found = html.find(line, position)
        assert found >= position, f"{line!r} of the text part is not at its place in the HTML part"
        position = found + len(line)
    assert len(lines) > 6


def lines_of(text: str) -> Iterator[str]:
    """Lines of a text part that HTML must have too: without the ladder, addresses and what stands for the picture."""
    described = False
    for line in text.removesuffix("\n").splitlines():
        words = squeezed(line.strip().strip("*").removeprefix("! ").strip())
        described = bool(words) and (described or words[0] in "▁▂▃▄▅▆▇█")
        if words and not described and "http" not in words and words[0] not in "■□" and words != "--":
            yield words


@pytest.mark.parametrize(
    ("told", "german", "english"),
    [
        (
            occasion(MessageKind.ALL_CLEAR, level=0, extra={"peak": 4, "started": "2026-11-20T05:05:00+00:00"}),
            ("[0 ✓] Telekom: Entwarnung, höchste Stufe war 4 · R-0127", "Dauer: 5 h. Höchste Stufe: 4 (starker Wind)."),
            (
                "[0 ✓] Telekom: all clear, highest level was 4 · R-0127",
                "Duration: 5 h. Highest level: 4 (strong wind).",
            ),
        ),
        (
            occasion(MessageKind.ALL_CLEAR, level=0, extra={"false_alarm": True, "resolved_by": "Kern"}),
            ("[0 ✓] Telekom: als Fehlalarm geschlossen · R-0127", "Der Vorgang wurde von Kern geschlossen."),
            ("[0 ✓] Telekom: closed as a false alarm · R-0127", "The incident was closed by Kern."),
        ),
        (
            source_occasion(MessageKind.BLIND),
            ("[blind] Portal D: seit 35 min keine vollständigen Daten", "Grund Anmeldung verlangt"),
            ("[blind] Portal D: no complete data for 35 min", "Reason sign-in required"),
        ),
        (
            source_occasion(MessageKind.SIGHTED),
            ("[sieht] Portal D: liefert wieder Daten, nach 35 min", "Es ist nichts zu tun."),
            ("[sighted] Portal D: data again after 35 min", "There is nothing to do."),
        ),
        (
            occasion(MessageKind.DOWN, level=2, previous_level=3),
            ("[2 ↓] Telekom: 47 Personen (sonst 4-11), Hotline · R-0127", "Stufe 2 von 6 (zuvor 3)"),
            ("[2 ↓] Telekom: 47 persons (usually 4-11), Hotline · R-0127", "Level 2 of 6 (was 3)"),
        ),
        (
            occasion(
                MessageKind.KEYWORD,
                subject=subject_of(keyword="wort:telekom"),
                incident=None,
                level=None,
                facts=None,
                extra={
                    "query": "Anwalt",
                    "count": 1,
                    "mentions": [{"uid": "ab", "source": "forum-a", "quote": "zum Anwalt"}],
                },
            ),
            ("[Stichwort] Telekom: 1 Treffer für „Anwalt“", "1 neuer Treffer für „Anwalt“."),
            ("[keyword] Telekom: 1 hit for “Anwalt”", "1 new hit for “Anwalt”."),
        ),
        (
            sample_occasion(CONFIGURATION, NOW),
            ("[TEST 3 ↑] Telekom: 47 Personen (sonst 4-11)", "*** TEST: Diese Nachricht prüft den Versand."),
            ("[TEST 3 ↑] Telekom: 47 persons (usually 4-11)", "*** TEST: this message checks the sending."),
        ),
    ],
)
def test_every_kind_in_both_languages(told: Occasion, german: tuple[str, str], english: tuple[str, str]) -> None:
    for receiver, (subject, words) in (("pr", german), ("kern", english)):
        message = mail(told, receiver)
        assert message["Subject"] == subject
        assert words in squeezed(part(message, "plain"))


def test_one_person_is_singular_and_few_have_no_share() -> None:
    few = facts(
        persons=1, posts=1, all_posts=2, share=None, copies=1, first_time=1, top3_posts=1, persons_low=0, persons_high=0
    )
    german, english = mail(occasion(facts=few)), mail(occasion(facts=few), "kern")
    assert german["Subject"] == "[3 ↑] Telekom: 1 Person (sonst 0), Hotline · R-0127"
    assert english["Subject"] == "[3 ↑] Telekom: 1 person (usually 0), Hotline · R-0127"
    text = squeezed(part(german, "plain"))
    assert "1 Person äußert sich in den letzten 2 Stunden kritisch über Telekom." in text
    assert "1 Person; zu wenige Beiträge für einen Anteil" in text
    assert "dazu 1 Kopie" in text
    assert "%" not in text
    assert "%" not in squeezed(Reader(part(german, "html")).words)


def test_blind_sources_stand_above_the_numbers() -> None:
    blind = facts(
        sources_blind=(("portal-d", NOW - timedelta(minutes=35), "gated"),), sources_healthy=14, sources_total=15
    )
    text = squeezed(part(mail(occasion(facts=blind)), "plain"))
    warning = "! Portal D: seit 35 min ohne vollständige Daten (Anmeldung verlangt)."
    assert 0 < text.index(warning) < text.index("Negativ")
    assert "14 von 15 Quellen aktuell" in text


def test_learning_says_so_instead_of_a_range() -> None:
    early = facts(state="learning", persons_low=None, persons_high=None, usual_share=None, return_period_days=None)
    message = mail(occasion(facts=early))
    text = squeezed(part(message, "plain"))
    assert "sonst" not in str(message["Subject"])
    assert "Was üblich ist, steht noch nicht fest." in text
    assert "Lernphase" in text


def test_acknowledged_incidents_ask_nobody_to_take_over() -> None:
    text = part(mail(occasion(MessageKind.UPDATE, extra={"acknowledged_by": "M. Kern"})), "plain")
    assert "Übernommen von M. Kern." in text
    assert "action=acknowledge" not in text


def test_the_demonstration_is_marked() -> None:
    demo = Configuration.model_validate({**SETTINGS, "demo": {"mailbox": "mails.mbox"}})
    assert "Vorführung: Alle Zahlen und Zitate stammen aus einer erfundenen Welt." in squeezed(
        part(mail(occasion(), configuration=demo), "plain")
    )


# --- what it must never be ------------------------------------------------------------------------------------


HOSTILE = "<script>alert(1)</script>\r\nBcc: all@example.org\u202e\u0000 \"'&"


def hostile() -> tuple[Occasion, Configuration]:
    voice = Voice(why="typical", uid="a/../b?x=1", at=NOW, source="forum-a", quote=HOSTILE, url="javascript:alert(1)")
    told = occasion(
        facts=facts(voices=(voice,), sources_blind=(("forum-a", None, HOSTILE),), reasons=((HOSTILE, {"x": HOSTILE}),)),
        rule="kritik\r\nX-Evil: 1",
        extra={"topic": HOSTILE, "acknowledged_by": HOSTILE, "receivers": ["pr", HOSTILE], "next_update": HOSTILE},
    )
    bad = {**SETTINGS, "brands": {"telekom": {"name": HOSTILE}}}
    bad["sources"] = {"forum-a": {"spider": "phpbb", "url": HOSTILE, "name": HOSTILE}}
    bad["receivers"] = {"pr": {"address": "pr@example.org", "name": HOSTILE}}
    return told, Configuration.model_validate(bad)


def test_hostile_words_stay_words() -> None:
    told, configuration = hostile()
    message = mail(told, configuration=configuration)
    html = part(message, "html")
    read = Reader(html)
    assert "script" not in read.tags
    assert "<script>alert(1)</script>" in read.words
    assert all(link.startswith("https://watch.example.org/") for link in read.links)
    assert message["Bcc"] is None and message["X-Evil"] is None
    assert "\u202e" not in html and "\u202e" not in part(message, "plain")
    assert len(str(message["Subject"])) <= 70
    for kind in MessageKind:
        again = mail(msgspec.structs.replace(told, kind=kind), configuration=configuration)
        assert again["Bcc"] is None and "script" not in Reader(part(again, "html")).tags


def test_nothing_is_fetched_and_nothing_is_posted() -> None:
    message = mail(occasion())
    html = part(message, "html")
    read = Reader(html)
    cids = {f"cid:{one['Content-ID'][1:-1]}" for one in message.walk() if one.get_content_type() == "image/png"}
    assert {image["src"] for image in read.images} == cids
    assert len(cids) == 2
    assert all(image["alt"] and image["alt"].startswith("Kritische Personen je 30 min") for image in read.images)
    assert not read.tags & {"script", "form", "iframe", "link", "object", "svg"}
    assert not re.search(r"url\(|@import|https?://(?!watch\.example\.org/)", html)
    assert "prefers-color-scheme" in html


def test_size_and_lines_are_what_mail_servers_take() -> None:
    voices = tuple(
        Voice(why="typical", uid=f"{index:032}", at=NOW, source="forum-a", quote="ä" * 5000, url=None)
        for index in range(3)
    )
    whole = raw(occasion(facts=facts(voices=voices)))
    assert len(whole) < 100_000
    assert max(len(line) for line in whole.split(b"\r\n")) <= 998
    assert b"\n" not in whole.replace(b"\r\n", b"")
    assert whole.isascii()


def test_the_same_arguments_give_the_same_bytes() -> None:
    assert raw(occasion()) == raw(occasion())
    assert raw(occasion(), message_id="<two@watch.example.org>") != raw(occasion())


# --- machine facts --------------------------------------------------------------------------------------------


def test_headers_for_machines() -> None:
    message = mail(occasion(), references=("<first@watch.example.org>",))
    assert {
        name: str(message[name])
        for name in (
            "From", "To", "Date", "Message-ID", "In-Reply-To", "References", "List-Id", "Auto-Submitted",
            "X-Sturmwarte-Incident", "X-Sturmwarte-Rule", "X-Sturmwarte-Level", "Content-Language",
        )
    } == {
        "From": "Sturmwarte <watch@example.org>",
        "To": "PR-Dienst <pr@example.org>",
        "Date": "Fri, 20 Nov 2026 10:05:00 +0000",
        "Message-ID": "<one@watch.example.org>",
        "In-Reply-To": "<first@watch.example.org>",
        "References": "<first@watch.example.org>",
        "List-Id": "Sturmwarte <sturmwarte.watch.example.org>",
        "Auto-Submitted": "auto-generated",
        "X-Sturmwarte-Incident": "R-0127",
        "X-Sturmwarte-Rule": "kritik; version=3",
        "X-Sturmwarte-Level": "3",
        "Content-Language": "de",
    }  # fmt: skip


def test_it_answers_the_receivers_own_first_message() -> None:
    message = mail(occasion(), references=("<first@watch.example.org>", "<own@watch.example.org>"))
    assert message["References"] == "<first@watch.example.org> <own@watch.example.org>"
    assert message["In-Reply-To"] == "<own@watch.example.org>"


def test_the_first_message_of_a_thread_refers_to_nothing() -> None:
    message = mail(occasion(), references=("<one@watch.example.org>",))
    assert message["References"] is None and message["In-Reply-To"] is None


@pytest.mark.parametrize(
    ("over", "address"),
    [
        ({"mail": {"sender": "alarm@example.org"}}, "alarm@example.org"),
        ({}, "watch@example.org"),
        ({"contact": "https://example.org/contact"}, "sturmwarte@watch.example.org"),
        ({"contact": "", "public_url": "http://127.0.0.1:8640"}, "sturmwarte@sturmwarte.invalid"),
    ],
)
def test_sender(over: dict[str, Any], address: str) -> None:
    assert sender(Configuration.model_validate({**SETTINGS, **over})) == address


# --- small things ---------------------------------------------------------------------------------------------


@settings(max_examples=200)
@given(
    name=st.text(min_size=1, max_size=90),
    topic=st.text(max_size=50),
    persons=st.integers(0, 10**9),
    kind=st.sampled_from(list(MessageKind)),
    language=st.sampled_from(["de", "en"]),
)
def test_subjects_fit_and_keep_state_and_number(
    name: str, topic: str, persons: int, kind: MessageKind, language: str
) -> None:
    configuration = Configuration.model_validate({**SETTINGS, "brands": {"telekom": {"name": name}}})
    words = Wording(configuration, Speech(language, configuration.timezone), NOW)
    told = occasion(kind, facts=facts(persons=persons), extra={"topic": topic, "query": name, "source": name})
    line = subject_line(told, words)
    assert len(line) <= 70
    assert line.startswith("[")
    assert line.isprintable() or "\u200d" in line
    if kind not in {MessageKind.BLIND, MessageKind.SIGHTED}:
        assert line.endswith("R-0127")


@given(st.text())
def test_clean_is_one_harmless_line(text: str) -> None:
    once = clean(text, 40)
    assert len(once) <= 40
    assert not set(once) & set("\r\n\t\x00\u202e\u2028\ue000\ue001")
    assert clean(once, 40) == once


@given(st.text(alphabet="<&>\"' ab*", max_size=30))
def test_marks_become_strong_and_everything_else_is_escaped(text: str) -> None:
    marked = f"{text}{strong(text)}"
    assert as_text(marked) == text + text
    assert as_html(marked).count("<") == 2
    assert as_html(marked).striptags() == " ".join(f"{text}{text}".split())


def test_what_comes_next_is_promised_as_it_will_be() -> None:
    extra = {
        "acknowledge_by": (NOW + timedelta(minutes=40)).isoformat(),
        "next_update": (NOW + timedelta(hours=2)).isoformat(),
        "receivers": ["pr"],
    }
    silent = ("rules.surge.silent", {"n": 8, "persons": 5})
    held = ("rules.level.held", {"earned": 2, "level": 3, "hours": 4})
    told = occasion(facts=facts(reasons=(silent, held)), extra=extra)
    german, english = (squeezed(part(mail(told, receiver), "plain")) for receiver in ("pr", "kern"))
    for words in (
        "Bitte übernehmen bis 11:45 Uhr; von selbst wird der Vorgang nicht weitergereicht.",
        "Nächste Meldung, sobald sich die Stufe ändert; sonst ab 13:05 Uhr,",
        "wenn sich die Zahl der Personen geändert hat.",
        "Geschwiegen hätte die Regel bei weniger als 8 kritischen Beiträgen oder weniger als 5 Personen",
        "Für sich genommen wäre es jetzt Stufe 2; gesenkt wird um je eine Stufe, wenn es 4 h lang ruhiger bleibt.",
        "Empfänger: PR-Dienst.",
    ):
        assert words in german
    assert "Please take over by 11:45; it is not passed on to anybody by itself." in english


def test_no_multiple_of_next_to_nothing() -> None:
    for over in ({"persons_expected": 0.4}, {"persons_expected": None}, {"persons_expected": 30.0}):
        assert "Fache" not in part(mail(occasion(facts=facts(**over))), "plain")


def test_why_a_source_is_blind_is_said_in_the_readers_language() -> None:
    told = source_occasion(MessageKind.BLIND)
    late = msgspec.structs.replace(told, extra={**told.extra, "reason": "no complete visit for two intervals"})
    assert "seit zwei Abständen kein vollständiger Besuch" in part(mail(late), "plain")
    assert "no complete visit for two intervals" in part(mail(late, "kern"), "plain")


@pytest.mark.parametrize("host", ["kommunikation-und-presse.lage.beispiel-aktiengesellschaft.example", "wärme.example"])
def test_ids_of_a_long_host_stay_whole_so_that_threads_hold(host: str) -> None:
    settings = CONFIGURATION.model_copy(update={"public_url": f"https://{host}/"})
    ids = [message_id(occasion(number=n), "pr", "email", settings.public_url) for n in (1, 2, 3)]
    raw = compose(occasion(), "pr", settings, message_id=ids[2], references=ids[:2], now=NOW)
    head = raw.partition(b"\r\n\r\n")[0].decode("ascii")
    unfolded = head.replace("\r\n ", " ").split("\r\n")
    assert f"Message-ID: {ids[2]}" in unfolded
    assert f"In-Reply-To: {ids[1]}" in unfolded
    assert f"References: {ids[0]} {ids[1]}" in unfolded
    (list_id,) = [line for line in unfolded if line.startswith("List-Id:")]
    assert list_id == f"List-Id: Sturmwarte <sturmwarte.{host.encode('idna').decode()}>"
