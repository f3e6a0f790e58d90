"""The demonstration on Elasticsearch and PostgreSQL, with several processes of each kind: one incident, one thread of
mails, and the same numbers in mail, pages, interface, command line, a plain search of the index, and without servers.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest
from elasticsearch import Elasticsearch
from numbers_told import BRAND, Numbers, critical, of_the_interface, of_the_mail, of_the_mentions, of_the_page
from postgres import Postgres
from servers import free_port, wait_for
from stepped_demo import OnServers, embedded, on_servers

from alerts.facts import Facts
from pipeline.clock import ScaledClock
from pipeline.state.tables import outbox
from sturmwarte import command
from sturmwarte.service import CLOCK

SEEN_FROM = timedelta(minutes=110)
"""After the start; the storm begins ten minutes later."""
START_COMMAND = "from sturmwarte.command import main; main()"
COMPARABLE = (
    "at", "window_start", "window_end", "state", "level", "trend", "since", "alarm", "incident", "rule", "rule_version",
    "persons", "posts", "all_posts", "copies", "without_author", "late", "share", "not_scored", "first_time",
    "top3_posts", "by_source", "by_channel", "outlets",
)  # fmt: skip
"""What is said of a storm. What was usual before is left out: which of two texts of the quiet weeks is the copy depends
on which was read first."""


def test_one_process_of_each_kind(tmp_path: Path, elastic_url: str, elastic_prefix: str, postgres: Postgres) -> None:
    with on_servers(tmp_path, elastic_url, elastic_prefix, postgres.database(empty=True)) as demo:
        demo.look_back(SEEN_FROM)
        told = demo.until_a_mail_tells_a_share()[-1]
        numbers = all_agree(demo, told, elastic_url, elastic_prefix)
        assert numbers[0] >= 20 and numbers[2] > 80


@pytest.mark.parametrize("early", [False, True], ids=["Ctrl-C when pages are shown", "SIGTERM while the past is read"])
def test_the_command_uses_indices_and_a_database_of_its_own_and_leaves_nothing(
    tmp_path: Path, elastic_url: str, elastic_prefix: str, postgres: Postgres, *, early: bool
) -> None:
    servers, port, said_of_it = tmp_path / "servers.toml", free_port(), tmp_path / "output"
    operators = postgres.database(empty=True)
    servers.write_text(
        f'[store]\nengine = "elasticsearch"\nurls = ["{elastic_url}"]\nprefix = "{elastic_prefix}"\n'
        f'[state]\nurl = "{operators}"\n',
        "utf-8",
    )
    words = ["demo", "--servers", str(servers), "--workers", "1", "--port", str(port)]
    with said_of_it.open("wb") as output:
        demo = subprocess.Popen(
            [sys.executable, "-P", "-c", START_COMMAND, *words],
            stdout=output, stderr=output, stdin=subprocess.DEVNULL, env={**os.environ, "LC_ALL": "C.UTF-8"},
        )  # fmt: skip
    try:
        reached = (lambda: b"Reading" in said_of_it.read_bytes()) if early else (lambda: posts_shown(port) > 0)
        wait_for(lambda: demo.poll() is not None or reached(), "the demonstration", 400)
        assert demo.poll() is None, said_of_it.read_text("utf-8")
        wait_for(lambda: bool(present(elastic_url, elastic_prefix)), "the indices")
        indices, databases = present(elastic_url, elastic_prefix), databases_of(operators)
        (ours,) = [name for name in databases if name.startswith("sturmwarte_demo_")]
        ending = ours.removeprefix("sturmwarte_demo_")
        assert indices and all(name.startswith(f"{elastic_prefix}-demo-{ending}-") for name in indices)
        demo.send_signal(signal.SIGTERM if early else signal.SIGINT)
        assert demo.wait(120) == (130 if early else 0), said_of_it.read_text("utf-8")
    finally:
        demo.kill()
        demo.wait()
    assert f"{elastic_prefix}-demo-{ending}-*, {ours}" in said_of_it.read_text("utf-8")
    assert present(elastic_url, elastic_prefix) == [] and ours not in databases_of(operators)
    assert tables_in(operators) == 0


def test_what_is_no_server_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nothing = tmp_path / "sturmwarte.toml"
    nothing.write_text('[state]\nurl_env = ""\n', "utf-8")
    assert command.invoke(["demo", "--servers", str(nothing)]) == 2
    assert f"{nothing} names neither an Elasticsearch" in capsys.readouterr().err
    assert command.invoke(["demo", "--workers", "2"]) == 2
    assert "--workers goes with --servers" in capsys.readouterr().err


def posts_shown(port: int) -> int:
    """Posts in the API's situations; 0 while nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/situation", timeout=30) as answer:
            return sum(brand["all_posts"] for brand in json.load(answer)["brands"])
    except OSError:
        return 0


def present(url: str, prefix: str) -> list[str]:
    """Indices and templates whose name begins so."""
    with Elasticsearch(url, request_timeout=60) as client:
        found = client.indices.get(index=f"{prefix}*", expand_wildcards="all", features="settings").body
        templates = client.options(ignore_status=404).indices.get_index_template(name=f"{prefix}*").body
        return sorted([*found, *(template["name"] for template in templates.get("index_templates", []))])


