"""``sturmwarte init``: the first configuration, asked or by flags, and what it would find."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from pipeline.i18n import Speech
from pipeline.toml_checks import is_address
from sturmwarte.commands.shared import (
    FILE,
    JsonOption,
    Refused,
    guarded,
    note,
    one_of,
    print_json,
    print_table,
)
from sturmwarte.initialise import Answers, NewSource, identifier, mail_server, private_host, write_toml
from sturmwarte.preview import Preview, fetcher, look_at
from sturmwarte.service import clock_from
from sturmwarte.speech import speech_for

SHOWN = 3


@guarded
def init(
    brand: Annotated[str | None, typer.Option("--brand", help="option.init_brand")] = None,
    domain: Annotated[str | None, typer.Option("--domain", help="option.init_domain")] = None,
    contact: Annotated[str | None, typer.Option("--contact", help="option.init_contact")] = None,
    server: Annotated[str | None, typer.Option("--mail-server", metavar="HOST[:PORT]", help="option.init_mail")] = None,
    receiver: Annotated[str | None, typer.Option("--receiver", metavar="ADDRESS", help="option.init_receiver")] = None,
    source: Annotated[
        list[str] | None, typer.Option("--source", metavar="[SPIDER=]URL", help="option.init_source")
    ] = None,
    language: Annotated[str | None, typer.Option("--language", metavar="de|en", help="option.init_language")] = None,
    file: Annotated[Path, typer.Option("--config", metavar="FILE", help="option.init_file")] = Path(FILE),
    yes: Annotated[bool, typer.Option("--yes", "-y", help="option.init_yes")] = False,
    force: Annotated[bool, typer.Option("--force", help="option.init_force")] = False,
    preview: Annotated[bool, typer.Option("--preview/--no-preview", help="option.init_preview")] = True,
    as_json: JsonOption = False,
) -> None:
    """help.init"""
    speech = speech_for()
    if file.exists() and not force:
        raise Refused("init.exists", file=str(file))
    asked = _Asked(speech, interactive=not yes and not as_json and sys.stdin.isatty())
    name = asked.text("brand", brand)
    if not name:
        raise Refused("init.no_brand")
    words = {key: asked.text(key, value) for key, value in (("domain", domain), ("contact", contact))}
    words |= {"mail_server": asked.text("mail_server", server), "receiver": asked.text("receiver", receiver)}
    _checked(words["mail_server"], words["receiver"])
    urls = source if source is not None else asked.text("source", None).split()
    looks = [_look(url, words["contact"], preview) for url in urls]
    answers = Answers(
        brand=name,
        sources=_sources(name, looks),
        language=one_of(language, ["de", "en"], "unknown_language") if language else speech.language,
        **words,
    )
    file.write_text(write_toml(answers), "utf-8")
    _report(file, looks, speech, as_json)


class _Asked:
    """Asks for what no flag said, where there is somebody to ask."""

    def __init__(self, speech: Speech, *, interactive: bool) -> None:
        self._speech, self._interactive = speech, interactive

    def text(self, name: str, flag: str | None) -> str:
        if flag is not None or not self._interactive:
            return (flag or "").strip()
        return str(typer.prompt(self._speech.say(f"command.init.ask.{name}"), default="", show_default=False)).strip()


def _checked(server: str, receiver: str) -> None:
    try:
        mail_server(server)
    except ValueError:
        raise Refused("init.bad_server", text=server) from None
    if receiver and "@" not in receiver:
        raise Refused("init.bad_receiver", text=receiver)


def _look(text: str, contact: str, preview: bool) -> Preview:
    """What a source given as ``[SPIDER=]URL`` is; without a look a feed is taken for granted."""
    from sturmwarte.registry import build_registry

    match = re.fullmatch(r"(?:([a-z0-9_-]+)=)?(https?://.+)", text)
    if match is None or not is_address(match[2]):
        raise Refused("bad_address", text=text)
    spider = one_of(match[1], list(build_registry().spiders), "unknown_spider") if match[1] else None
    if not preview:
        return Preview(match[2], spider or "feed")
    fetch = fetcher(contact, private_host(match[2]))
    found = look_at(match[2], fetch, clock_from().now(), ZoneInfo("Europe/Berlin"), spider or "auto")
    return replace(found, spider=spider or found.spider)


def _sources(brand: str, looks: list[Preview]) -> tuple[NewSource, ...]:
    from pipeline.identity import origin_of
    from sturmwarte.initialise import quoted

    found: list[NewSource] = []
    for look in looks:
        name = identifier(origin_of(look.url), [source.id for source in found])
        extra = (f"queries = [{quoted(brand)}]",) if look.spider == "searxng" else ()
        found.append(NewSource(name, look.spider or "feed", look.url, extra))
    return tuple(found)


def _report(file: Path, looks: list[Preview], speech: Speech, as_json: bool) -> None:
    """What the new configuration would find, what it lacks, and what comes next."""
    from pipeline.matching import explain
    from pipeline.toml import examine
    from sturmwarte.registry import build_registry

    examined = examine(file, build_registry())
    brands = examined.configuration.brands
    brand = next(iter(brands.values()))
    sentences = [speech.say(f"command.init.sample.{key}", name=brand.name) for key in ("one", "two", "three")]
    found = [explain(brands, sentence) for sentence in sentences]
    if as_json:
        warnings = [warning.document(speech) for warning in examined.warnings]
        sources = [
            {"url": look.url, "spider": look.spider, "items": len(look.items), "problem": look.problem}
            for look in looks
        ]
        print_json({"file": str(file), "samples": found, "sources": sources, "findings": warnings})
        return
    typer.echo(speech.say("command.init.written", file=str(file)))
    print_table(
        [speech.say(f"command.init.{name}") for name in ("sentence", "hit")], [_sample(one, speech) for one in found]
    )
    for look in looks:
        show_look(look, speech)
    for warning in examined.warnings:
        note(warning.text(speech))
    typer.echo(speech.say("command.init.next"))


def _sample(found: dict[str, Any], speech: Speech) -> tuple[str, str]:
    hits = "; ".join(hit["why"] for hit in found["brands"])
    return found["text"], hits or speech.say("command.match.none")


def show_look(look: Preview, speech: Speech) -> None:
    """Tell a person what an address would give."""
    if look.problem:
        note(speech.say("command.init.unreadable", url=look.url, why=look.problem))
        return
    key, count = ("readable", len(look.items)) if look.items or not look.threads else ("board", look.threads)
    typer.echo(speech.say(f"command.init.{key}", url=look.url, spider=look.spider, n=count))
    for item in look.items[:SHOWN]:
        text = " ".join(f"{item.get('title') or ''} {item.get('text') or ''}".split())
        typer.echo(f"  · {text[:90]}")
