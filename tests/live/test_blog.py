"""From a comment under an article of a real WordPress to a mail in a mailbox: the service as a person starts it."""

import mailbox
import os
import random
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from servers import free_port, searx, wait_for, wordpress

from pipeline.clock import ScaledClock
from pipeline.configuration import StoreTable
from pipeline.query.tree import EVERYTHING
from pipeline.state.opening import open_state
from pipeline.state.sources import get_source, make_due
from pipeline.store.opening import open_store
from pipeline.store.protocol import StoreError
from sturmwarte.demo.catcher import Catcher

pytestmark = [pytest.mark.live, pytest.mark.timeout(1500)]

FACTOR = 60.0
START = datetime(2026, 11, 18, 9, tzinfo=UTC)
CALM = (
    "Bei der Küstenbahn kam der Zug heute pünktlich um {n} nach.",
    "Weiß jemand, ob die Küstenbahn am {n}. Dezember nach Plan fährt?",
    "Die Küstenbahn hat in Wagen {n} jetzt Steckdosen, das ist praktisch.",
    "Mit der Küstenbahn brauche ich {n} Minuten zur Arbeit.",
    "Leider war die Küstenbahn gestern {n} Minuten zu spät, das ist ärgerlich.",
)
WORDS = (
    ["Frechheit", "Katastrophe", "Zumutung", "Skandal", "Unverschämtheit", "Schlamperei", "Saftladen", "Schande"],
    ["Gleis", "Brücke", "Abteil", "Fahrrad", "Durchsage", "Bahnsteig", "Schalter", "Automat", "Anschluss", "Ersatzbus"],
    ["Husum", "Kiel", "Rendsburg", "Flensburg", "Heide", "Itzehoe", "Niebüll", "Tönning", "Schleswig", "Eckernförde"],
)

CONFIGURATION = """
contact = "test@blog.example"
data = "data"
zone = "Europe/Berlin"
[brands.kuestenbahn]
name = "Küstenbahn"
[sources.kommentare]
spider = "feed"
url = "{blog}/comments/feed/"
channel = "blog"
interval = "5m"
[sources.suche]
spider = "searxng"
url = "{search}/search"
queries = ["Küstenbahn"]
interval = "30m"
[rules.anstieg]
rule = "surge"
[receivers.presse]
address = "presse@bahn.example"
[mail]
server = "127.0.0.1"
port = {smtp}
security = "none"
sender = "sturmwarte@bahn.example"
[web]
port = {web}
[crawl]
delay = 1.0
allow_private = ["127.0.0.1"]
"""


def outcry(chance: random.Random, number: int) -> str:
    anger, thing, town = (chance.choice(words) for words in WORDS)
    return (
        f"{anger}! In {town} stand ich {number + 20} Minuten am {thing}, keine Hilfe, keine Auskunft. Die Küstenbahn"
        f" ist eine Katastrophe, nie wieder. {chance.choice(WORDS[0])} auch in {chance.choice(WORDS[2])}."
    )


