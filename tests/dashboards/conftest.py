"""Browsers at the pages of a small house."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from webhouse import NOW, Enter, configuration, fill

from dashboards.app import create
from pipeline.clock import ManualClock


@pytest.fixture(scope="session")
def seed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that no test changes."""
    folder = tmp_path_factory.mktemp("seed")
    fill(folder)
    return folder


@pytest.fixture
def enter() -> Iterator[Enter]:
    """Makes a browser for a folder: ``enter(folder, **changes of the configuration)``."""
    opened: list[TestClient] = []

    def make(folder: Path, *, host: str = "http://127.0.0.1:8640", **changes: object) -> TestClient:
        settings = configuration(**changes)
        client = TestClient(create(lambda: settings, folder, ManualClock(NOW)), base_url=host, follow_redirects=False)
        client.__enter__()
        opened.append(client)
        return client

    yield make
    for client in opened:
        client.__exit__(None, None, None)


@pytest.fixture
def browser(seed: Path, enter: Enter) -> TestClient:
    """A browser at pages nothing is changed through."""
    return enter(seed)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder of the test's own."""
    fill(tmp_path)
    return tmp_path
