"""The picture of a situation, once for page and mail: one Vega-Lite specification, drawn as SVG or PNG, and in words.

Altair and vl-convert are imported on first use: together they cost 160 MB and half a second.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import msgspec

from alerts.axes import count_ticks, time_ticks, weekday
from alerts.facts import Bar, Facts
from alerts.tokens import FONTS, Palette, palette
from pipeline.i18n import Speech

Spec = dict[str, Any]
_LOCALES = {"de": "de-DE", "en": "en-GB"}
_BLOCKS = "▁▂▃▄▅▆▇█"


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of a chart as rows of words."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


# --- the specification ----------------------------------------------------------------------------------------


def situation_chart(facts: Facts, speech: Speech, *, width: int, height: int, dark: bool = False) -> Spec:
    """A Vega-Lite specification: bars of critical persons before the expected band, from zero, in local time."""
    if not facts.bars:
        return _nothing(speech, width, height, palette(dark))
    return _Drawing(facts, speech, width, height, palette(dark)).spec()


def _nothing(speech: Speech, width: int, height: int, colours: Palette) -> Spec:
    """A chart that says that there is nothing to draw yet."""
    import altair as alt

    words = _layer([{}]).mark_text(color=colours.soft, font=FONTS, fontSize=13)
    return _finish(words.encode(text=alt.value(speech.say("mail.chart.empty"))), speech, width, height, colours)


class _Drawing:
    """The layers of one chart, from back to front."""

    def __init__(self, facts: Facts, speech: Speech, width: int, height: int, colours: Palette) -> None:
        self.facts, self.bars, self.speech = facts, facts.bars, speech
        self.width, self.height, self.colours = width, height, colours
        self.start, self.end = self.bars[0].start, self.bars[-1].end
        most = max(max(bar.persons, bar.high or 0) for bar in self.bars)
        self.counts = count_ticks(max(most, 3))
        self.top = max(self.counts[-1], most * 1.12)

    def spec(self) -> Spec:
        import altair as alt

        layers = [self._missing(), *self._band(), self._columns(), *self._alarm(), *self._missing_words()]
        return _finish(alt.layer(*layers), self.speech, self.width, self.height, self.colours)

    def _x(self, field: str = "x") -> Any:
        import altair as alt

        ticks = time_ticks(self.start, self.end, self.width - 40, self.speech)
        names = json.dumps({str(_ms(at)): label for at, label in ticks}, ensure_ascii=False)
        axis = alt.Axis(
            values=[_ms(at) for at, _ in ticks],
            labelExpr=f"{names}[toString(+datum.value)]",
            grid=False,
            ticks=False,
            labelFlush=True,
            title=None,
        )
        domain = alt.Scale(type="utc", domain=[_ms(self.start), _ms(self.end)], nice=False)
        return alt.X(f"{field}:T", axis=axis, scale=domain)

    def _y(self, field: str = "y") -> Any:
        import altair as alt

        axis = alt.Axis(values=self.counts, format=",d", ticks=False, domain=False, title=None)
        return alt.Y(f"{field}:Q", axis=axis, scale=alt.Scale(domain=[0, self.top], nice=False, zero=True))

    def _missing(self) -> Any:
        """Grey columns over the times nobody has read."""
        import altair as alt

        values = [{"x": _ms(first.start), "x2": _ms(last.end)} for first, last in blind_runs(self.bars)]
        chart = _layer(values).mark_rect(color=self.colours.missing, opacity=0.75)
        return chart.encode(x=self._x(), x2="x2:T", y=alt.value(0), y2=alt.value("height"))

    def _missing_words(self) -> Iterator[Any]:
        """What a grey column means: written across where it fits, upright in a narrow one."""
        import altair as alt

        words = self.speech.say("mail.chart.no_data")
        for first, last in blind_runs(self.bars):
            room = (last.end - first.start) / (self.end - self.start) * (self.width - 40)
            if room < 9:
                continue
            upright = room < 6.2 * len(words)
            data = [{"x": _ms(first.start + (last.end - first.start) / 2)}]
            mark = _layer(data).mark_text(
                color=self.colours.soft,
                fontSize=10,
                align="right" if upright else "center",
                baseline="middle" if upright else "top",
                angle=270 if upright else 0,
                dx=-4 if upright else 0,
                dy=0 if upright else 4,
            )
            yield mark.encode(x=self._x(), y=alt.value(0), text=alt.value(words))

    def _band(self) -> Iterator[Any]:
        """The usual range; it has gaps where nothing is known yet."""

        for known, run in groupby(self.bars, key=lambda bar: bar.low is not None and bar.high is not None):
            if known:
                area = _layer(list(_band_points(list(run)))).mark_area(
                    color=self.colours.band, opacity=0.8, interpolate="monotone"
                )
                yield area.encode(x=self._x(), y=self._y("low"), y2="high:Q")

    def _columns(self) -> Any:
        """Persons; what lies beyond the usual range has the negative tone's colour."""
        import altair as alt

        width = (self.width - 40) / len(self.bars)
        values = [
            {
                "x": _ms(bar.start + (bar.end - bar.start) * 0.14),
                "x2": _ms(bar.end - (bar.end - bar.start) * 0.14),
                "y": bar.persons,
                "colour": self.colours.negative if beyond(bar) else self.colours.neutral,
            }
            for bar in self.bars
            if bar.persons
        ]
        round_off = min(1.5, width / 4)
        mark = _layer(values).mark_rect(cornerRadiusTopLeft=round_off, cornerRadiusTopRight=round_off)
        return mark.encode(
            x=self._x(), x2="x2:T", y=self._y(), y2=alt.datum(0), color=alt.Color("colour:N", scale=None)
        )

    def _alarm(self) -> Iterator[Any]:
        """A dashed line where the alarm was raised, named on the side that has room."""
        import altair as alt

        at = alarm(self.facts)
        if at is None:
            return
        data = [{"x": _ms(at)}]
        yield (
            _layer(data)
            .mark_rule(color=self.colours.ink, strokeDash=[2, 3], strokeWidth=1.25, clip=False)
            .encode(x=self._x(), y=alt.value(-12), y2=alt.value("height"))
        )
        left = (at - self.start) / (self.end - self.start) > 0.3
        words = _layer(data).mark_text(
            color=self.colours.ink,
            fontSize=11,
            align="right" if left else "left",
            baseline="bottom",
            dx=-5 if left else 5,
        )
        yield words.encode(x=self._x(), y=alt.value(-2), text=alt.value(_alarm_label(at, self.speech)))


