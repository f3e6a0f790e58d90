"""The inbox: what notices of portals say, and visits to a mailbox that is only looked at."""

import re
import socketserver
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rehearsal import page

from crawlers.mailbox import box_of
from crawlers.notices import portal_of
from crawlers.parse import detect
from crawlers.spiders.inbox import InboxSpider, parse
from pipeline.words import Answer

PAGES = Path(__file__).parent / "pages"
STARS, PLAIN = ((PAGES / f"inbox_{name}.eml").read_bytes() for name in ("stars", "plain"))


class Mailbox:
    """An IMAP server of a few commands, and all that it was told."""

    def __init__(self) -> None:
        self.mails: dict[int, bytes] = {}
        self.validity = 7
        self.told: list[str] = []
        box = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.wfile.write(b"* OK ready\r\n")
                while line := self.rfile.readline():
                    tag, _, command = line.decode().strip().partition(" ")
                    box.told.append(command)
                    self.wfile.write(box.answer(tag, command))

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"imap://127.0.0.1:{self.server.server_address[1]}/INBOX"

    def answer(self, tag: str, command: str) -> bytes:
        done = f"{tag} OK done\r\n".encode()
        if command.startswith("CAPABILITY"):
            return b"* CAPABILITY IMAP4rev1\r\n" + done
        if command.startswith("LOGIN"):
            return done if '"geheim"' in command else f"{tag} NO wrong\r\n".encode()
        if command.startswith("EXAMINE"):
            return f"* {len(self.mails)} EXISTS\r\n* OK [UIDVALIDITY {self.validity}] x\r\n".encode() + done
        if command.startswith("UID SEARCH"):
            low = re.search(r"UID (\d+):\*", command.removeprefix("UID SEARCH"))
            numbers = [one for one in self.mails if not low or one >= int(low[1])] or list(self.mails)[-1:]
            return f"* SEARCH {' '.join(map(str, numbers))}\r\n".encode() + done
        if command.startswith("UID FETCH"):
            uid = int(command.split()[2])
            body = self.mails[uid]
            return f"* 1 FETCH (UID {uid} BODY[]<0> {{{len(body)}}}\r\n".encode() + body + b")\r\n" + done
        return f"{tag} BAD unknown\r\n".encode()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def mailbox(world, monkeypatch):
    monkeypatch.setenv("STURMWARTE_INBOX_PASSWORD", "geheim")
    box = Mailbox()
    world.spiders = {"inbox": InboxSpider}
    world.sources = {"mail": {"spider": "inbox", "url": box.url, "user": "hr"}}
    yield box
    box.close()


def test_a_notice_in_html():
    [one] = parse(page(STARS)).items
    assert (one.author, one.title, one.rating, one.rating_raw) == ("Jürgen K.", "Viel Druck", 0.25, "2")
    assert one.text == "Überstunden sind üblich, das Gehalt ist mäßig."
    assert one.url == "https://www.kununu.com/de/muster/bewertung/ab-12"
    assert one.published.at == datetime(2026, 11, 20, 9, 40, tzinfo=UTC)


def test_a_notice_in_plain_text():
    [one] = parse(page(PLAIN)).items
    assert (one.author, one.rating, one.rating_raw) == ("Ann Smith", pytest.approx(0.8), "4.2")
    assert one.text == "The technician was quick and friendly, but late."
    assert one.id == "/reviews/65a1f0c2b7d9e4a3c1f00009"


@pytest.mark.parametrize(
    ("line", "raw", "scale"),
    [("Vier Sterne", "4", "1-5"), ("a 2-star review", "2", "1-5"), ("8/10", "8", "0-10"), ("am 4/5/2026", None, None)],
)
def test_ratings_in_words(line, raw, scale):
    found = parse(page(PLAIN.replace(b"Rating: 4,2 von 5", line.encode())))
    assert (found.items[0].rating_raw, found.items[0].rating_scale) == (raw, scale)


@pytest.mark.parametrize(
    "body", [b"", b"\0\xff" * 99, PLAIN.replace(b"@trustpilot.com", b"@trustpilot.com.evil.example")]
)
def test_what_is_no_notice_gives_nothing(body):
    assert parse(page(body)).items == ()


def test_a_portal_is_its_domain_and_no_other():
    assert portal_of("x <a@mail.kununu.com>") == "kununu.com"
    assert portal_of("kununu.com <a@notkununu.com>") == ""


def test_a_mail_is_recognised():
    assert detect(page(PLAIN))[0] == "inbox"


def test_a_mailbox_is_looked_at_and_nothing_else(world, mailbox):
    mailbox.mails = {3: PLAIN, 4: b"From: a@b.example\r\nSubject: Hallo\r\n\r\nText"}
    first = world.visit("mail")
    assert (first.items, first.complete, first.watermark) == (1, True, None)
    mailbox.mails[9] = STARS
    world.clock.advance(hours=1)
    mailbox.told.clear()
    assert world.visit("mail").items == 1
    assert world.pipeline.natives == ["/de/muster/bewertung/ab-12", "/reviews/65a1f0c2b7d9e4a3c1f00009"]
    assert [told for told in mailbox.told if told.startswith("UID")] == [
        "UID SEARCH UID 5:*",
        "UID FETCH 9 (UID BODY.PEEK[]<0.1000000>)",
    ]
    assert not [told for told in mailbox.told if re.search("STORE|EXPUNGE|DELETE|SELECT|COPY", told)]
    world.clock.advance(hours=1)
    assert world.visit("mail").items == 0
    mailbox.validity = 8
    world.clock.advance(hours=1)
    assert world.visit("mail").items == 2


def test_a_wrong_password_is_a_wall_and_is_not_repeated(world, mailbox, monkeypatch):
    monkeypatch.setenv("STURMWARTE_INBOX_PASSWORD", "falsch-12")
    report = world.visit("mail")
    assert (report.answer, report.complete) == (Answer.GATED, False)
    assert "falsch-12" not in report.reason


def test_other_machines_are_asked_over_tls_alone(world, mailbox):
    world.crawl["allow_private"] = ("127.0.0.1", "10.0.0.0/8")
    world.sources["mail"]["url"] = "imap://10.1.2.3/INBOX"
    assert "over TLS alone" in world.visit("mail").reason
    with pytest.raises(ValueError, match="do not stand in its address"):
        box_of("imaps://hr:geheim@mail.example/INBOX")


def test_private_addresses_are_not_asked(world, mailbox):
    world.crawl["allow_private"] = ()
    assert "not a public address" in world.visit("mail").reason
    assert mailbox.told == []
