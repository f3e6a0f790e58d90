"""A ``Letter`` as text, as HTML with styles in place, and its chart as pictures, light and dark."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from functools import lru_cache

import css_inline
import jinja2
import msgspec

from alerts import charts, tokens
from alerts.facts import Facts
from alerts.letter import Letter
from alerts.plain import as_html, as_text
from pipeline.i18n import Speech

WIDTH, HEIGHT = 584, 168
"""Of the chart in a mail of 640 pixels."""
_COLUMNS = 76


@lru_cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("alerts"),
        autoescape=jinja2.select_autoescape(("html.j2",), default=False),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters.update(strong=as_html, plain=as_text, wrap=wrap, row=row)
    return environment


@lru_cache
def _inliner() -> css_inline.CSSInliner:
    """Puts styles where every mail program sees them; the rules for dark and narrow screens stay in the head."""
    return css_inline.CSSInliner(keep_at_rules=True, load_remote_stylesheets=False)


def html_part(letter: Letter, speech: Speech, pictures: Mapping[str, str]) -> str:
    """HTML; ``pictures`` are content ids by name: light, dark."""
    page = (
        _templates()
        .get_template("mail.html.j2")
        .render(
            letter=letter,
            pictures=pictures,
            language=speech.language,
            say=speech.say,
            light=tokens.LIGHT,
            dark=tokens.DARK,
            levels=tokens.LEVELS,
            fonts=tokens.FONTS,
            colour=tokens.LEVELS[letter.level] if letter.level is not None else tokens.LIGHT.accent,
            width=WIDTH,
            height=HEIGHT,
            caption=charts.caption(letter.facts, speech) if letter.facts else "",
            alternative=charts.alt_text(letter.facts, speech) if letter.facts else "",
        )
    )
    return _inliner().inline(page)


def text_part(letter: Letter, speech: Speech) -> str:
    """The same in the same order for a reader of plain text."""
    return (
        _templates()
        .get_template("mail.txt.j2")
        .render(
            letter=letter,
            say=speech.say,
            span=max((len(label) for label, _ in letter.rows), default=0),
            caption=charts.caption(letter.facts, speech) if letter.facts else "",
            alternative=charts.alt_text(letter.facts, speech) if letter.facts else "",
            sparkline=charts.sparkline(letter.facts.bars) if letter.facts else "",
        )
    )


def charts_of(letter: Letter, speech: Speech) -> dict[str, bytes]:
    """The chart as PNG for light and dark screens; nothing where there is nothing to draw."""
    if letter.facts is None or not letter.facts.bars:
        return {}
    drawn = msgspec.json.encode(letter.facts)
    return {name: _picture(drawn, speech.language, str(speech.zone), name == "dark") for name in ("light", "dark")}


@lru_cache(maxsize=32)
def _picture(facts: bytes, language: str, zone: str, dark: bool) -> bytes:
    """The same numbers are drawn once, however many receivers there are."""
    from zoneinfo import ZoneInfo

    speech = Speech(language, ZoneInfo(zone))
    spec = charts.situation_chart(msgspec.json.decode(facts, type=Facts), speech, width=WIDTH, height=HEIGHT, dark=dark)
    return charts.png(spec, 2)


def wrap(text: str, indent: str = "", first: str | None = None) -> str:
    """Lines of at most 76 characters; addresses are never broken."""
    return textwrap.fill(
        as_text(text),
        _COLUMNS,
        initial_indent=indent if first is None else first,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def row(pair: tuple[str, str], span: int) -> str:
    """``Negativ   71 % …`` with further lines under the value."""
    label, value = pair
    return wrap(value, indent=" " * (span + 2), first=label.ljust(span + 2))
