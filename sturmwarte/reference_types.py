"""Types and defaults of configuration keys as people who write TOML call them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from pipeline.duration import format_duration

_PLAIN: dict[Any, str] = {
    str: "text",
    SecretStr: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    timedelta: "span of time",
    Path: "path",
}


def type_of(field: FieldInfo) -> str:
    """The type of a key and its limits, such as ``whole number, at least 1``."""
    return ", ".join([type_name(field.annotation), *filter(None, map(_limit, field.metadata))])


def type_name(annotation: Any) -> str:
    """What a value of that annotation is called. Raises TypeError where this page has no word for it."""
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return _either(member.value for member in annotation)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return type_name(arguments[0])
    if origin is Literal:
        return _either(arguments)
    if origin in (Union, UnionType):
        return " or ".join(type_name(one) for one in arguments if one is not NoneType)
    if origin in (tuple, list):
        return f"list of {type_name(arguments[0])}"
    if origin in (dict, Mapping):
        return "table"
    raise TypeError(f"no word for the type {annotation!r}")


def default_of(field: FieldInfo) -> str:
    """The default as it would stand in the file; ``required`` or nothing where there is none."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    return "" if value is None else f"`{_toml(value)}`"


def _toml(value: Any) -> str:
    if isinstance(value, timedelta):
        return json.dumps(format_duration(value))
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_toml(one) for one in value) + "]"
    if isinstance(value, Enum):
        return json.dumps(value.value)
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    return json.dumps(value.as_posix() if isinstance(value, Path) else value, ensure_ascii=False)


def _either(values: Any) -> str:
    return ", ".join(f"`{json.dumps(value)}`" for value in values)


def _limit(rule: object) -> str:
    match rule:
        case Ge(ge=bound):
            return f"at least {bound}"
        case Gt(gt=bound):
            return f"above {bound}"
        case Le(le=bound):
            return f"at most {bound}"
        case Lt(lt=bound):
            return f"below {bound}"
        case MinLen():
            return "not empty"
    return ""
