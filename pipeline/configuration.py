"""The one configuration: what ``sturmwarte.toml`` may say. Loading and its error messages: ``pipeline.toml``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, SecretStr

from pipeline.duration import format_duration, parse_duration
from pipeline.words import BrandKind, Channel

Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
]
"""A span of time written as ``30s``, ``5m``, ``4h``, ``14d``."""

Language = Literal["de", "en"]
Identifier = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]


class Table(BaseModel):
    """A table of the configuration; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Brand(Table):
    """What is watched: ``[brands.ID]``."""

    name: str = Field(min_length=1, description="The name people read; also matched.")
    names: tuple[str, ...] = Field((), description="Further spellings of the name.")
    aliases: tuple[str, ...] = Field((), description="Other things that mean the brand: products, campaign names.")
    exclusions: tuple[str, ...] = Field(
        (), description="Words and phrases that contain the name and do not mean the brand."
    )
    context: tuple[str, ...] = Field(
        (),
        description="If set, an ambiguous name counts only with one of these words in the text, title or thread.",
    )
    ambiguous: tuple[str, ...] = Field(
        (), description="The names that need context; empty: all names. db stands for DB in lower case only."
    )
    unless: dict[str, tuple[str, ...]] = Field(
        {}, description="Name = words beside which, in one sentence, that name means something else."
    )
    typos: bool = Field(False, description="Whether names with one slip in a long word (Telekon) are found too.")
    accounts: tuple[str, ...] = Field((), description="Own accounts (without @): their words are not opinion.")
    domains: tuple[str, ...] = Field((), description="Own domains.")
    staff: tuple[str, ...] = Field((), description="Accounts of own staff.")
    persons: tuple[str, ...] = Field((), description="Persons who stand for the brand.")
    kind: BrandKind = Field(BrandKind.BRAND, description="What the watched thing is.")


class Source(Table):
    """A place to watch: ``[sources.ID]``. Further keys are the options of its spider."""

    model_config = ConfigDict(extra="allow", frozen=True)

    spider: str = Field(description="Kind of source, such as feed or phpbb.")
    url: str = Field(description="Address that is read.")
    channel: Channel | None = Field(None, description="Kind of place; the spider's own where not given.")
    about: str | None = Field(None, description="Brand that everything here is about.")
    name: str = Field("", description="What people read; the id where not given.")
    interval: Duration | None = Field(
        None, description="Time between two visits; adapted to how much is posted where not given."
    )
    backfill: Duration = Field(timedelta(days=30), description="How far back the first visit reads.")
    paused: bool = Field(False, description="Not visited for now.")
    js: bool = Field(False, description="Its pages are filled by scripts: they are run in Chromium first (extra js).")
    retired: bool = Field(False, description="No longer visited; its history stays.")
    zone: str | None = Field(
        None, description="Time zone of times printed without one; the general one where not given."
    )
    may_answer: Literal["yes", "no", "ask"] = Field(
        "ask", description="Whether own people may answer here: yes, no, or ask the operator first."
    )
    disclosure: str = Field("", description="How who answers here for the brand must say so.")
    etiquette: str = Field("", description="What else is to be minded here, such as the rules of the house.")

    @property
    def options(self) -> dict[str, Any]:
        """The keys that belong to the spider."""
        return dict(self.model_extra or {})


class Journalist(Table):
    """Somebody whose word alone matters, or an outlet: ``[journalists.ID]``. Found with ``is:press``."""

    name: str = Field(min_length=1, description="The name people read; also looked for in the bylines of articles.")
    names: tuple[str, ...] = Field((), description="Further spellings of the name.")
    accounts: tuple[str, ...] = Field((), description="Accounts in social networks (without @).")
    outlets: tuple[str, ...] = Field(
        (), description="Domains, or beginnings of addresses there, where the name means them; empty: everywhere."
    )
    whole: bool = Field(False, description="Every article of these outlets counts, whoever wrote it.")
    sources: tuple[Identifier, ...] = Field(
        (), description="Sources that bring nothing but theirs, such as the feed of a column."
    )