def _finish(chart: Any, speech: Speech, width: int, height: int, colours: Palette) -> Spec:
    """Size, fonts, grid; the language travels in ``usermeta`` for the number formats of the drawing."""
    import altair as alt

    sized = chart.properties(
        width=width,
        height=height,
        autosize=alt.AutoSizeParams(type="fit", contains="padding"),
        background=colours.card,
        padding={"left": 2, "right": 4, "top": 15, "bottom": 2},
        usermeta={"language": speech.language},
    )
    styled = (
        sized.configure(font=FONTS, aria=False)
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=colours.soft,
            labelFontSize=11,
            labelFont=FONTS,
            gridColor=colours.line,
            domainColor=colours.line,
            labelPadding=6,
        )
        .configure_text(font=FONTS)
    )
    spec: Spec = styled.to_dict(format="vega-lite")
    return spec


def _layer(values: list[dict[str, Any]]) -> Any:
    """A chart of these rows, before it is told how to draw them."""
    import altair as alt

    return alt.Chart({"values": values})


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def _band_points(run: Sequence[Bar]) -> Iterator[dict[str, Any]]:
    """The band through the middle of each bin, drawn out to both edges."""
    yield {"x": _ms(run[0].start), "low": run[0].low, "high": run[0].high}
    for bar in run:
        yield {"x": _ms(bar.start + (bar.end - bar.start) / 2), "low": bar.low, "high": bar.high}
    yield {"x": _ms(run[-1].end), "low": run[-1].low, "high": run[-1].high}


# --- what is in it --------------------------------------------------------------------------------------------


def beyond(bar: Bar) -> bool:
    """Whether a bar lies above its usual range."""
    return bar.high is not None and bar.persons > bar.high


def blind_runs(bars: Sequence[Bar]) -> list[tuple[Bar, Bar]]:
    """First and last bar of every stretch without any data."""
    runs = [list(run) for blind, run in groupby(bars, key=lambda bar: bar.exposure <= 0) if blind]
    return [(run[0], run[-1]) for run in runs]


def alarm(facts: Facts) -> datetime | None:
    """When the alarm was raised, if there is one and it lies inside the picture."""
    raised = facts.alarm or facts.since
    if raised is None or facts.level < 1 or not facts.bars:
        return None
    return raised if facts.bars[0].start <= raised <= facts.bars[-1].end else None


# --- drawing --------------------------------------------------------------------------------------------------


def svg(spec: Spec) -> str:
    """The drawing for a page: no script, no fixed size (it follows its box), ids that no second chart shares."""
    import vl_convert

    drawn: str = vl_convert.vegalite_to_svg({**spec, "background": "transparent"}, **_drawing_options(spec))
    drawn = _own_ids(drawn[drawn.index("<svg") :], hashlib.sha256(drawn.encode()).hexdigest()[:8])
    head, rest = drawn.split(">", 1)
    head = re.sub(r'\s(width|height)="[^"]*"', "", head)
    return f'{head} width="100%" preserveAspectRatio="xMidYMid meet" role="img">{rest}'


def _own_ids(drawn: str, mark: str) -> str:
    drawn = re.sub(r'\bid="([^"]+)"', rf'id="c{mark}-\1"', drawn)
    return re.sub(r"url\(#([^)]+)\)", rf"url(#c{mark}-\1)", drawn)


