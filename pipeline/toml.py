"""``sturmwarte.toml`` → ``Configuration``, or everything that is wrong with it, each with file, line and field."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError

from pipeline import toml_lines
from pipeline.configuration import Brand, Configuration, Identifier, Receiver, RuleEntry, Source
from pipeline.findings import ConfigurationError as ConfigurationError
from pipeline.findings import Finding as Finding
from pipeline.findings import nearest_word, shown
from pipeline.toml_checks import References, warnings_of

Path_ = toml_lines.Path


@dataclass(frozen=True)
class Registry:
    """What plug-ins there are: name → model of its options. Made by ``sturmwarte.registry``."""

    spiders: Mapping[str, type[BaseModel]] = field(default_factory=dict)
    rules: Mapping[str, type[BaseModel]] = field(default_factory=dict)
    notifiers: Mapping[str, type[BaseModel]] = field(default_factory=dict)


@dataclass(frozen=True)
class Examined:
    """A usable configuration and what is doubtful about it."""

    configuration: Configuration
    warnings: tuple[Finding, ...]


def load(path: Path, registry: Registry, *, folder: Path | None = None) -> Configuration:
    """The configuration of a file. Raises ConfigurationError with all findings, not just the first.

    Relative paths count from ``folder``, by default the file's own.
    """
    return examine(path, registry, folder=folder).configuration


def examine(path: Path, registry: Registry, *, folder: Path | None = None) -> Examined:
    """The configuration of a file and its warnings. Raises ConfigurationError."""
    text = _text(path)
    raw = _parsed(path, text)
    report = _Report(str(path), toml_lines.line_index(text))
    _resolve_paths(raw, registry, folder or path.absolute().parent)
    configuration = _configuration(raw, report)
    _check_options(raw, registry, report)
    _check_keys_of_unknown_kinds(raw, registry, report)
    References(raw, report.add).check(registry.spiders, registry.rules, registry.notifiers)
    if configuration is None or report.findings:
        raise ConfigurationError(sorted(report.findings, key=lambda finding: (finding.line or 0, finding.field)))
    warnings = _Report(str(path), report.lines, warning=True)
    warnings_of(configuration, warnings.add)
    return Examined(configuration, tuple(warnings.findings))


def load_brands(path: Path) -> dict[str, Brand]:
    """The brands of a file: of its ``[brands.ID]`` tables, or, where it has none, of all its tables.

    A brand without ``name`` is called by the first of its ``names``, or by its id. Raises ConfigurationError.
    """
    text = _text(path)
    raw = _parsed(path, text)
    nested = isinstance(raw.get("brands"), dict)
    report = _Report(str(path), toml_lines.line_index(text))
    named = {name: _named(name, entry) for name, entry in (raw["brands"] if nested else raw).items()}
    try:
        return TypeAdapter(dict[Identifier, Brand]).validate_python(named)
    except ValidationError as error:
        _note(error, ("brands",) if nested else (), report, lambda path: Brand.model_fields)
        raise ConfigurationError(report.findings) from error


def _named(name: str, entry: object) -> object:
    if not isinstance(entry, dict) or "name" in entry:
        return entry
    names = entry.get("names")
    first = names[0] if isinstance(names, list) and names and isinstance(names[0], str) else name
    return {"name": first, **entry}


class _Report:
    """Collects findings and gives each its line."""

    def __init__(self, file: str, lines: Mapping[Path_, int], *, warning: bool = False) -> None:
        self.file, self.lines, self.warning = file, lines, warning
        self.findings: list[Finding] = []

    def add(
        self, path: Path_, problem: str, *, value: object = None, nearest: str | None = None, **details: str
    ) -> None:
        """Note a finding at a path of keys, once per path and problem."""
        place, line = dotted(path), toml_lines.line_of(self.lines, path)
        if any((known.field, known.problem) == (place, problem) for known in self.findings):
            return
        said = shown(value, path)
        self.findings.append(Finding(self.file, line, place, problem, said, nearest, details, self.warning))


def dotted(path: Path_) -> str:
    """``brands.telekom.names[1]``; keys that are no plain words are quoted."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + (part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else repr(part))
    return text


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8").removeprefix("\ufeff").replace("\r\n", "\n")
    except FileNotFoundError as error:
        raise ConfigurationError([Finding(str(path), None, "", "no_file")]) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigurationError([Finding(str(path), line, "", "encoding")]) from error
    except (OSError, ValueError) as error:
        details = {"error": getattr(error, "strerror", None) or str(error)}
        raise ConfigurationError([Finding(str(path), None, "", "unreadable", details=details)]) from error


def _parsed(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        place = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)", str(error))
        line = int(place[1]) if place and place[1] else text.count("\n") + 1 if place else None
        reason = str(error)[: place.start()] if place else type(error).__name__
        raise ConfigurationError([Finding(str(path), line, "", "syntax", details={"error": reason})]) from error


def _configuration(raw: dict[str, Any], report: _Report) -> Configuration | None:
    try:
        return Configuration.model_validate(raw)
    except ValidationError as error:
        _note(error, (), report, lambda path: _known_keys(Configuration, path))
        return None


