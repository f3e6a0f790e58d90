"""Pages and interface with the state on PostgreSQL: the same words and numbers as from the file, and people's acts."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from threading import Event

import pytest
from fastapi.testclient import TestClient
from postgres import Postgres, server_table
from webhouse import Enter, form_token, seeded

from dashboards.probe import FRESH, Probe
from pipeline.configuration import StateTable
from pipeline.state.copying import copy_state
from pipeline.state.opening import open_state

PATHS = [
    "/", "/mentions", "/incidents", "/incidents/R-0001", "/incidents/R-0001?action=acknowledge", "/sources",
    "/sources/portal-d", f"/mentions/{seeded()[0].uid}", "/api/situation", "/api/incidents", "/api/incidents/R-0001",
    "/api/silences", "/api/sources", "/api/sources/portal-d", f"/api/mentions/{seeded()[0].uid}", "/metrics",
    "/healthz",
]  # fmt: skip


@pytest.fixture(scope="module")
def moved(postgres: Postgres, seed: Path) -> StateTable:
    """The state of the seed, on the server."""
    table = server_table(postgres)
    with closing(open_state(seed)) as old, closing(open_state(seed, table)) as new:
        copy_state(old, new)
    return table


@pytest.fixture
def served(seed: Path, moved: StateTable, enter: Enter) -> Iterator[TestClient]:
    yield enter(seed, state=moved)


@pytest.mark.parametrize("path", PATHS)
def test_every_page_says_the_same(browser: TestClient, served: TestClient, path: str) -> None:
    mine, other = (shown(client, path) for client in (served, browser))
    assert mine == other


def shown(client: TestClient, path: str) -> str:
    """The answer without what is made anew for each: tokens, and figures of the process itself."""
    answer = client.get(path)
    assert answer.status_code == 200
    text = re.sub(r'name="token" value="[^"]+"', "", answer.text)
    return "\n".join(line for line in text.splitlines() if not line.startswith(("process_", "python_")))


def test_what_people_do_is_kept_there(postgres: Postgres, folder: Path, enter: Enter) -> None:
    table = server_table(postgres)
    with closing(open_state(folder)) as old, closing(open_state(folder, table)) as new:
        copy_state(old, new)
    (folder / "state.db").unlink()
    client = enter(folder, state=table)
    token = form_token(client, "/incidents/R-0001?action=acknowledge")
    done = client.post("/incidents/R-0001/acknowledge", data={"token": token, "by": "Erika"})
    assert done.status_code == 303
    assert client.get("/api/incidents/R-0001").json()["acknowledged_by"] == "Erika"
    assert not (folder / "state.db").exists()


def test_a_server_without_tables_is_waited_for(postgres: Postgres, folder: Path, enter: Enter) -> None:
    client = enter(folder, state=server_table(postgres, empty=True))
    health = client.get("/healthz")
    assert (health.status_code, health.json()["state"]) == (503, "the state database is not there yet")


STORELESS = {"en": "The mention store does not answer.", "de": "Der Speicher der Erwähnungen antwortet nicht."}


@pytest.mark.parametrize("language", STORELESS)
@pytest.mark.parametrize("path", ["/", "/sources", "/sources/portal-d", "/incidents", "/mentions", "/api"])
def test_every_page_says_that_the_store_does_not_answer(folder: Path, enter: Enter, path: str, language: str) -> None:
    away = {"engine": "elasticsearch", "urls": ["http://127.0.0.1:9"], "patience": "0s"}
    told = enter(folder, store=away).get(path, headers={"Accept-Language": language}).text
    assert told.count(STORELESS[language]) == 1 and "nothing listens there" in told


def test_a_page_says_nothing_of_a_store_that_answers(browser: TestClient) -> None:
    assert STORELESS["en"] not in browser.get("/sources", headers={"Accept-Language": "en"}).text


def test_a_store_that_hangs_hangs_no_page() -> None:
    asked, go, now = list[int](), Event(), [100.0]

    def ask() -> str:
        asked.append(1)
        go.wait(90)
        return "" if len(asked) == 1 else "away"

    probe = Probe(ask, patience=0.0, monotonic=lambda: now[0])
    assert (probe.trouble(), probe.trouble(), len(asked)) == (None, None, 1)
    go.set()
    assert until(probe.trouble) == ""
    now[0] += FRESH
    assert until(probe.trouble) == "away" and len(asked) == 2


def until(look: Callable[[], str | None]) -> str:
    """The first answer."""
    deadline = time.monotonic() + 90
    while (found := look()) is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


def test_a_server_that_does_not_answer_is_said(folder: Path, enter: Enter) -> None:
    client = enter(folder, state={"url": "postgresql://warte:geheim@127.0.0.1:9/warte"})
    for path in ("/", "/api/situation", "/healthz"):
        answer = client.get(path)
        assert answer.status_code == 503 and "cannot be reached" in answer.text and "geheim" not in answer.text
    assert "The state database does not answer." in client.get("/", headers={"Accept-Language": "en"}).text
