"""``python -m sturmwarte.reference FOLDER``: the reference pages, made from what the code says of itself."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from prometheus_client.core import Metric
from pydantic import BaseModel

from pipeline.i18n import Speech
from sturmwarte.reference_types import default_of, type_of

NOTE = "<!-- Made by `make docs` from the code; changes here are overwritten. -->"
SECTIONS = {
    "brands": "brands.ID",
    "sources": "sources.ID",
    "journalists": "journalists.ID",
    "rules": "rules.ID",
    "receivers": "receivers.ID",
}
"""Tables of which there may be many: field of the configuration → heading."""
_UNBRACKETED = str.maketrans("", "", "[]")
_HEADING = re.compile(r": ``\[[^`]*\]``")
HIDDEN = {"demo"}
"""Tables the program sets itself."""


class Plugin(Protocol):
    """What a page about a kind of spider, rule or notifier is made from."""

    description: str
    example: str
    Options: type[BaseModel]


def pages() -> dict[str, str]:
    """File name → content of every reference page."""
    from alerts.notifiers.registry import notifiers
    from alerts.registry import rules
    from crawlers.registry import spiders

    return {
        "configuration.md": configuration_page(),
        "spiders.md": plugin_page("Spiders", "`spider = …` of a table `[sources.ID]`.", spiders(), _visiting),
        "rules.md": plugin_page("Rules", "`rule = …` of a table `[rules.ID]`.", rules()),
        "notifiers.md": plugin_page("Notifiers", "`notifier = …` of a table `[receivers.ID]`.", notifiers()),
        "search.md": search_page(),
        "commands.md": commands_page(),
        "metrics.md": metrics_page(),
        "indices.md": indices_page(),
    }


def write(folder: Path) -> list[Path]:
    """Write all pages into a folder and remove what is no page any more; returns the pages."""
    folder.mkdir(parents=True, exist_ok=True)
    made = pages()
    for stale in folder.glob("*.md"):
        if stale.name not in made:
            stale.unlink()
    for name, content in made.items():
        (folder / name).write_text(content, "utf-8")
    return [folder / name for name in made]


# --- configuration and plug-ins ------------------------------------------------------------------------------


def configuration_page() -> str:
    """Every table and key of ``sturmwarte.toml``."""
    from pipeline.configuration import Configuration

    tables = {name: below for name in Configuration.model_fields if (below := _table_below(Configuration, name))}
    own = [name for name in Configuration.model_fields if name not in tables]
    parts = [
        "The file `sturmwarte.toml`. A span of time is written `30s`, `5m`, `4h`, `14d` or `8w`; paths count from the "
        "file. An unknown key is an error. `sturmwarte check` examines the file; changes apply without a restart, "
        "except `data`, `[store]` and `[state]`.",
        "## At the top\n\n" + options_table(Configuration, only=own),
    ]
    for name, model in tables.items():
        if name not in HIDDEN:
            parts.append(f"## [{SECTIONS.get(name, name)}]\n\n{_first_line(model)}\n\n{options_table(model)}")
    return _page("Configuration", parts)


def _table_below(model: type[BaseModel], name: str) -> type[BaseModel] | None:
    """The model of a table, or of each of its entries; None for a plain key."""
    annotation = model.model_fields[name].annotation
    candidates = [annotation, *getattr(annotation, "__args__", ())]
    return next((one for one in candidates if isinstance(one, type) and issubclass(one, BaseModel)), None)


def plugin_page(title: str, lead: str, kinds: Mapping[str, Any], more: Any = lambda kind: "") -> str:
    """One section per kind: what it is, an example, its options."""
    parts = [lead]
    for name, kind in sorted(kinds.items()):
        parts += [f"## {name}\n\n{kind.description}{more(kind)}", f"```toml\n{kind.example.strip()}\n```"]
        parts.append(options_table(kind.Options) if kind.Options.model_fields else "No further keys.")
    return _page(title, parts)


def _visiting(spider: Any) -> str:
    from pipeline.duration import format_duration

    return f" Channel `{spider.channel}`, visited every `{format_duration(spider.interval)}` unless told otherwise."


def options_table(model: type[BaseModel], only: Iterable[str] | None = None) -> str:
    """The fields of a model: name, type, default, description."""
    names = list(model.model_fields) if only is None else list(only)
    rows = [
        (f"`{name}`", type_of(field), default_of(field), field.description or "")
        for name, field in ((name, model.model_fields[name]) for name in names)
    ]
    return table(("key", "type", "default", "meaning"), rows)


# --- search --------------------------------------------------------------------------------------------------


def search_page() -> str:
    """The fields of the search language."""
    from pipeline.query.fields import MEANINGS, SHAPES

    rows = [(f"`{name}:`", MEANINGS[name], _values(name)) for name in sorted(SHAPES)]
    return _page(
        "Search",
        [
            "The language of the search box, of `sturmwarte mentions`, of `keyword` rules and of the interface. Words "
            'without an operator must all occur, in any inflection; `"no call back"` is a phrase, `=Telekom` exactly '
            "this form, `call*` a beginning; `AND`, `OR`, `NOT` and brackets combine. `brand`, `tone`, `via` and "
            "`voice` side by side speak of one and the same opinion.",
            'Times are written `2026-11-20`, `"2026-11-20 18:30"`, `today`, `now-3h`; spans `published:[2026-11-01 TO '
            "2026-11-20]` or `seen:>=2026-11-20`. Put addresses and times with a colon in quotation marks.",
            table(("field", "meaning", "values"), rows),
        ],
    )


def _values(name: str) -> str:
    from pipeline.query.fields import CHOICES, WITHOUT_DATA

    given = [value for value in CHOICES.get(name, ()) if (name, value) not in WITHOUT_DATA]
    return ", ".join(f"`{value}`" for value in given)


# --- commands ------------------------------------------------------------------------------------------------


def commands_page() -> str:
    """The command tree with its arguments and options."""
    from sturmwarte.command import build

    tree = build(Speech("en", ZoneInfo("UTC")))
    lead = (
        "Times are ISO 8601. `--json` prints one document to standard output and nothing else. Exit codes: 0 done, "
        "1 done and something is wrong, 2 wrong usage or configuration, 3 a part is unavailable."
    )
    return _page("Commands", [lead, *_below(tree, "sturmwarte")])


def _below(node: Any, path: str) -> Iterator[str]:
    for name, command in sorted(node.commands.items()):
        whole = f"{path} {name}"
        yield f"## {whole}\n\n{command.help}" + _parameters(command, whole)
        if hasattr(command, "commands"):
            yield from _below(command, whole)


def _parameters(command: Any, path: str) -> str:
    shown = [one for one in command.params if one.name != "help" and not getattr(one, "hidden", False)]
    rows = [(_spelling(one), one.help or "", _preset(one)) for one in shown]
    return "\n\n" + table(("word", "meaning", "default"), rows) if rows else ""


def _spelling(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{(parameter.metavar or parameter.name.upper()).translate(_UNBRACKETED)}`"
    value = "" if parameter.is_flag else f" {parameter.metavar or parameter.name.upper()}"
    return ", ".join(f"`{name}{value}`" for name in (*parameter.opts, *parameter.secondary_opts))


def _preset(parameter: Any) -> str:
    if parameter.required:
        return "required"
    unspoken = parameter.default in (None, "", [], ()) or getattr(parameter, "is_flag", False)
    return "" if unspoken else f"`{parameter.default}`"


# --- metrics -------------------------------------------------------------------------------------------------


def metrics_page() -> str:
    """What ``/metrics`` offers, asked of an empty installation."""
    rows = [(f"`{one.name}`", one.type, _labels(one), one.documentation) for one in _metrics()]
    return _page(
        "Metrics",
        ["`http://…/metrics`, in the text format of Prometheus.", table(("name", "type", "labels", "meaning"), rows)],
    )


def _metrics() -> list[Metric]:
    from dashboards.house import House
    from dashboards.metrics import World
    from pipeline.clock import SystemClock
    from pipeline.configuration import Configuration
    from pipeline.state.opening import open_state

    with tempfile.TemporaryDirectory() as name:
        open_state(Path(name)).close()
        with closing(House(Configuration, Path(name), SystemClock())) as house:
            return sorted(World(house).collect(), key=lambda one: one.name)


def _labels(metric: Metric) -> str:
    return ", ".join(f"`{label}`" for label in getattr(metric, "_labelnames", ()))


# --- indices -------------------------------------------------------------------------------------------------


def indices_page() -> str:
    """Every field of every index on Elasticsearch."""
    from pipeline.store.elastic.meanings import flat, indices

    parts = [
        'With `engine = "elasticsearch"`: what Kibana, Grafana and `curl` find. All names begin with `prefix`. '
        "Only Sturmwarte writes here; what others change is lost or in its way. Times are UTC. `nested` fields are "
        "searched as one, such as `opinions:{ brand:telekom and tone:negative }` in Kibana.",
    ]
    for name, sentence, time, properties, meanings in indices():
        kinds = dict(flat(properties))
        rows = [(f"`{field}`", kinds[field], meaning) for field, meaning in meanings.items()]
        lead = f"{sentence} Time field: `{time}`." if time else sentence
        if name.endswith("-history"):
            parts.append(f"## {name}\n\n{lead}")
        else:
            parts.append(f"## {name}\n\n{lead}\n\n{table(('field', 'type', 'meaning'), rows)}")
    return _page("Indices", parts)


# --- writing -------------------------------------------------------------------------------------------------


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown."""
    lines = [head, ["---"] * len(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _page(title: str, parts: Iterable[str]) -> str:
    return "\n\n".join((f"# {title}", NOTE, *parts)) + "\n"


def _first_line(model: type[BaseModel]) -> str:
    """The sentence a table's class says of itself, without naming the heading again."""
    return _HEADING.sub("", (model.__doc__ or "").strip().splitlines()[0])


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/reference"))
