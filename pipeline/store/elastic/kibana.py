"""A search of ours in the words of Kibana (KQL) over the plain fields of the index: the same hits. Pure.

Text is looked for in ``stem`` and ``exact``, whose tokens are ours; the server's own analysers would find other hits.
Values stand in quotation marks, and alternatives are spelt out one by one: both Kibana and the server's ``kql`` query
read that the same way. A span of ``event_time`` is no part of the query; in Kibana it is the time picker's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import quote

from pipeline.i18n import Speech
from pipeline.query.tree import (
    All,
    Everything,
    Field,
    Node,
    Not,
    OneOpinion,
    Query,
    Range,
    Some,
    ThreadWords,
    Uids,
    Words,
)

EVERYTHING, NOTHING = "*", "not *"
MOST_UIDS = 200
"""A longer list of mentions makes an address that browsers and proxies refuse."""
MOST_CHARACTERS = 16_000
"""Of the query; the address grows to about three times as many."""
OPINION_FIELDS = frozenset({"brand", "tone", "via", "voice", "counted"})
_MILLISECOND = timedelta(milliseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Stories = Callable[[str], Sequence[str]]
"""All ids of the story that an id belongs to, as the store knows them."""


class NotInKibana(ValueError):
    """A search that KQL cannot say. ``key`` names the phrase below ``query.kibana``."""

    def __init__(self, key: str, **values: object) -> None:
        self.key, self.values = key, values
        super().__init__(key)

    def text(self, speech: Speech) -> str:
        """The reason as a sentence."""
        return speech.say(f"query.kibana.{self.key}", **self.values)


def kql(query: Query, stories: Stories = lambda story: ()) -> str:
    """The search as KQL. Raises NotInKibana where KQL has no words for it."""
    if query.as_of is not None:
        raise NotInKibana("as_of")
    text = _bare(_kql(query.root, stories))
    if len(text) > MOST_CHARACTERS:
        raise NotInKibana("too_long", limit=MOST_CHARACTERS)
    return text


def discover(url: str, prefix: str, text: str, start: datetime | None = None, end: datetime | None = None) -> str:
    """The address that opens KQL in Kibana's Discover, newest first, with ``start <= event_time < end``.

    ``url`` is Kibana's own, with ``/s/…`` where a space is used; the data view is that of
    ``sturmwarte dashboards export kibana``. Kibana's picker knows milliseconds and includes its end.
    """
    view = f"{prefix}-mentions"
    first = _iso(start) if start else "1970-01-01T00:00:00.000Z"
    last = _iso(_ceiled(end) - _MILLISECOND) if end else "2100-01-01T00:00:00.000Z"
    general = f"(filters:!(),time:(from:{_rison(first)},to:{_rison(last)}))"
    own = (
        f"(columns:!(event_time,source,tone,title,text),dataSource:(dataViewId:{_rison(view)},type:dataView),"
        f"filters:!(),index:{_rison(view)},interval:auto,query:(language:kuery,query:{_rison(text)}),"
        "sort:!(!(event_time,desc)))"
    )
    return f"{url.rstrip('/')}/app/discover#/?_g={_escaped(general)}&_a={_escaped(own)}"


# --- parts of the tree ----------------------------------------------------------------------------------------


def _kql(node: Node, stories: Stories) -> str:
    match node:
        case Everything():
            return EVERYTHING
        case Words():
            return _words(node)
        case ThreadWords(tokens):
            return _is("thread_words", " ".join(tokens))
        case Field("story", values):
            ids = dict.fromkeys(one for value in values for one in (value, *stories(value)))
            return _any(_is("story", one) for one in ids)
        case Field(name, values) if name in OPINION_FIELDS:
            return _opinion(OneOpinion(((name, values),)))
        case Field("thread_id", values):
            return _any(_is("thread_id.folded", value) for value in values)
        case Field(name, values):
            return _any(_is(name, value) for value in values)
        case Range():
            return _range(node)
        case OneOpinion():
            return _opinion(node)
        case Uids(uids):
            if len(uids) > MOST_UIDS:
                raise NotInKibana("many", n=len(uids), limit=MOST_UIDS)
            return _any(_is("uid", uid) for uid in sorted(uids))
        case All(parts):
            return _all(_kql(part, stories) for part in parts)
        case Some(parts):
            return _any(_kql(part, stories) for part in parts)
        case Not(part):
            return f"(not {_kql(part, stories)})"
    raise NotInKibana("unknown", part=type(node).__name__)


def _words(node: Words) -> str:
    """Tokens hold letters and digits only; that is why a beginning may stand without quotation marks."""
    if not node.prefix:
        return _any(_is(node.index, " ".join(variant)) for variant in node.variants)
    if any(len(variant) > 1 for variant in node.variants):
        raise NotInKibana("phrase_beginning")
    return _any(f"{node.index}:{variant[0]}*" for variant in node.variants)


def _range(node: Range) -> str:
    """Dates of the index know milliseconds; where a bound needs more, the field with microseconds is asked."""
    if node.low is None and node.high is None:
        return f"{node.name}:*"
    bounds = [
        (">=" if node.include_low else ">", node.low),
        ("<=" if node.include_high else "<", node.high),
    ]
    given = [(sign, bound) for sign, bound in bounds if bound is not None]
    coarse = all(not isinstance(bound, datetime) or _coarse(sign, bound) for sign, bound in given)
    return _all(_bound(node.name, sign, bound, coarse=coarse) for sign, bound in given)


def _coarse(sign: str, bound: datetime) -> bool:
    """Whether a bound means the same when both sides are cut to milliseconds."""
    return bound.microsecond % 1000 == 0 and sign in (">=", "<")


def _bound(name: str, sign: str, bound: float | datetime, *, coarse: bool) -> str:
    if not isinstance(bound, datetime):
        return f"{name} {sign} {_quoted(format(Decimal(repr(float(bound))), 'f'))}"
    if coarse:
        return f"{name} {sign} {_quoted(_iso(bound))}"
    return f"{name}_us {sign} {(bound - _EPOCH) // timedelta(microseconds=1)}"


def _opinion(node: OneOpinion) -> str:
    """Some opinion fulfils all conditions, and none that does has an excluded property."""
    if not node.excluded and (flat := _flat(node)):
        return flat
    meant = [_any(_is(name, value) for value in values) for name, values in node.conditions]
    some = f"opinions:{{ {_bare(_all(meant or ['brand:*']))} }}"
    parts = [some]
    for name, values in node.excluded:
        unwanted = _any(_is(name, value) for value in values)
        parts.append(f"(not opinions:{{ {_bare(_all([*meant, unwanted]))} }})")
    return _all(parts)


def _flat(node: OneOpinion) -> str:
    """The common conditions on the flat fields, which people read more easily; empty where they cannot say it."""
    conditions = dict(node.conditions)
    if len(conditions) != len(node.conditions):
        return ""
    brands, tones, counted = (conditions.get(name, ()) for name in ("brand", "tone", "counted"))
    names = set(conditions)
    if names == {"brand"}:
        return _any(_is("brand", brand) for brand in brands)
    pairs = [f"{brand}:{tone}" for brand in brands for tone in tones]
    if names == {"brand", "tone"}:
        return _any(_is("brand_tone", pair) for pair in pairs)
    if names == {"brand", "tone", "counted"} and counted == ("true",):
        return _any(_is("counted_tone", pair) for pair in pairs)
    return ""


# --- words ----------------------------------------------------------------------------------------------------


def _is(name: str, value: str) -> str:
    return f"{name}:{_quoted(value)}"


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _all(parts: Iterable[str]) -> str:
    return _joined(parts, "and", EVERYTHING)


def _any(parts: Iterable[str]) -> str:
    return _joined(parts, "or", f"({NOTHING})")


def _joined(parts: Iterable[str], word: str, nothing: str) -> str:
    found = list(parts)
    if len(found) < 2:
        return found[0] if found else nothing
    return f"({f' {word} '.join(found)})"


def _bare(text: str) -> str:
    """Without brackets around the whole: ours stand in pairs, and quotation marks hide those of values."""
    if not text.startswith("("):
        return text
    depth, quoted, position = 0, False, 0
    while position < len(text):
        character = text[position]
        if character == "\\":
            position += 1
        elif character == '"':
            quoted = not quoted
        elif not quoted and character in "()":
            depth += 1 if character == "(" else -1
            if depth == 0:
                break
        position += 1
    return text[1:-1] if position == len(text) - 1 else text


def _iso(at: datetime) -> str:
    """A time as Kibana writes it, cut to milliseconds."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _ceiled(at: datetime) -> datetime:
    cut = at.replace(microsecond=at.microsecond // 1000 * 1000)
    return cut if cut == at else cut + _MILLISECOND


def _rison(text: str) -> str:
    """A text in the notation of Kibana's addresses."""
    return "'" + text.replace("!", "!!").replace("'", "!'") + "'"


def _escaped(text: str) -> str:
    return quote(text, safe="!'()*,:$@")