def databases_of(url: str) -> set[str]:
    """Names of all databases on the server of this one."""
    with psycopg.connect(url) as connection:
        return {name for (name,) in connection.execute("SELECT datname FROM pg_database")}


def tables_in(url: str) -> int:
    """How many tables a database has."""
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.long
def test_two_of_each_kind_tell_what_the_embedded_one_tells(
    tmp_path: Path, elastic_url: str, elastic_prefix: str, postgres: Postgres
) -> None:
    (tmp_path / "servers").mkdir()
    with on_servers(tmp_path / "servers", elastic_url, elastic_prefix, postgres.database(empty=True)) as demo:
        demo.look_back(SEEN_FROM, 2)
        told = demo.until_a_mail_tells_a_share()
        all_agree(demo, told[-1], elastic_url, elastic_prefix)
        assert [" visited " in text for text in demo.output("crawl")] == [True, True]
        mails = [str(mail["Subject"]) for mail in demo.mails()]
        mentions = demo.store.statistics()["mentions"]
    (tmp_path / "embedded").mkdir()
    with embedded(tmp_path / "embedded") as alone:
        alone.look_back(SEEN_FROM)
        expected = alone.until_a_mail_tells_a_share()
        for one, other in zip(told, expected, strict=True):
            assert differences(one, other) == {}
        assert mails == [str(mail["Subject"]) for mail in alone.mails()]
        assert mentions == alone.store.statistics()["mentions"]


def differences(one: Facts, other: Facts) -> dict[str, tuple[Any, Any]]:
    """What two demonstrations tell differently of the same moment."""
    told = {name: (getattr(one, name), getattr(other, name)) for name in COMPARABLE}
    return {name: pair for name, pair in told.items() if pair[0] != pair[1]}


def all_agree(demo: OnServers, told: Facts, elastic_url: str, prefix: str) -> Numbers:
    """One incident, one thread, and the same numbers wherever they are asked for."""
    assert told.share is not None
    numbers = told.persons, told.posts, round(told.share.value * 100)
    assert demo.incidents() == 1
    one_thread(demo)
    assert of_the_mail(demo.mails()[-1]) == numbers
    for port in demo.ports:
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as browser:
            assert of_the_page(browser) == numbers
            assert of_the_interface(browser) == numbers
    assert of_the_command_line(demo, told) == numbers
    assert of_the_index(elastic_url, prefix, told) == numbers
    return numbers


def one_thread(demo: OnServers) -> None:
    """One mail for each message, each with an id of its own; every later one hangs on the first."""
    first, *later = demo.mails()
    assert later and {mail["References"] for mail in later} == {first["Message-ID"]} and first["References"] is None
    assert len({mail["Message-ID"] for mail in (first, *later)}) == 1 + len(later)
    assert len(demo.workers(outbox, "message_id")) == 1 + len(later)


def of_the_command_line(demo: OnServers, told: Facts) -> Numbers:
    """Counted from the mentions it prints; the incident has all that are critical, and tells the same itself."""
    window = ["--from", told.window_start.isoformat(), "--to", told.window_end.isoformat(), "--limit", "100000"]
    counted = [json.loads(line) for line in said(demo, told, "mentions", f"brand:{BRAND} is:counted", *window)]
    (incident,) = [json.loads("".join(said(demo, told, "incidents", "R-0001")))]
    assert {row["uid"] for row in critical(counted)} <= set(incident["mentions"])
    situation = incident["situation"]
    numbers = situation["persons"], situation["posts"], round(100 * situation["share"]["value"])
    assert of_the_mentions(counted) == numbers
    return numbers


def said(demo: OnServers, told: Facts, *words: str) -> list[str]:
    """The lines a command prints for machines, at the moment the facts are of."""
    clock = str(ScaledClock(told.at, time.time(), 1e-9))
    done = subprocess.run(
        [sys.executable, "-P", "-c", START_COMMAND, *words, "--json", "--config", str(demo.scene.toml)],
        capture_output=True, text=True, timeout=300, check=False, env={**os.environ, CLOCK: clock},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def of_the_index(url: str, prefix: str, told: Facts) -> Numbers:
    """One search as anybody could send it with curl."""
    of_the_window = [
        {"term": {"opinions.brand": BRAND}},
        {"term": {"opinions.counted": True}},
        {"range": {"opinions.fed_bin": {"gte": told.window_start.isoformat(), "lt": told.window_end.isoformat()}}},
    ]
    persons = {"cardinality": {"field": "opinions.person", "precision_threshold": 40_000}}
    counts = {
        "critical": {"filter": {"term": {"opinions.tone": "negative"}}, "aggs": {"persons": persons}},
        "scored": {"filter": {"terms": {"opinions.tone": ["negative", "neutral", "positive"]}}},
    }
    inside = {"counted": {"filter": {"bool": {"filter": of_the_window}}, "aggs": counts}}
    body = {"size": 0, "aggs": {"opinions": {"nested": {"path": "opinions"}, "aggs": inside}}}
    request = urllib.request.Request(
        f"{url}/{prefix}-mentions/_search", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=120) as response:
        found = json.load(response)["aggregations"]["opinions"]["counted"]
    posts = found["critical"]["doc_count"]
    return found["critical"]["persons"]["value"], posts, round(100 * posts / found["scored"]["doc_count"])
