# SPDX-License-Identifier: Apache-2.0
"""Checked TOML: a table of fields against what a file says.

Promises: `check` returns plain values of the declared types with defaults filled in, or raises `ConfigError` naming file, key,
value, and what would be right (for an unknown key: the nearest right spelling).
Its user declares a table as `{key: Field(...)}`, nested tables as `Table(...)`, tables with free names as `Named(...)`.
"""

from __future__ import annotations

import datetime
import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import ConfigError

REQUIRED = object()


@dataclass(frozen=True)
class Field:
    """One key: type (`str`, `float`, `int`, `bool`, `datetime.date`, or `[str]` for a list of strings) and limits."""

    kind: Any
    default: Any = REQUIRED
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    unit: str = ""


@dataclass(frozen=True)
class Table:
    """A table of fixed keys; `optional` ones give None when absent."""

    fields: Mapping[str, Any]
    optional: bool = False


@dataclass(frozen=True)
class Named:
    """A table of tables whose names are free."""

    table: Table
    at_least: tuple[str, ...] = field(default=())


def read(path: Path | str) -> dict[str, Any]:
    """The TOML file as it is. ConfigError: not there, not readable, no TOML."""
    try:
        with Path(path).open("rb") as file:
            return tomllib.load(file)
    except FileNotFoundError:
        raise ConfigError(
            path, "", "no such file", "right is the path of a TOML file, for example hil/benches/virtual.toml"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(path, "", f"cannot be read ({error})", "right is a TOML file in UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            path, "", f"is no TOML: {error}", "correct that line (strings need quotes, tables need [brackets])"
        ) from None


def check(file: Path | str, data: Any, rule: Field | Table | Named, key: str = "") -> Any:
    """`data` as the rule says. Raises ConfigError."""
    if isinstance(rule, Field):
        return _value(file, data, rule, key)
    if not isinstance(data, dict):
        raise ConfigError(file, key, f"is {_show(data)}", f"right is a table: [{key}]")
    if isinstance(rule, Named):
        for name in rule.at_least:
            if name not in data:
                raise ConfigError(file, f"{key}.{name}", "missing", f"right is a table [{key}.{name}]")
        return {name: check(file, value, rule.table, f"{key}.{name}") for name, value in data.items()}
    for name in data:
        if name not in rule.fields:
            near = difflib.get_close_matches(name, rule.fields, 1, 0.5)
            advice = f"did you mean {near[0]}?" if near else f"right are {', '.join(rule.fields)}"
            raise ConfigError(file, _join(key, name), f"unknown key (value {_show(data[name])})", advice)
    return {name: _member(file, data, sub, key, name) for name, sub in rule.fields.items()}


def _member(file: Path | str, data: dict[str, Any], rule: Any, key: str, name: str) -> Any:
    if name in data:
        return check(file, data[name], rule, _join(key, name))
    if isinstance(rule, Field) and rule.default is not REQUIRED:
        return rule.default
    if isinstance(rule, Named) and not rule.at_least:
        return {}
    if isinstance(rule, Table) and rule.optional:
        return None
    right = f"right is {_right(rule)}" if isinstance(rule, Field) else f"right is a table [{_join(key, name)}]"
    raise ConfigError(file, _join(key, name), "missing", right)


def _value(file: Path | str, value: Any, rule: Field, key: str) -> Any:
    kind = rule.kind
    if isinstance(kind, list):
        good = isinstance(value, list) and bool(value) and all(isinstance(item, kind[0]) for item in value)
    elif kind is float:
        good = isinstance(value, (int, float)) and not isinstance(value, bool) and value == value
    elif kind is datetime.date:
        good = isinstance(value, datetime.date) and not isinstance(value, datetime.datetime)
    else:
        good = isinstance(value, kind) and not (kind is int and isinstance(value, bool))
    if not good:
        raise ConfigError(file, key, f"is {_show(value)}", f"right is {_right(rule)}")
    if rule.choices and value not in rule.choices:
        near = difflib.get_close_matches(value, rule.choices, 1, 0.5)
        raise ConfigError(
            file, key, f"is {_show(value)}", (f"did you mean {near[0]}? " if near else "") + f"right is {_right(rule)}"
        )
    if (rule.low is not None and value < rule.low) or (rule.high is not None and value > rule.high):
        raise ConfigError(file, key, f"is {_show(value)}", f"right is {_right(rule)}")
    return float(value) if kind is float else value


def _right(rule: Field) -> str:
    if rule.choices:
        return " or ".join(f'"{choice}"' for choice in rule.choices)
    names = {
        str: "a string",
        float: "a number",
        int: "a whole number",
        bool: "true or false",
        datetime.date: "a date (2027-03-01)",
    }
    text = "a list of strings" if isinstance(rule.kind, list) else names[rule.kind]
    if rule.low is not None and rule.high is not None:
        text += f" from {rule.low:g} to {rule.high:g}"
    elif rule.low is not None:
        text += f" of at least {rule.low:g}"
    return f"{text} {rule.unit}".rstrip()


def _show(value: Any) -> str:
    return (
        f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)[:80]
    )


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name
