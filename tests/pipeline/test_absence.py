"""What is said of a database that is away: once, again after five minutes, and when it is back; no traceback."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
import structlog
from elastic_transport import ConnectionError as NotConnected
from elastic_transport import ConnectionTimeout, TlsError
from structlog.testing import capture_logs

from pipeline.absence import Absences, is_away
from pipeline.state.opening import StateAway, StateUnavailable, StateVersion
from pipeline.store.elastic.client import explain, refusal
from pipeline.store.protocol import StoreAway, StoreError


@pytest.fixture(autouse=True)
def every_line() -> None:
    """Also what a command before kept quiet."""
    structlog.reset_defaults()


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_an_absence_is_said_once_then_seldom_then_that_it_is_over() -> None:
    hand = Hand()
    absences = Absences(hand)
    with capture_logs() as lines:
        for _ in range(31):  # ten minutes of a job that looks every 20 seconds, beside another
            assert absences.noticed(StoreAway("nothing listens there"), "watch")
            assert absences.noticed(StoreAway("nothing listens there"), "chronicle")
            absences.over("deliver")
            hand.now += 20.0
        absences.over("watch")
        absences.over("chronicle")
    assert [line["log_level"] for line in lines] == ["warning", "warning", "warning", "info"]
    assert [line.get("for_s") for line in lines] == [None, 300, 600, None] and lines[-1]["after_s"] == 620
    assert all("mention store" in line["event"] and "exc_info" not in line for line in lines)
    assert lines[0]["reason"] == "nothing listens there"


def test_the_two_databases_are_told_apart() -> None:
    absences = Absences(Hand())
    with capture_logs() as lines:
        absences.noticed(StoreAway("a"), "watch")
        absences.noticed(StateAway("b"), "watch")
        absences.over("watch")
    assert [line["log_level"] for line in lines] == ["warning", "warning", "info", "info"]


def test_a_fault_of_ours_is_no_absence() -> None:
    with capture_logs() as lines:
        assert not Absences().noticed(ValueError("a fault"), "watch")
    assert lines == []


class Elsewhere(Exception):
    """What PostgreSQL's driver raises; of which kind is in ``sqlstate``."""

    def __init__(self, text: str, sqlstate: str | None) -> None:
        super().__init__(text)
        self.sqlstate = sqlstate


Elsewhere.__module__ = "psycopg.errors"


@pytest.mark.parametrize(
    ("error", "away"),
    [
        (StoreAway("refused"), True),
        (StoreError("these credentials are not accepted"), False),
        (StateAway("refused"), True),
        (StateUnavailable("the password is refused"), False),
        (StateVersion("older"), False),
        (sa.exc.OperationalError("q", {}, Elsewhere("connection refused", None)), True),
        (sa.exc.OperationalError("q", {}, Elsewhere("terminating connection", "57P01")), True),
        (sa.exc.OperationalError("q", {}, Elsewhere("deadlock detected", "40P01")), False),
        (sa.exc.OperationalError("q", {}, Exception("database is locked")), False),
        (OSError("disk"), False),
    ],
)
def test_what_passes_by_waiting(error: Exception, away: bool) -> None:
    assert is_away(error) is away


@pytest.mark.parametrize(
    ("told", "away"),
    [
        (explain(NotConnected("Connection refused")), True),
        (explain(ConnectionTimeout("timed out")), True),
        (explain(TlsError("[SSL: CERTIFICATE_VERIFY_FAILED] unknown authority")), False),
        (refusal(429, {"type": "es_rejected_execution_exception", "reason": "queue"}), True),
        (refusal(401, {"type": "security_exception", "reason": "credentials"}), False),
        (refusal(429, {"type": "cluster_block_exception", "reason": "index [x] blocked by: [T/12/disk]"}), True),
        (refusal(503, {"type": "cluster_block_exception", "reason": "blocked by: [S/2/no master]"}), True),
        (refusal(403, {"type": "cluster_block_exception", "reason": "index [x] blocked by: [F/8/write]"}), False),
    ],
)
def test_what_elasticsearch_says(told: StoreError, away: bool) -> None:
    assert is_away(told) is away
