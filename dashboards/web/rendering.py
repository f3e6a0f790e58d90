"""Templates and what they may call: phrases, local numbers and times, links. Everything is escaped."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context

from dashboards.access import FORM_COOKIE
from dashboards.reader import LANGUAGE_COOKIE, LANGUAGES, Reader
from dashboards.web.moments import is_today, local_time
from dashboards.web.strip import strip_of
from pipeline.mention import effective_opinions
from pipeline.reasons import in_words
from pipeline.rows import shown_tone

environment = Environment(
    loader=PackageLoader("dashboards.web"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def web(address: str | None) -> str:
    """An address of the web, or nothing where it is of another kind (``javascript:`` and the like)."""
    return address if address and address.lower().startswith(("http://", "https://")) else ""


@pass_context
def reason(context: Context, stored: str) -> str:
    """A stored reason of a source or fetch in the reader's language."""
    return in_words(stored, context["speech"])


def sentence(words: str) -> str:
    """Words that begin a line: the first letter is a capital."""
    return words[:1].upper() + words[1:]


environment.filters.update(web=web, reason=reason, sentence=sentence)

ARROWS = {"rising": "↑", "steady": "→", "falling": "↓"}


def page(reader: Reader, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """The rendered page for that reader, with the cookies its forms need."""
    text = environment.get_template(template).render(common(reader) | values)
    response = HTMLResponse(text, status)
    secure = reader.request.url.scheme == "https"
    if reader.new_cookie:
        response.set_cookie(FORM_COOKIE, reader.form_cookie, httponly=True, samesite="strict", secure=secure)
    if reader.request.query_params.get("lang") in LANGUAGES:
        response.set_cookie(LANGUAGE_COOKIE, reader.language, max_age=31_536_000, samesite="lax", secure=secure)
    return response


def back(path: str) -> RedirectResponse:
    """To a page of ours after a change, so that reloading repeats nothing."""
    return RedirectResponse(path, 303)


def common(reader: Reader) -> dict[str, Any]:
    """What every template has."""
    speech = reader.speech
    return {
        "say": speech.say,
        "speech": speech,
        "reader": reader,
        "configuration": reader.configuration,
        "now": reader.now,
        "here": reader.request.url.path,
        "link": link,
        "opinions_of": effective_opinions,
        "tone_of": shown_tone,
        "local": local_time(reader),
        "is_today": lambda at: is_today(reader, at),
        "decimal": lambda value, digits: speech.number(value, digits),
        "arrows": ARROWS,
        "strip": strip_of(reader),
        "other_language": "en" if reader.language == "de" else "de",
        "language_link": language_link(reader),
    }


def link(path: str, **parameters: object) -> str:
    """An address of ours with those parameters that have a value; times become ISO."""
    given = {name: _parameter(value) for name, value in parameters.items() if value not in (None, "")}
    return f"{path}?{urlencode(given)}" if given else path


def _parameter(value: object) -> str:
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else str(value)


def language_link(reader: Reader) -> str:
    """This page in the other language."""
    parameters: Mapping[str, str] = dict(reader.request.query_params)
    other = "en" if reader.language == "de" else "de"
    return link(reader.request.url.path, **{**parameters, "lang": other})
