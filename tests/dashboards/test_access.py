"""Who comes in: host names, the password, sessions, patience; and the headers of every answer."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from webhouse import Enter, form_token

from dashboards.access import Gate, signing_key
from dashboards.hosts import allowed_hosts, host_of, password_needed, same_origin
from pipeline.configuration import Configuration

WORD = "Sturm-im-Glas-7"
OPEN_NET = {"host": "0.0.0.0"}
HOME = "http://warte.example.org"


@pytest.fixture
def networked(seed: Path, enter: Enter, tmp_path: Path):  # type: ignore[no-untyped-def]
    """A browser at pages that are reached over the network."""
    file = tmp_path / "password"
    file.write_text(WORD + "\n")
    return enter(seed, host=HOME, public_url=HOME, web=OPEN_NET | {"password_file": file})


def test_loopback_needs_no_password(browser) -> None:  # type: ignore[no-untyped-def]
    assert browser.get("/").status_code == 200


@pytest.mark.parametrize("name", ["evil.test", "127.0.0.1.evil.test", "", "localhost.evil.test:8640", "[::1"])
def test_other_host_names_are_refused(browser, name: str) -> None:  # type: ignore[no-untyped-def]
    assert browser.get("/", headers={"Host": name}).status_code == 400


def test_the_network_needs_the_password(networked) -> None:  # type: ignore[no-untyped-def]
    page = networked.get("/mentions?q=a+b")
    assert (page.status_code, page.headers["location"]) == (303, "/sign-in?next=%2Fmentions%3Fq%3Da%2Bb")
    assert networked.get("/api/mentions").status_code == 401
    assert networked.get("/metrics").headers["www-authenticate"].startswith("Basic")
    assert networked.get("/healthz").status_code == 200
    token = form_token(networked, "/sign-in?next=/sources")
    wrong = networked.post("/sign-in", data={"token": token, "password": "falsch", "next": "/sources"})
    assert wrong.status_code == 403 and "Das Kennwort stimmt nicht." in wrong.text
    right = networked.post("/sign-in", data={"token": token, "password": WORD, "next": "/sources"})
    assert (right.status_code, right.headers["location"]) == (303, "/sources")
    assert "HttpOnly" in right.headers["set-cookie"]
    assert networked.get("/sources").status_code == 200
    networked.post("/sign-out", data={"token": token})
    assert networked.get("/sources").status_code == 303


def test_programs_use_basic_or_bearer(networked) -> None:  # type: ignore[no-untyped-def]
    basic = "Basic " + base64.b64encode(f"jemand:{WORD}".encode()).decode()
    for header in (basic, f"Bearer {WORD}"):
        assert networked.get("/api/sources", headers={"Authorization": header}).status_code == 200
    for header in ("Bearer nein", "Basic !!!", "Digest x"):
        assert networked.get("/api/sources", headers={"Authorization": header}).status_code == 401


def test_guessing_ends_after_five(networked) -> None:  # type: ignore[no-untyped-def]
    answers = [networked.get("/api/sources", headers={"Authorization": f"Bearer {n}"}).status_code for n in range(6)]
    assert answers == [401] * 5 + [429]
    assert networked.get("/api/sources", headers={"Authorization": f"Bearer {WORD}"}).status_code == 429
    token = form_token(networked, "/sign-in")
    assert networked.post("/sign-in", data={"token": token, "password": WORD}).status_code == 429


def test_sign_in_leads_nowhere_else(networked) -> None:  # type: ignore[no-untyped-def]
    token = form_token(networked, "/sign-in?next=https://evil.test")
    for target in ("https://evil.test", "//evil.test", "/\\evil.test"):
        answer = networked.post("/sign-in", data={"token": token, "password": WORD, "next": target})
        assert answer.headers["location"] == "/"


def test_no_password_set_closes_the_network(seed: Path, enter: Enter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STURMWARTE_WEB_PASSWORD", raising=False)
    client = enter(seed, host=HOME, public_url=HOME, web=OPEN_NET)
    assert client.get("/").status_code == 503
    assert client.get("/healthz").status_code == 200


def test_a_proxy_in_front_of_loopback_needs_the_password() -> None:
    settings = Configuration(public_url=HOME)
    assert password_needed(settings, "warte.example.org") and not password_needed(settings, "127.0.0.1:8640")


@pytest.mark.parametrize("header", ["Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP"])
def test_a_proxy_that_names_loopback_as_host_is_not_taken_for_this_machine(
    seed: Path, enter: Enter, header: str
) -> None:
    assert enter(seed).get("/", headers={header: "192.0.2.7"}).status_code == 503


def test_sessions_end_with_the_password(tmp_path: Path) -> None:
    file = tmp_path / "password"
    settings = Configuration.model_validate({"web": {"password_file": file}})
    gate = Gate(b"k" * 32)
    file.write_text("eins")
    session = gate.session(settings)
    assert gate.is_session(settings, session)
    file.write_text("zwei")
    assert not gate.is_session(settings, session) and not gate.is_session(settings, "in.x.y")


def test_a_hashed_password_works(tmp_path: Path) -> None:
    from argon2 import PasswordHasher

    file = tmp_path / "password"
    file.write_text(PasswordHasher().hash("geheim"))
    gate, settings = Gate(b"k" * 32), Configuration.model_validate({"web": {"password_file": file}})
    assert gate.fits(settings, "geheim") and not gate.fits(settings, file.read_text())


def test_the_key_is_kept_and_private(tmp_path: Path) -> None:
    key = signing_key(tmp_path)
    assert signing_key(tmp_path) == key and (tmp_path / "web.key").stat().st_mode & 0o077 == 0


def test_headers_of_every_answer(browser) -> None:  # type: ignore[no-untyped-def]
    for path in ("/", "/static/style.css", "/api/situation", "/nothing", "/healthz"):
        headers = browser.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "same-origin"


def test_host_names() -> None:
    settings = Configuration(public_url="https://Warte.example.org:8443/")
    assert allowed_hosts(settings) == {"127.0.0.1", "localhost", "::1", "warte.example.org"}
    assert host_of("[::1]:8640") == "::1" and host_of("LOCALHOST:1") == "localhost"


def test_same_origin_rules() -> None:
    own = {"host": "a:1", "origin": "http://a:1"}
    assert same_origin(own) and same_origin({"host": "a:1"}) and same_origin(own | {"sec-fetch-site": "same-origin"})
    assert not same_origin(own | {"sec-fetch-site": "cross-site"}) and not same_origin(own | {"origin": "http://a:2"})
    assert not same_origin(own | {"origin": "http://["}) and not same_origin(own | {"origin": "null"})


@given(st.text())
def test_form_tokens_fit_their_cookie_alone(cookie: str) -> None:
    gate = Gate(b"k" * 32)
    token = gate.form_token(cookie)
    assert gate.is_form_token(cookie, token) == bool(cookie)
    assert not gate.is_form_token(cookie + "x", token) and not gate.is_form_token(cookie, token[:-1] + "é")
