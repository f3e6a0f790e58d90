"""Leases: fair shares, handing over, and what becomes of a dead worker's."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.configuration import StateTable
from pipeline.state import leases, workers
from pipeline.state.database import State
from pipeline.state.opening import open_state

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
SPAN = timedelta(minutes=2)
BRANDS = ["a", "b", "c", "d", "e"]


@pytest.fixture
def state(tmp_path: Path, state_table: StateTable | None) -> Iterator[State]:
    opened = open_state(tmp_path, state_table)
    yield opened
    opened.close()


def share(state: State, worker: str, now: datetime = NOW, names: list[str] = BRANDS) -> list[str]:
    with state.begin() as conn:
        return leases.share(conn, "brand", names, worker, now, now + SPAN)


def test_alone_one_has_all(state: State) -> None:
    assert share(state, "m:1:a") == BRANDS
    assert share(state, "m:1:a", names=["b", "x"]) == ["b", "x"]


def test_who_comes_gets_a_share_and_nobody_elses(state: State) -> None:
    assert share(state, "m:1:a") == BRANDS
    assert share(state, "n:1:b") == []
    assert share(state, "m:1:a") == ["a", "b", "c"]
    assert share(state, "n:1:b") == ["d", "e"]
    assert share(state, "o:1:c") == []
    assert share(state, "m:1:a") == ["a", "b"]
    assert share(state, "o:1:c") == ["c"]
    assert (share(state, "m:1:a"), share(state, "n:1:b"), share(state, "o:1:c")) == (["a", "b"], ["d", "e"], ["c"])


def test_after_its_lease_the_others_take_over(state: State) -> None:
    share(state, "m:1:a")
    assert share(state, "n:1:b", NOW + SPAN - timedelta(seconds=1)) == []
    assert share(state, "n:1:b", NOW + SPAN) == BRANDS
    with state.begin() as conn:
        assert not leases.holds(conn, "brand", "a", "m:1:a") and leases.holds(conn, "brand", "a", "n:1:b")
        assert set(leases.holders(conn, "brand", NOW + SPAN).values()) == {"n:1:b"}


def test_a_dead_process_of_this_machine_is_not_waited_for(state: State) -> None:
    here = socket.gethostname()
    share(state, f"{here}:999999999:old")
    assert share(state, f"{here}:{os.getpid()}:new") == BRANDS


def test_a_process_of_another_container_with_this_host_name_keeps_its_leases(
    state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both count their processes from one: of the other's numbers, here, none may be running."""

    def named_in(space: int) -> str:
        (link := tmp_path / f"ns{space}").symlink_to(f"pid:[{space}]")
        monkeypatch.setattr(workers, "_NAMESPACE", link)
        return workers.worker_name()

    one, other = named_in(4026532001), named_in(4026532002)
    assert share(state, one) == BRANDS
    assert share(state, other) == []
    assert share(state, other, NOW + SPAN) == BRANDS
    machine, _, _ = one.split(":")
    assert workers.is_dead(f"{machine}:999999999:old", one) and not workers.is_dead(f"{machine}:999999999:old", other)


def test_where_the_system_tells_no_space_the_host_name_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_NAMESPACE", tmp_path / "none")
    assert workers.worker_name().startswith(f"{socket.gethostname()}:{os.getpid()}:")


def test_who_leaves_gives_everything_back(state: State) -> None:
    share(state, "m:1:a")
    with state.begin() as conn:
        leases.leave(conn, "m:1:a")
    assert share(state, "n:1:b") == BRANDS


def test_one_duty_one_worker(state: State) -> None:
    with state.begin() as conn:
        assert leases.take(conn, "duty", "purge", "m:1:a", NOW, NOW + SPAN)
        assert leases.take(conn, "duty", "purge", "m:1:a", NOW, NOW + SPAN)
        assert not leases.take(conn, "duty", "purge", "n:1:b", NOW, NOW + SPAN)
        assert leases.take(conn, "duty", "purge", "n:1:b", NOW + SPAN, NOW + 2 * SPAN)
