"""SIGKILL anywhere on the way from page to mail: nothing is lost, nothing is double, every change is told once."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from killing import Trial, trial

pytestmark = pytest.mark.timeout(1800)
WRITE = ("before_write", "after_write", "after_signatures")
CURSOR = ("before_cursor", "within_cursor", "after_cursor", "before_watermark", "after_watermark")
EVALUATION = ("read", "evaluated", "before_commit", "after_commit")
OUTBOX = ("composed", "after_composed")
SEND = ("claimed", "before_send", "after_send", "after_mark")
SPOOL = ("before_spool", "after_spool")
DRAIN = ("after_drained_write", "before_drained_watermark", "after_drained_watermark", "after_drain")


def test_killed_at_every_named_step(tmp_path: Path) -> None:
    with trial(tmp_path) as one:
        for step in (*WRITE, *CURSOR, *EVALUATION, *OUTBOX, *SEND):
            one.die_at(step)
        one.finish()
        one.check()
        assert len(one.windows) == 1, "one death between the server's acceptance and our commit"
        doubled = [one.mails.ids()[message] for message in one.windows]
        assert doubled == [2] and len(one.mails.accepted) == len(one.mails.ids()) + 1


def test_killed_around_the_spool_while_the_store_is_down(tmp_path: Path) -> None:
    with trial(tmp_path) as one:
        one.pass_time()
        one.round()
        with one.store_down():
            for step in (*SPOOL, "before_watermark"):
                one.die_at(step)
        for step in DRAIN:
            with one.store_down():
                one.pass_time()
                one.round()
                one.check_books()
            one.die_at(step)
        one.finish()
        one.check()


def killed_at_random(one: Trial, times: int, seed: int) -> None:
    chance = random.Random(seed)
    one.pass_time()
    one.round()
    for _ in range(times):
        one.die_after(chance.uniform(0.02, 2.5))
    one.finish()
    one.check()
    assert one.deaths == times


def test_killed_six_times_at_random_moments(tmp_path: Path) -> None:
    with trial(tmp_path) as one:
        killed_at_random(one, 6, seed=6)


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_killed_fifty_times_at_random_moments(tmp_path: Path) -> None:
    with trial(tmp_path) as one:
        killed_at_random(one, 50, seed=50)
