"""What pydantic cannot see in a configuration: names that refer to nothing, and settings that will disappoint."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pipeline.configuration import Configuration
from pipeline.findings import nearest_word, without_credentials
from pipeline.query.errors import QueryError
from pipeline.query.parse import Known, parse

ORDINARY_WORDS = frozenset(
    {
        "bahn",
        "post",
        "apple",
        "otto",
        "sky",
        "penny",
        "real",
        "netto",
        "linde",
        "eon",
        "ing",
        "spiegel",
        "stern",
        "focus",
    }
    | {
        "zeit",
        "welt",
        "bild",
        "shell",
        "orange",
        "target",
        "united",
        "windows",
        "chrome",
        "signal",
        "discovery",
        "visa",
    }
    | {"express", "fischer", "schneider", "müller", "kaiser", "merkur", "galaxy", "gap", "amazon", "oracle", "snap"}
    | {"meta", "lime", "bolt", "wolt", "fonic", "base", "fraenk", "smart", "mini", "seat", "golf", "polo", "hermes"}
)
"""Names of companies that are words or names of other things: without context words they are found too often."""


class Add(Protocol):
    """Notes a finding."""

    def __call__(
        self,
        path: tuple[str | int, ...],
        problem: str,
        *,
        value: object = None,
        nearest: str | None = None,
        **details: str,
    ) -> None: ...


class References:
    """Names in the raw tables that must be names of something else there. Works on whatever the file holds."""

    def __init__(self, raw: Mapping[str, Any], add: Add) -> None:
        self.raw, self.add = raw, add

    def check(self, spiders: Iterable[str], rules: Iterable[str], notifiers: Iterable[str]) -> None:
        """All references and addresses."""
        brands, receivers = list(self._table("brands")), list(self._table("receivers"))
        self._names("sources", "spider", spiders, "unknown_spider", retired=True)
        self._names("sources", "about", brands, "unknown_brand")
        self._names("journalists", "sources", self._table("sources"), "unknown_source")
        self._names("rules", "rule", rules, "unknown_rule")
        self._names("rules", "brands", brands, "unknown_brand")
        self._names("rules", "receivers", receivers, "unknown_receiver")
        self._names("receivers", "notifier", notifiers, "unknown_notifier")
        self._queries(brands)
        self._zones()
        self._addresses()
        self._store()
        self._state()

    def _table(self, section: str) -> dict[str, Any]:
        table = self.raw.get(section)
        return table if isinstance(table, dict) else {}

    def _entries(self, section: str) -> Iterable[tuple[str, dict[str, Any]]]:
        return ((name, entry) for name, entry in self._table(section).items() if isinstance(entry, dict))

    def _names(self, section: str, key: str, known: Iterable[str], problem: str, *, retired: bool = False) -> None:
        """Each word under ``key`` must be among the known ones; the kind of what is ``retired`` may be gone."""
        words = sorted(known)
        for name, entry in self._entries(section):
            if retired and entry.get("retired") is True:
                continue
            value = entry.get(key)
            places = enumerate(value) if isinstance(value, list) else [(None, value)]
            for position, word in places:
                if isinstance(word, str) and word not in words:
                    path = (section, name, key) if position is None else (section, name, key, position)
                    listed = ", ".join(words) or "–"
                    self.add(path, problem, value=word, nearest=nearest_word(word, words), words=listed)

    def _queries(self, brands: list[str]) -> None:
        """Searches of rules name brands and sources, too."""
        known = Known(brands=frozenset(brands), sources=frozenset(self._table("sources")))
        for name, entry in self._entries("rules"):
            query = entry.get("query")
            if isinstance(query, str):
                try:
                    parse(query, now=datetime(2026, 1, 1, tzinfo=UTC), zone=ZoneInfo("UTC"), known=known)
                except QueryError as error:
                    self.add(("rules", name, "query"), "invalid", error=str(error))

    def _zones(self) -> None:
        places: list[tuple[tuple[str | int, ...], object]] = [(("zone",), self.raw.get("zone"))]
        places += [(("sources", name, "zone"), entry.get("zone")) for name, entry in self._entries("sources")]
        for path, zone in places:
            if isinstance(zone, str) and not is_zone(zone):
                self.add(path, "unknown_zone", value=zone, nearest=nearest_word(zone, available_timezones()))

    def _addresses(self) -> None:
        for name, entry in self._entries("sources"):
            if isinstance(entry.get("url"), str) and not is_place(entry["url"]):
                self.add(("sources", name, "url"), "bad_address", value=entry["url"])
        if isinstance(self.raw.get("public_url"), str) and not is_address(self.raw["public_url"]):
            self.add(("public_url",), "bad_address", value=self.raw["public_url"])
        kibana = self._table("dashboards").get("kibana_url")
        if isinstance(kibana, str) and kibana and not is_address(kibana):
            self.add(("dashboards", "kibana_url"), "bad_address", value=without_credentials(kibana))
        for name, entry in self._entries("receivers"):
            if entry.get("notifier", "email") == "email" and "@" not in str(entry.get("address", "")):
                self.add(("receivers", name, "address"), "bad_mail_address", value=entry.get("address"))

    def _store(self) -> None:
        """Addresses of Elasticsearch: there, readable, and not such that they tell passwords on the way or in logs."""
        table = self._table("store")
        urls = table.get("urls", [])
        if table.get("engine") != "elasticsearch" or not isinstance(urls, list):
            return
        if not urls:
            self.add(("store", "urls"), "no_store_urls")
        for position, url in enumerate(urls):
            path = ("store", "urls", position)
            if not isinstance(url, str):
                continue
            if not is_address(url):
                self.add(path, "bad_address", value=without_credentials(url))
            elif has_credentials(url):
                self.add(path, "credentials_in_address")
            elif urlsplit(url).scheme == "http" and not is_loopback(url) and table.get("plain_http") is not True:
                self.add(path, "plain_http", value=url)
        if table.get("username") and table.get("api_key_file"):
            self.add(("store", "username"), "two_credentials")

    def _state(self) -> None:
        """The address of PostgreSQL, which may hold a password: never repeated."""
        table = self._table("state")
        url = table.get("url")
        if url and table.get("url_file"):
            self.add(("state", "url"), "two_addresses")
        if isinstance(url, str) and url and not is_database(url):
            self.add(("state", "url"), "bad_database")


def warnings_of(configuration: Configuration, add: Add) -> None:
    """What is allowed and will disappoint."""
    mailed = [receiver for receiver in configuration.receivers.values() if receiver.notifier == "email"]
    if not configuration.contact:
        add(("contact",), "no_contact")
    if not configuration.brands:
        add(("brands",), "no_brands")
    if not configuration.sources:
        add(("sources",), "no_sources")
    if not configuration.rules:
        add(("rules",), "no_rules")
    if not configuration.receivers:
        add(("receivers",), "no_receivers")
    if mailed and is_loopback(configuration.public_url):
        add(("public_url",), "loopback_url", value=configuration.public_url)
    if mailed and not configuration.mail.server:
        add(("mail", "server"), "no_mail_server")
    _secret_files(configuration, add)
    _unused_store(configuration, add)
    _twins(configuration, add)
    _names(configuration, add)


def _names(configuration: Configuration, add: Add) -> None:
    """Names that are ordinary words, and words for names that the brand does not have."""
    for identifier, brand in configuration.brands.items():
        known = [brand.name, *brand.names, *brand.aliases, *brand.persons]
        folded = {name.casefold() for name in known}
        for key in ("ambiguous", "unless"):
            for name in getattr(brand, key):
                if name.casefold() not in folded:
                    add(("brands", identifier, key), "no_such_name", value=name, words=", ".join(known))
        if brand.name.casefold() in ORDINARY_WORDS and not (brand.context or brand.unless or brand.exclusions):
            add(("brands", identifier, "name"), "ordinary_word", value=brand.name)


def _secret_files(configuration: Configuration, add: Add) -> None:
    store, state = configuration.store, configuration.state
    for section, key, file in (
        ("mail", "password_file", configuration.mail.password_file),
        ("web", "password_file", configuration.web.password_file),
        ("store", "ca_file", store.ca_file),
        ("store", "password_file", store.password_file),
        ("store", "api_key_file", store.api_key_file),
        ("state", "url_file", state.url_file),
    ):
        if file is not None and not Path(file).is_file():
            add((section, key), "no_secret_file", file=str(file))


def _unused_store(configuration: Configuration, add: Add) -> None:
    """Keys of a server beside the engine that has none: most likely the engine was forgotten."""
    if configuration.store.engine == "sqlite":
        for key in ("urls", "ca_file", "username", "password_file", "api_key_file"):
            if getattr(configuration.store, key):
                add(("store", key), "store_unused")
        if configuration.dashboards.kibana_url:
            add(("dashboards", "kibana_url"), "store_unused")


def _twins(configuration: Configuration, add: Add) -> None:
    """Two sources that read the same place double the requests and nothing else."""
    first: dict[tuple[str, str, str], str] = {}
    for name, source in configuration.sources.items():
        key = (source.spider, source.url, repr(sorted(source.options.items())))
        if key in first:
            add(("sources", name), "twin_source", other=first[key])
        first.setdefault(key, name)


def is_zone(name: str) -> bool:
    """Whether a time zone of that name exists."""
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # names with slashes or dots lead to odd files
        return False
    return True


def is_address(url: str) -> bool:
    """Whether it is an http(s) address with a host."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False


def is_place(url: str) -> bool:
    """Whether it is an address of a kind that some spider reads: of the web, a stream or a mailbox, with a host."""
    scheme, _, rest = url.partition("://")
    return is_address(f"https://{rest}") and scheme.lower() in ("http", "https", "ws", "wss", "imap", "imaps")


def is_database(url: str) -> bool:
    """Whether it is an address of a PostgreSQL database; an address without a host means the local socket."""
    try:
        parts = urlsplit(url.strip())
        return parts.scheme in ("postgresql", "postgres", "postgresql+psycopg") and len(parts.path) > 1
    except ValueError:
        return False


def has_credentials(url: str) -> bool:
    """Whether an address holds a name or a password."""
    return "@" in urlsplit(url).netloc


def is_loopback(url: str) -> bool:
    """Whether only this machine can open the address."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback or ip_address(host).is_unspecified
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