def _check_options(raw: Mapping[str, Any], registry: Registry, report: _Report) -> None:
    """The keys of sources, rules and receivers that belong to a plug-in, against that plug-in's model."""
    for section, identifier, entry, model, options in _plugged(raw, registry):
        own = {key: value for key, value in entry.items() if key not in model.model_fields}
        known = {*model.model_fields, *options.model_fields}
        try:
            options.model_validate(own)
        except ValidationError as error:
            _note(error, (section, identifier), report, lambda path, known=known: known)
        except Exception as error:  # a plug-in's own model may fail in any way; the user must still get a line
            report.add((section, identifier), "invalid", error=f"{type(error).__name__}: {error}")


def _check_keys_of_unknown_kinds(raw: Mapping[str, Any], registry: Registry, report: _Report) -> None:
    """Where the kind itself is missing or unknown, a key must at least be one that some kind has."""
    sections = (("sources", Source, registry.spiders), ("rules", RuleEntry, registry.rules))
    plugged = {(section, identifier) for section, identifier, *_ in _plugged(raw, registry)}
    for section, model, kinds in sections:
        known = set(model.model_fields).union(*(options.model_fields for options in kinds.values()))
        table = raw.get(section)
        for identifier, entry in table.items() if isinstance(table, dict) else ():
            if (section, identifier) not in plugged and isinstance(entry, dict) and entry.get("retired") is not True:
                for key in entry.keys() - known:
                    report.add((section, identifier, key), "unknown_key", nearest=nearest_word(key, known))


def _plugged(
    raw: Mapping[str, Any], registry: Registry
) -> Iterator[tuple[str, str, dict[str, Any], type[BaseModel], type[BaseModel]]]:
    """(section, id, entry, model of the entry, model of its options) of every entry whose plug-in is known."""
    for section, key, model, options, default in (
        ("sources", "spider", Source, registry.spiders, None),
        ("rules", "rule", RuleEntry, registry.rules, None),
        ("receivers", "notifier", Receiver, registry.notifiers, "email"),
    ):
        table = raw.get(section)
        for identifier, entry in table.items() if isinstance(table, dict) else ():
            name = entry.get(key, default) if isinstance(entry, dict) else None
            if isinstance(name, str) and name in options:
                yield section, identifier, entry, model, options[name]


def _note(error: ValidationError, base: Path_, report: _Report, known: Any) -> None:
    """pydantic's errors as findings; ``known`` gives the keys that a table may have."""
    for problem in error.errors(include_url=False):
        path: Path_ = (*base, *(part for part in problem["loc"] if part != "[key]"))
        kind, value, context = problem["type"], problem.get("input"), problem.get("ctx", {})
        if kind == "extra_forbidden":
            names = known(path[:-1])
            report.add(path, "unknown_key", nearest=nearest_word(path[-1], names), value=None)
        elif kind in ("literal_error", "enum"):
            words = re.findall(r"'([^']*)'", context["expected"])
            report.add(path, "unknown_word", value=value, nearest=nearest_word(value, words), words=", ".join(words))
        elif kind in _PHRASES:
            limits = {name: str(limit) for name, limit in context.items() if name != "error"}
            report.add(path, _PHRASES[kind], value=value, **limits)
        else:
            report.add(path, "invalid", error=str(context.get("error", problem["msg"])))


_PHRASES = {
    "missing": "missing",
    "string_type": "text_wanted",
    "int_type": "integer_wanted",
    "int_parsing": "integer_wanted",
    "int_from_float": "integer_wanted",
    "float_type": "number_wanted",
    "float_parsing": "number_wanted",
    "bool_type": "bool_wanted",
    "bool_parsing": "bool_wanted",
    "tuple_type": "list_wanted",
    "list_type": "list_wanted",
    "mapping_type": "table_wanted",
    "dict_type": "table_wanted",
    "model_type": "table_wanted",
    "model_attributes_type": "table_wanted",
    "path_type": "path_wanted",
    "string_too_short": "empty",
    "string_pattern_mismatch": "bad_identifier",
    "greater_than_equal": "too_small",
    "less_than_equal": "too_large",
}


def _known_keys(model: type[BaseModel], path: Path_) -> set[str]:
    """The keys that the table at ``path`` may have."""
    annotation: Any = model
    for part in path:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            entry = annotation.model_fields.get(str(part))
            annotation = entry.annotation if entry else None
        elif get_origin(annotation) is not None:
            annotation = get_args(annotation)[-1]
    return set(annotation.model_fields) if isinstance(annotation, type) and issubclass(annotation, BaseModel) else set()


def _resolve_paths(raw: dict[str, Any], registry: Registry, folder: Path) -> None:
    """Relative paths count from the file's folder, ``~`` is the home folder."""
    _resolve(raw, Configuration, folder)
    for name, entry in Configuration.model_fields.items():
        if isinstance(entry.annotation, type) and issubclass(entry.annotation, BaseModel):
            _resolve(raw.get(name), entry.annotation, folder)
    for _, _, table, _, options in _plugged(raw, registry):
        _resolve(table, options, folder)
    raw.setdefault("data", str(folder / "data"))


def _resolve(table: object, model: type[BaseModel], folder: Path) -> None:
    for name, entry in model.model_fields.items():
        holds_path = entry.annotation is Path or Path in get_args(entry.annotation)
        if holds_path and isinstance(table, dict) and isinstance(table.get(name), str):
            table[name] = str(folder / _expanded(table[name]))


def _expanded(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:  # no such home folder
        return Path(text)