@contextmanager
def service(folder: Path, clock: ScaledClock):
    """``sturmwarte run`` in a process of its own."""
    log = (folder / "log").open("ab")
    environment = {**os.environ, "STURMWARTE_CLOCK": str(clock)}
    start = "from sturmwarte.command import main; main()"
    command = [sys.executable, "-c", start, "run", "--config", str(folder / "sturmwarte.toml")]
    child = subprocess.Popen(command, env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        yield child
    except BaseException:
        print((folder / "log").read_text("utf-8")[-6000:])
        raise
    finally:
        child.terminate()
        assert child.wait(120) == 0, (folder / "log").read_text("utf-8")[-3000:]
        log.close()


def texts(folder: Path, clock: ScaledClock) -> list[str]:
    try:
        with closing(open_store(folder / "data", StoreTable(), clock=clock, read_only=True)) as store:
            return [mention.crawled.text for mention in store.scan(EVERYTHING)]
    except StoreError:  # not there yet, or being made
        return []


def visited_again(folder: Path, clock: ScaledClock) -> None:
    """Wait for a complete visit to the comments that begins after now: the watermark is when it began."""
    now = clock.now()

    def read() -> bool:
        with closing(open_state(folder / "data")) as state, state.read() as connection:
            row = get_source(connection, "kommentare")
        return row is not None and row.watermark is not None and row.watermark > now

    wait_for(read, "one more visit", 240)


@contextmanager
def between_two_visits(folder: Path, clock: ScaledClock):
    """No visit to the comments is under way or begins in here; the last one began a minute ago or more."""

    def held() -> bool:
        with closing(open_state(folder / "data")) as state, state.begin() as connection:
            row = get_source(connection, "kommentare")
            if row.worker is not None or row.watermark is None or clock.now() - row.watermark < timedelta(minutes=1):
                return False
            make_due(connection, "kommentare", clock.now() + timedelta(days=1))
            return True

    wait_for(held, "a moment between two visits", 240)
    yield
    with closing(open_state(folder / "data")) as state, state.begin() as connection:
        make_due(connection, "kommentare", clock.now())


@pytest.mark.parametrize("per_feed", [500, 10], ids=["all comments in the feed", "ten comments in the feed"])
def test_a_burst_under_an_article_becomes_one_mail(open_folder, per_feed, capsys):
    chance, tmp_path = random.Random(5), open_folder
    box = tmp_path / "mailbox"
    with wordpress(tmp_path / "wp") as blog, searx(tmp_path / "searx", blog.url) as search:
        published = (START - timedelta(days=15)).timestamp()
        article = blog.post("Was die Küstenbahn plant", "Die Küstenbahn plant einen neuen Fahrplan.", published)
        calm = sorted((START - timedelta(minutes=chance.uniform(60, 14 * 1440))).timestamp() for _ in range(110))
        calm_comments = [
            (f"Gast{n % 40} Pendler", chance.choice(CALM).format(n=n + 3), at) for n, at in enumerate(calm)
        ]
        blog.comments(article, calm_comments)
        blog.option("posts_per_rss", "500")
        catcher = Catcher(box)
        try:
            toml = CONFIGURATION.format(blog=blog.url, search=search, smtp=catcher.port, web=free_port())
            (tmp_path / "sturmwarte.toml").write_text(toml, "utf-8")
            clock = ScaledClock(START, time.time(), FACTOR)
            with service(tmp_path, clock):
                wait_for(lambda: len(texts(tmp_path, clock)) >= 110, "the first two weeks", 240)
                assert len(mailbox.Maildir(box)) == 0, "what lies in the past raises nothing"
                blog.option("posts_per_rss", str(per_feed))

                single = "Heute war die Küstenbahn um 7.42 Uhr da, danke an das freundliche Personal in Heide."
                blog.comments(article, [("Wiebke Moor", single, clock.now().timestamp())])
                posted = time.monotonic()
                wait_for(lambda: single in texts(tmp_path, clock), "the new comment", 240)
                with capsys.disabled():
                    print(f"\ncomment → mention: {(time.monotonic() - posted) * FACTOR / 60:.1f} min")

                visited_again(tmp_path, clock)  # so that the burst comes as news
                with between_two_visits(tmp_path, clock):
                    now = clock.now().timestamp()
                    burst = [(f"Wütende{n} Fahrgast", outcry(chance, n), now - 30 + n) for n in range(30)]
                    blog.comments(article, burst)
                posted = time.monotonic()
                wait_for(lambda: len(mailbox.Maildir(box)) > 0, "the mail", 360)
                with capsys.disabled():
                    print(f"burst → mail: {(time.monotonic() - posted) * FACTOR / 60:.1f} min, {per_feed} in the feed")
                visited_again(tmp_path, clock)
                time.sleep(8)  # for a second mail, which there must not be
        finally:
            catcher.close()
    mails = list(mailbox.Maildir(box))
    assert len(mails) == 1, [mail["Subject"] for mail in mails]
    assert mails[0]["X-Sturmwarte-Incident"] == "R-0001"
    with closing(sqlite3.connect(tmp_path / "data" / "state.db")) as state:
        holes = state.execute("SELECT count(*) FROM hole WHERE source = 'kommentare'").fetchone()[0]
        [unresponsive] = state.execute("SELECT unresponsive FROM result_list ORDER BY id LIMIT 1").fetchone()
    assert (holes > 0) == (per_feed == 10)
    assert "verschwunden" in unresponsive
