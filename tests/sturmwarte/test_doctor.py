"""The doctor: what does not run is a finding with its remedy, and sentences stand for themselves."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from webhouse import NOW, configuration, fill

from pipeline.clock import ManualClock
from pipeline.i18n import Speech
from pipeline.state.opening import StateAway, StateUnavailable, open_state
from pipeline.state.tables import source
from pipeline.store.opening import open_store
from pipeline.store.protocol import StoreAway
from sturmwarte import presence
from sturmwarte.doctor import Check, Patient, examine
from sturmwarte.lock import service_lock
from sturmwarte.presence import EVERY, SPAN, Presence, present, present_of
from sturmwarte.watch import WATCHED, remember


@pytest.fixture
def patient(tmp_path: Path) -> Patient:
    fill(tmp_path)
    return Patient(configuration(), tmp_path, ManualClock(NOW))


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each process is one of another machine; of this one they could not live in one test."""
    numbers = count(1)
    monkeypatch.setattr(presence, "worker_name", lambda: f"machine-{next(numbers)}:1:aa")


def found(patient: Patient, **opens: Callable[[], Any]) -> dict[str, Check]:
    """Name → check, with other ways to open a part."""
    ways: dict[str, Any] = {
        "open_state": lambda: open_state(patient.folder),
        "open_store": lambda: open_store(patient.folder, configuration().store, clock=patient.clock, read_only=True),
    }
    return {check.name: check for check in examine(patient, **(ways | opens))}


@pytest.fixture
def unread(patient: Patient) -> None:
    """No source was read lately."""
    long_ago = NOW - timedelta(hours=2)
    with closing(open_state(patient.folder)) as state, state.begin() as connection:
        connection.execute(sa.update(source).values(last_ok=long_ago))


@pytest.mark.usefixtures("unread")
@pytest.mark.parametrize("part", ["crawl", "watch"])
def test_a_part_that_does_not_run_is_a_finding_with_its_remedy(patient: Patient, part: str) -> None:
    check = found(patient)[part]
    assert not check.good
    for language in ("de", "en"):
        said = Speech(language, configuration().timezone).say(f"command.doctor.{check.phrase}", **check.values)
        assert "sturmwarte run" in said and f"sturmwarte {part}" in said


def test_sources_that_a_timer_reads_are_no_finding(patient: Patient) -> None:
    moment = NOW - timedelta(minutes=50)
    with closing(open_state(patient.folder)) as state, state.begin() as connection:
        connection.execute(sa.update(source).values(last_ok=moment))
    check = found(patient)["crawl"]
    assert (check.good, check.values) == (True, {"at": moment})


@pytest.mark.usefixtures("unread")
@pytest.mark.parametrize("part", ["crawl", "watch"])
def test_a_part_that_runs_is_well_until_it_ends(patient: Patient, part: str) -> None:
    with closing(open_state(patient.folder)) as state:
        with present(part, state, patient.clock):
            check = found(patient)[part]
            assert check.good and check.values == {"n": 1}
            assert Speech("de", configuration().timezone).say(f"command.doctor.{check.phrase}", **check.values)
        assert not found(patient)[part].good


def test_who_says_nothing_any_more_runs_no_more(patient: Patient) -> None:
    clock = patient.clock
    assert isinstance(clock, ManualClock)
    with closing(open_state(patient.folder)) as state:
        silent, living = Presence("crawl", state, clock), Presence("crawl", state, clock)
        silent.tell()
        assert SPAN > 3 * EVERY  # two words may be lost
        clock.advance(seconds=SPAN + 1)
        living.tell()
        with state.read() as connection:
            assert len(present_of(connection, "crawl", clock.now())) == 1
            assert present_of(connection, "crawl", clock.now() - timedelta(seconds=SPAN)) != []


def test_without_sources_and_brands_nobody_has_to_run(patient: Patient) -> None:
    idle = Patient(configuration(sources={}, brands={}, rules={}), patient.folder, patient.clock)
    assert not {"crawl", "watch"} & found(idle).keys()


def test_events_that_are_never_written_although_rules_are_evaluated_are_a_finding(patient: Patient) -> None:
    servers = {"engine": "elasticsearch", "urls": ["http://127.0.0.1:9"]}
    there = Patient(configuration(store=servers), patient.folder, patient.clock)
    assert found(there)["beside"].good
    with closing(open_state(patient.folder)) as state, present("watch", state, patient.clock):
        assert found(there)["beside"].good, "nothing has been evaluated yet"
        remember(state, WATCHED, NOW)
        assert (found(there)["beside"].good, found(there)["beside"].phrase) == (False, "beside_fails")
    assert found(there)["beside"].phrase == "never_beside", "that nobody watches is a finding of its own"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (StoreAway("Elasticsearch cannot be reached"), "Elasticsearch cannot be reached"),
        (StateAway("PostgreSQL cannot be reached"), "PostgreSQL cannot be reached"),
        (StateUnavailable("it refuses the password"), "it refuses the password"),
        (ValueError("a fault of ours"), "ValueError: a fault of ours"),
    ],
)
def test_a_sentence_stands_for_itself(patient: Patient, error: Exception, said: str) -> None:
    def broken() -> Any:
        raise error

    assert found(patient, open_state=broken)["state"].values == {"error": said}
    assert found(patient, open_store=broken)["store"].values == {"error": said}


def test_a_service_whose_process_cannot_be_told_is_running_all_the_same(patient: Patient) -> None:
    assert found(patient)["service"].phrase == "stopped"
    with service_lock(patient.folder, beside_others=True):
        assert found(patient)["service"].phrase == "running"
        (patient.folder / "service.lock").write_text("999999999\n", "ascii")
        assert found(patient)["service"].phrase == "running_elsewhere"