def png(spec: Spec, scale: float = 2.0) -> bytes:
    """The drawing for a mail: PNG of few colours, a tenth of what the drawing program makes."""
    import vl_convert
    from PIL import Image

    drawn = vl_convert.vegalite_to_png(spec, scale=scale, **_drawing_options(spec))
    picture = Image.open(io.BytesIO(drawn)).convert("RGB").quantize(48, dither=Image.Dither.NONE)
    packed = io.BytesIO()
    picture.save(packed, "PNG", optimize=True)
    return packed.getvalue()


def _drawing_options(spec: Spec) -> dict[str, Any]:
    """Local number format, and no address from which anything may be loaded."""
    locale = _LOCALES[spec.get("usermeta", {}).get("language", "en")]
    return {"format_locale": locale, "time_format_locale": locale, "allowed_base_urls": []}


# --- in words -------------------------------------------------------------------------------------------------


def caption(facts: Facts, speech: Speech) -> str:
    """What is drawn, in half a line."""
    return speech.say("mail.chart.caption", bin=_bin(facts)) if facts.bars else speech.say("mail.chart.empty")


def alt_text(facts: Facts, speech: Speech) -> str:
    """The chart as sentences of the same numbers: what is drawn, the highest, how many are beyond, what is missing."""
    if not facts.bars:
        return speech.say("mail.chart.empty")
    bars, highest = facts.bars, max(facts.bars, key=lambda bar: bar.persons)
    parts = [
        speech.say(
            "mail.chart.range", bin=_bin(facts), start=_moment(bars[0].start, speech), end=_moment(bars[-1].end, speech)
        ),
        _highest(highest, speech),
    ]
    over = sum(map(beyond, bars))
    if any(bar.high is not None for bar in bars):
        parts.append(speech.say("mail.chart.beyond" if over else "mail.chart.inside", n=over, total=len(bars)))
    else:
        parts.append(speech.say("mail.chart.unknown"))
    if (at := alarm(facts)) is not None:
        parts.append(speech.say("mail.chart.alarm_at", at=_moment(at, speech)))
    if blind := blind_runs(bars):
        first, last = blind[0]
        moments = {"start": _moment(first.start, speech), "end": _moment(last.end, speech)}
        parts.append(speech.say("mail.chart.missing", n=len(blind), **moments))
    return " ".join(parts)


def _highest(bar: Bar, speech: Speech) -> str:
    if bar.persons == 0:
        return speech.say("mail.chart.none")
    at = _moment(bar.start, speech)
    if bar.low is None or bar.high is None:
        return speech.say("mail.chart.highest_alone", n=bar.persons, at=at)
    return speech.say("mail.chart.highest", n=bar.persons, at=at, usual=usual(bar, speech))


def usual(bar: Bar, speech: Speech) -> str:
    """``4 bis 11`` of a bar, in whole persons; a dash where nothing is known."""
    if bar.low is None or bar.high is None:
        return "–"
    low, high = round(bar.low), round(bar.high)
    return speech.number(high) if low == high else speech.say("mail.range", low=low, high=high)


def table(facts: Facts, speech: Speech) -> Table:
    """Every bar as a row: time, persons, usual, remark."""
    head = tuple(speech.say(f"mail.chart.head.{name}") for name in ("time", "persons", "usual", "remark"))
    rows = tuple(
        (_moment(bar.start, speech), speech.number(bar.persons), usual(bar, speech), _remark(bar, speech))
        for bar in facts.bars
    )
    return Table(head=head, rows=rows)


def _remark(bar: Bar, speech: Speech) -> str:
    if bar.exposure <= 0:
        return speech.say("mail.chart.no_data")
    return speech.say("mail.chart.above") if beyond(bar) else ""


def sparkline(bars: Sequence[Bar], width: int = 48) -> str:
    """The bars as a line of block characters, the last ones at most; ``·`` where there is no data."""
    step = max(1, -(-len(bars) // width))
    groups = [bars[max(0, end - step) : end] for end in range(len(bars), 0, -step)][::-1]
    most = max((sum(bar.persons for bar in group) for group in groups), default=0)
    return "".join(_block(group, most) for group in groups)


def _block(group: Sequence[Bar], most: int) -> str:
    if all(bar.exposure <= 0 for bar in group):
        return "·"
    persons = sum(bar.persons for bar in group)
    return _BLOCKS[round(persons / most * (len(_BLOCKS) - 1))] if most else _BLOCKS[0]


def _alarm_label(at: datetime, speech: Speech) -> str:
    return speech.say("mail.chart.alarm", at=speech.clock_time(at))


def _moment(at: datetime, speech: Speech) -> str:
    return f"{weekday(at, speech)} {speech.clock_time(at)}"


def _bin(facts: Facts) -> timedelta:
    return facts.bars[0].end - facts.bars[0].start
