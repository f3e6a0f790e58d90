"""Writing the first ``sturmwarte.toml``: answers in, commented text out."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from ipaddress import ip_address
from string import Template
from urllib.parse import urlsplit

from pipeline.toml_checks import is_loopback

MAIL_PORT, TLS_PORT = 587, 465


@dataclass(frozen=True)
class NewSource:
    """A place to watch: its id, the spider that reads it, its address, further lines of its table."""

    id: str
    spider: str
    url: str
    extra: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answers:
    """What a person said, or what stands for it. Empty: not said."""

    brand: str
    domain: str = ""
    contact: str = ""
    mail_server: str = ""
    receiver: str = ""
    sources: tuple[NewSource, ...] = ()
    language: str = "de"


def write_toml(answers: Answers) -> str:
    """The whole text of a configuration in the person's language."""
    host, port, security = mail_server(answers.mail_server)
    template = Template(files(__package__).joinpath(f"initial.{answers.language}.toml").read_text("utf-8"))
    return template.substitute(
        contact=quoted(answers.contact),
        language=quoted(answers.language),
        id=identifier(answers.brand),
        name=quoted(answers.brand),
        domains=f"[{quoted(answers.domain)}]" if answers.domain else "[]",
        sources="\n".join(_source(source) for source in answers.sources),
        allow_private=_private(answers.sources),
        receiver=_receiver(answers),
        server=quoted(host),
        port=port,
        security=quoted(security),
        sender=_optional("sender", answers.contact if "@" in answers.contact else answers.receiver),
    )


def quoted(text: str) -> str:
    """A TOML string."""
    return json.dumps("".join(sign for sign in text if sign.isprintable()), ensure_ascii=False)


def identifier(name: str, taken: Sequence[str] = ()) -> str:
    """An id made of a name, unlike all that are taken."""
    plain = name.casefold()
    for sign, written in {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "&": "und"}.items():
        plain = plain.replace(sign, written)
    stem = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:50] or "x"
    candidates = [stem, *(f"{stem}-{number}" for number in range(2, len(taken) + 3))]
    return next(candidate for candidate in candidates if candidate not in taken)


def mail_server(text: str) -> tuple[str, int, str]:
    """(host, port, security) of ``smtp.example.org`` or ``smtp.example.org:465``. Raises ValueError."""
    parts = urlsplit(f"//{text}")
    host, port = parts.hostname or "", parts.port or MAIL_PORT
    if is_loopback(f"//{text}"):
        return host, port, "none"
    return host, port, "tls" if port == TLS_PORT else "starttls"


def _source(source: NewSource) -> str:
    lines = (f"[sources.{source.id}]", f"spider = {quoted(source.spider)}", f"url = {quoted(source.url)}")
    return "\n".join((*lines, *source.extra)) + "\n"


def _receiver(answers: Answers) -> str:
    if not answers.receiver:
        return '# [receivers.pr]\n# address = "pr@example.org"\n'
    keys = (f"address = {quoted(answers.receiver)}", f"language = {quoted(answers.language)}", "operator = true")
    return "\n".join(("[receivers.pr]", *keys, ""))


def _optional(key: str, value: str) -> str:
    return f"{key} = {quoted(value)}" if value else f'# {key} = "sturmwarte@example.org"'


def _private(sources: Sequence[NewSource]) -> str:
    """Hosts of the own network that a person named as sources are allowed; others stay refused."""
    hosts = dict.fromkeys(host for source in sources for host in private_host(source.url))
    return "[" + ", ".join(quoted(host) for host in hosts) + "]"


def private_host(url: str) -> tuple[str, ...]:
    """The host of an address that a person has just named, where it must be allowed for that: it is not public."""
    return (urlsplit(url).hostname or "",) if is_private(url) else ()


def is_private(url: str) -> bool:
    """Whether the address names a host of the own machine or network."""
    try:
        address = ip_address(urlsplit(url).hostname or "")
    except ValueError:
        return is_loopback(url)
    return not address.is_global
