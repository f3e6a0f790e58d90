"""An own search instance forbids strangers to search; its operator's crawl is no stranger."""

import json
from datetime import UTC, datetime

import pytest
from clocks import RunningClock
from loopback import loopback

from crawlers.service import crawl_once
from pipeline.configuration import Configuration
from pipeline.words import Answer, SourceState

FORBIDS_SEARCHING = b"User-agent: *\nAllow: /\nDisallow: /*?*q=*\n"
ANSWER = json.dumps({"query": "nordnetz", "results": [], "unresponsive_engines": []}).encode()


@pytest.mark.parametrize(
    ("own", "state", "answer"),
    [(True, SourceState.HEALTHY, Answer.OK), (False, SourceState.BLIND, Answer.GATED)],
)
def test_robots_txt_of_an_own_instance(tmp_path, own, state, answer):
    with loopback(lambda path, query: (200, "application/json", ANSWER), FORBIDS_SEARCHING) as web:
        source = {"spider": "searxng", "url": f"{web.url}/search", "queries": ["nordnetz"], "own": own}
        told = {
            "contact": "test@example.org",
            "brands": {"nordnetz": {"name": "Nordnetz"}},
            "sources": {"suche": source},
            "crawl": {"allow_private": ["127.0.0.1"], "delay": 0},
        }
        clock = RunningClock(datetime(2026, 11, 20, 12, tzinfo=UTC))
        [report] = crawl_once(Configuration.model_validate(told), tmp_path, clock)
    assert (report.answer, report.state) == (answer, state)
    assert len(web.asked) == (1 if own else 0)