class RuleEntry(Table):
    """A rule in force: ``[rules.ID]``. Further keys are the options of its kind."""

    model_config = ConfigDict(extra="allow", frozen=True)

    rule: str = Field(description="Kind of rule, such as surge or keyword.")
    brands: tuple[str, ...] = Field((), description="Brands it watches; empty: all.")
    receivers: tuple[str, ...] = Field((), description="Who is told; empty: all.")
    enabled: bool = Field(True, description="False: not in force for now.")

    @property
    def options(self) -> dict[str, Any]:
        """The keys that belong to the rule."""
        return dict(self.model_extra or {})


class Receiver(Table):
    """Who is told: ``[receivers.ID]``. Further keys are the options of its notifier."""

    model_config = ConfigDict(extra="allow", frozen=True)

    notifier: str = Field("email", description="Way to reach them.")
    address: str = Field("", description="Where the notifier sends to, such as a mail address.")
    name: str = Field("", description="What people read; the id where not given.")
    language: Language = Field("de", description="Of the messages.")
    min_level: int = Field(2, ge=0, le=6, description="Lowest wind force that is sent.")
    operator: bool = Field(False, description="Also told when a source is blind.")

    @property
    def options(self) -> dict[str, Any]:
        """The keys that belong to the notifier."""
        return dict(self.model_extra or {})


class Mail(Table):
    """The mail server: ``[mail]``. The password comes from a file or from the environment, never from here."""

    server: str = Field("", description="Host name of the mail server; empty: warnings stay where they are.")
    port: int = Field(587, ge=1, le=65535, description="Its port.")
    security: Literal["starttls", "tls", "none"] = Field("starttls", description="How the connection is secured.")
    user: str = Field("", description="Name to sign in with; empty: no sign-in.")
    password_file: Path | None = Field(None, description="File with the password, and nothing else.")
    password_env: str = Field("STURMWARTE_MAIL_PASSWORD", description="Environment variable with the password.")
    sender: str = Field("", description="Address mails come from; the contact address where not given.")
    timeout: Duration = Field(timedelta(seconds=30), description="How long one answer of the server may take.")


class Web(Table):
    """The pages: ``[web]``."""

    host: str = Field("127.0.0.1", description="Address to listen at; beyond this machine a password is needed.")
    port: int = Field(8640, ge=0, le=65535, description="Port to listen at.")
    password_file: Path | None = Field(None, description="File with the password or an argon2 hash of it.")
    password_env: str = Field("STURMWARTE_WEB_PASSWORD", description="Environment variable with the password.")


class Crawl(Table):
    """How politely is read: ``[crawl]``."""

    delay: float = Field(2.0, ge=0, description="Seconds between two requests to one host.")
    timeout: Duration = Field(timedelta(seconds=30), description="How long one answer may take.")
    max_bytes: int = Field(5_000_000, ge=10_000, description="Larger pages are not read.")
    max_pages: int = Field(50, ge=1, description="Pages one visit may read beside the lists.")
    allow_private: tuple[str, ...] = Field(
        (), description="Hosts or addresses inside the own network that may be read, such as 127.0.0.1."
    )
    browser: Path | None = Field(None, description="Chromium that runs the pages of sources with js = true.")
    threads: int = Field(8, ge=1, description="Sources that are read at the same time.")
    budget: int | None = Field(
        None,
        ge=1,
        description="Requests one host gets within an hour; two thirds of what the delay allows if not given.",
    )

    @property
    def hourly(self) -> int | None:
        """Requests one host gets within an hour; None: as many as its turns allow."""
        return self.budget or (max(int(2400 / self.delay), 1) if self.delay > 0 else None)


class Retention(Table):
    """How long things are kept: ``[retention]``."""

    mentions: Duration = Field(timedelta(days=730), description="Mentions, by the time they were published.")
    raw: Duration = Field(timedelta(days=14), description="Pages and answers as they were read.")
    fetches: Duration = Field(timedelta(days=30), description="The record of single requests.")


class Counting(Table):
    """How numbers are made: ``[counting]``."""

    min_n: int = Field(20, ge=1, description="Fewer opinions than this have no share.")


