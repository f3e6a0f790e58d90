"""Pages and interface with the state on PostgreSQL: the same words and numbers as from the file, and people's acts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from postgres import Postgres, server_table
from webhouse import Enter, form_token, seeded

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


def test_a_server_that_does_not_answer_is_said(folder: Path, enter: Enter) -> None:
    client = enter(folder, state={"url": "postgresql://warte:geheim@127.0.0.1:9/warte"})
    for path in ("/", "/api/situation", "/healthz"):
        answer = client.get(path)
        assert answer.status_code == 503 and "cannot be reached" in answer.text and "geheim" not in answer.text
    assert "The state database does not answer." in client.get("/", headers={"Accept-Language": "en"}).text
