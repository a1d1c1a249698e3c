"""Writes docs/reference.md from the docstrings: fixtures, options, what a test holds in its hands, settings.

A public method, a fixture, an option or a setting that is new is on the page when this has run.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, ForwardRef, get_args

from pydantic import BaseModel

import abacito
from abacito import pytest_plugin
from abacito.abaco.errors import AbacoError, Malformed, Misconfigured, Refusal, Unavailable
from abacito.client import Abaco, Actor, Execution, Refused, WaitedInVain
from abacito.client.clock import Clock, Moved
from abacito.client.faults import Fault, Faults, Often
from abacito.containers.stub import Context
from abacito.emulator import Emulator
from abacito.settings import Settings, TenantSettings, UserSettings
from abacito.worlds import Snapshot

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference.md"
_WIDTH = 100

#: In the order in which a test meets them.
_OBJECTS = (Abaco, Actor, Execution, Clock, Moved, Faults, Fault, Often, Context, Emulator, Snapshot)
_MADE_BY_USERS = (Abaco, Emulator)
_ERRORS = (AbacoError, Misconfigured, Unavailable, Refusal, Malformed, Refused, WaitedInVain)

_HEAD = """\
# Reference

Written by `scripts/reference.py` from the docstrings of the code; a test sees to it that it is up to date. What to do
with it all is on the pages on [pytest](pytest.md), [stubs](stubs.md), [time](time.md), [faults](faults.md) and on tests
[without pytest](without_pytest.md). Types come from `abacito` (`from abacito import Actor`) unless another module is
named. What waits does so in seconds of real time.
"""
_ON_SETTINGS = """\
In a variable (`ABACITO_LOG_EX=60`) lists and tables are JSON. For one test `@pytest.mark.abacito(log_ex=60)` sets them.
"""


def page() -> str:
    """The whole document."""
    parts = [_HEAD, "## Fixtures\n", *_fixtures(), *_plugin(), "## Objects\n"]
    for kind in _OBJECTS:
        parts += _class(kind)
    parts.append("## Errors\n")
    for kind in _ERRORS:
        parts += _class(kind)
    return "\n".join([*parts, *_settings()])


def _fixtures() -> Iterator[str]:
    """Each fixture, by name: its scope, what it gives, its docstring."""
    tree = ast.parse(inspect.getsource(pytest_plugin))
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    for name, node in sorted(functions.items()):
        if (scope := _scope(node)) and not name.startswith("_"):
            given = ast.unparse(node.returns or ast.Constant(None)).removeprefix("Iterator[").removesuffix("]")
            yield f"### `{name}`\n"
            yield f"For each {scope}; {'an' if given[0] in 'AEIO' else 'a'} [`{given}`](#{given.lower()}).\n"
            yield f"{ast.get_docstring(node)}\n"


def _scope(node: ast.FunctionDef) -> str | None:
    """The scope in pytest's words, ``test`` for ``function``; None for what is no fixture."""
    for decorator in node.decorator_list:
        if ast.unparse(decorator).startswith("pytest.fixture"):
            words = decorator.keywords if isinstance(decorator, ast.Call) else []
            return next((ast.literal_eval(word.value) for word in words if word.arg == "scope"), "test")
    return None


class _Heard:
    """In pytest's place: notes what the plugin says of options, ini keys and markers."""

    def __init__(self) -> None:
        self.options: list[tuple[str, dict[str, Any]]] = []
        self.keys: list[tuple[str, str]] = []
        self.markers: list[str] = []

    def addini(self, name: str, help: str, **_: object) -> None:
        self.keys.append((name, help))

    def getgroup(self, _: str) -> _Heard:
        return self

    def addoption(self, name: str, **words: Any) -> None:
        self.options.append((name, words))

    def getoption(self, _: str) -> None:
        """Nothing is given."""

    def addinivalue_line(self, _: str, line: str) -> None:
        self.markers.append(line)


def _plugin() -> Iterator[str]:
    """The marker, the options with their variables, the ini keys."""
    heard: Any = _Heard()
    pytest_plugin.pytest_addoption(heard)
    pytest_plugin.pytest_configure(heard)
    yield "## Marker, options, ini keys\n"
    for line in heard.markers:
        name, _, words = line.partition(":")
        yield f"`@pytest.mark.{name}`:{words}. It stands at a test, a class, or a module (`pytestmark`).\n"
    yield "| option | variable | |\n|---|---|---|"
    for name, words in heard.options:
        values = "\\|".join(words.get("choices", ())) or words["metavar"]
        yield f"| `{name}` `{values}` | `{name.removeprefix('--').replace('-', '_').upper()}` | {words['help']} |"
    yield "\n| ini key | |\n|---|---|"
    yield from (f"| `{name}` | {words} |" for name, words in heard.keys)
    yield ""


def _class(kind: type) -> Iterator[str]:
    """A class: where it comes from, its promise, its public members, inherited ones last."""
    yield f"### `{kind.__name__}`\n"
    if kind in _MADE_BY_USERS:
        yield _code(_signature(kind.__name__, kind))
    if kind in _ERRORS:
        yield f"A kind of {' and of '.join(f'`{base.__name__}`' for base in kind.__bases__)}.{_home(kind)}\n"
    yield f"{inspect.getdoc(kind)}\n"
    if fields := _fields(kind):
        yield _code(fields)
    for name, member in _members(kind):
        yield f"#### `{kind.__name__}.{name}`\n"
        yield from _member(name, member)