class StoreTable(Table):
    """Where mentions live: ``[store]``. Passwords and keys come from files or from the environment, never from here."""

    engine: Literal["sqlite", "elasticsearch"] = Field(
        "sqlite", description="Kind of store: a file in the data folder, or a server."
    )
    urls: tuple[str, ...] = Field(
        (), description="Addresses of the Elasticsearch nodes, such as https://search.example.org:9200."
    )
    prefix: Identifier = Field("sturmwarte", description="Beginning of the names of all indices.")
    replicas: int = Field(0, ge=0, description="Copies of every index beside the first; 0 where there is one node.")
    ca_file: Path | None = Field(
        None, description="File with the certificate of the authority that signed the nodes' own; else the usual ones."
    )
    username: str = Field("", description="Name to sign in with.")
    password_file: Path | None = Field(None, description="File with the password, and nothing else.")
    password_env: str = Field("STURMWARTE_STORE_PASSWORD", description="Environment variable with the password.")
    api_key_file: Path | None = Field(
        None, description="File with an API key as Elasticsearch prints it (encoded), in place of name and password."
    )
    api_key_env: str = Field("STURMWARTE_STORE_API_KEY", description="Environment variable with the API key.")
    plain_http: bool = Field(
        False, description="True: http:// is allowed beyond this machine; passwords and texts are readable on the way."
    )
    timeout: Duration = Field(timedelta(seconds=30), description="How long one answer may take.")
    patience: Duration = Field(
        timedelta(seconds=10), description="How long is tried again while nodes are away or busy."
    )


class StateTable(Table):
    """Where sources, incidents and messages are kept: ``[state]``. Without an address: a file in the data folder."""

    url: SecretStr = Field(
        SecretStr(""), description="PostgreSQL database, such as postgresql://user:password@host/sturmwarte."
    )
    url_file: Path | None = Field(None, description="File with that address, and nothing else.")
    url_env: str = Field("STURMWARTE_STATE_URL", description="Environment variable with that address.")


class Dashboards(Table):
    """Dashboards of others beside our pages: ``[dashboards]``."""

    kibana_url: str = Field(
        "", description="Address of Kibana, with /s/NAME where it is in a space; searches then have a link to it."
    )


class Results(Table):
    """How ranked result lists are judged: ``[results]``."""

    critical: tuple[str, ...] = Field((), description="Domains whose results count as critical, whatever they say.")


class Demo(Table):
    """Set by the demonstration only: ``[demo]``."""

    mailbox: Path | None = Field(None, description="File the demonstration's SMTP catcher writes messages to.")


class Configuration(Table):
    """All of ``sturmwarte.toml``."""

    contact: str = Field(
        "", description="Mail address or page for operators of watched sites; nothing is crawled without."
    )
    public_url: str = Field("http://127.0.0.1:8640", description="Address under which receivers reach the pages.")
    data: Path = Field(Path("data"), description="Folder of both databases; relative to this file.")
    languages: tuple[Language, ...] = Field(("de", "en"), description="Languages whose tone is scored.")
    language: Language = Field("de", description="Of the pages.")
    zone: str = Field("Europe/Berlin", description="Time zone people read times in.")
    organisation: str = Field("", description="Named in the user agent.")
    brands: Mapping[Identifier, Brand] = Field(default_factory=dict, description="What is watched.")
    sources: Mapping[Identifier, Source] = Field(default_factory=dict, description="Where is read.")
    journalists: Mapping[Identifier, Journalist] = Field(
        default_factory=dict, description="Whose word alone matters: journalists, columnists, outlets."
    )
    rules: Mapping[Identifier, RuleEntry] = Field(default_factory=dict, description="When is warned; none: surge.")
    receivers: Mapping[Identifier, Receiver] = Field(default_factory=dict, description="Who is warned.")
    mail: Mail = Mail()
    web: Web = Web()
    crawl: Crawl = Crawl()
    retention: Retention = Retention()
    counting: Counting = Counting()
    store: StoreTable = StoreTable()
    state: StateTable = StateTable()
    dashboards: Dashboards = Dashboards()
    results: Results = Results()
    demo: Demo = Demo()

    @property
    def timezone(self) -> ZoneInfo:
        """The time zone people read times in."""
        return ZoneInfo(self.zone)

    def source_name(self, source: str) -> str:
        """What people read for a source id."""
        entry = self.sources.get(source)
        return (entry.name if entry else "") or source

    def brand_name(self, brand: str) -> str:
        """What people read for a brand id."""
        entry = self.brands.get(brand)
        return entry.name if entry else brand