def _home(kind: type) -> str:
    return "" if kind.__name__ in abacito.__all__ else f" It comes from `{kind.__module__}`."


def _fields(kind: type) -> str:
    """Those of a record, one a line."""
    types = inspect.get_annotations(kind)
    return "\n".join(f"{name}: {_text(given)}" for name, given in types.items() if not name.startswith("_"))


def _text(annotation: object) -> str:
    return annotation.__forward_arg__ if isinstance(annotation, ForwardRef) else str(annotation)


def _members(kind: type) -> Iterator[tuple[str, Any]]:
    """Public properties and methods of our own, in the order of the source; no hooks of foreign base classes."""
    ours = [each for each in kind.__mro__ if each.__module__.startswith("abacito.")]
    foreign = {name for each in kind.__mro__ if each not in ours for name in vars(each)}
    seen = set(foreign)
    for each in ours:
        for name, member in vars(each).items():
            is_one = isinstance(member, property | classmethod) or inspect.isfunction(member)
            if is_one and not name.startswith("_") and name not in seen:
                seen.add(name)
                yield name, member


def _member(name: str, member: Any) -> Iterator[str]:
    if isinstance(member, property):
        yield _code(f"{name}: {inspect.get_annotations(member.fget)['return']}")
    else:
        function = member.__func__ if isinstance(member, classmethod) else member
        yield _code(_signature(name, function))
    yield f"{inspect.getdoc(member)}\n"


def _signature(name: str, called: Any) -> str:
    """As it is called, without self; one parameter a line where it is long."""
    whole = inspect.signature(called.__init__ if inspect.isclass(called) else called)
    parts = _parameters(list(whole.parameters.values())[1:])
    returns = "" if inspect.isclass(called) else f" -> {whole.return_annotation}"
    short = f"{name}({', '.join(parts)}){returns}"
    if len(short) <= _WIDTH:
        return short
    return "\n".join([f"{name}(", *(f"    {part}," for part in parts), f"){returns}"])


def _parameters(given: Sequence[inspect.Parameter]) -> list[str]:
    parts = [_parameter(each) for each in given]
    by_name = [number for number, each in enumerate(given) if each.kind is each.KEYWORD_ONLY]
    return [*parts[: by_name[0]], "*", *parts[by_name[0] :]] if by_name else parts


def _parameter(given: inspect.Parameter) -> str:
    stars = {given.VAR_POSITIONAL: "*", given.VAR_KEYWORD: "**"}.get(given.kind, "")
    default = "" if given.default is given.empty else f" = {given.default!r}"
    return f"{stars}{given.name}: {given.annotation}{default}"


def _code(text: str) -> str:
    return f"```python\n{text}\n```\n"


def _settings() -> Iterator[str]:
    """What can be set: name, type, default, and what its docstring says; the environment's name follows from it."""
    yield f"## Settings\n\n{inspect.getdoc(Settings)}\n\n{_ON_SETTINGS}"
    own = [name for name in Settings.model_fields if name not in TenantSettings.model_fields]
    yield "### Where and how the emulator runs\n"
    yield from _list(Settings, own)
    yield "### What a tenant may have of its own\n"
    yield f"{inspect.getdoc(TenantSettings)}\n"
    yield from _list(TenantSettings, list(TenantSettings.model_fields))
    yield f"### Users\n\n{inspect.getdoc(UserSettings)}\n"
    yield from _list(UserSettings, list(UserSettings.model_fields))


def _list(model: type[BaseModel], names: Sequence[str]) -> Iterator[str]:
    said = _said(model)
    for name in names:
        field = model.model_fields[name]
        default = "" if field.is_required() else _default(field.get_default(call_default_factory=True))
        yield f"* `{name}: {_type(field.annotation)}{default}`<br>\n  {said[name]}"
    yield ""


def _said(model: type[BaseModel]) -> dict[str, str]:
    """The text below each field. Raises KeyError, in the list, for a field that has none."""
    [tree] = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    assert isinstance(tree, ast.ClassDef)
    return {
        ast.unparse(field.target): " ".join(ast.literal_eval(text.value).split())
        for field, text in pairwise(tree.body)
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr)
    }


def _type(annotation: object) -> str:
    """As it is written in the source, but for where it comes from, and for limits."""
    text = annotation.__name__ if isinstance(annotation, type) and not get_args(annotation) else str(annotation)
    return re.sub(r"\bAnnotated\[(\w+), .*?\](?=, \.\.\.)", r"\1", re.sub(r"\b(typing|abacito\.settings)\.", "", text))


def _default(value: object) -> str:
    """As it stands behind a name; what is long in itself is told by the text."""
    return "" if isinstance(value, tuple) and value and isinstance(value[0], BaseModel) else f" = {value!r}"


if __name__ == "__main__":
    PAGE.write_text(page())
