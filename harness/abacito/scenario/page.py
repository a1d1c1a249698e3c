"""A YAML page: read as plain values, with the line and column of each, and written."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.representer import SafeRepresenter

from abacito.abaco.errors import Misconfigured
from abacito.scenario.expect import Place

# YAML 1.1 took these for line breaks too, and readers still do.
_ENDS_OF_LINES = frozenset("\x85\u2028\u2029")

Model = TypeVar("Model", bound=BaseModel)


@dataclass
class Page:
    """A YAML document as plain values, with the position of each.

    ``what`` is what refusals call it, ``keys_at`` tells the keys that are known at a place.
    """

    file: str
    what: str
    keys_at: Callable[[Place], list[str]]
    document: Any = None
    positions: dict[Place, tuple[int, int]] = field(default_factory=dict)

    def written(self, place: Place) -> Place:
        """The deepest part of ``place`` that is in the file."""
        while place and place not in self.positions:
            place = place[:-1]
        return place

    def position(self, place: Place) -> tuple[int, int]:
        """Line and column of it, from 1."""
        return self.positions.get(self.written(place), (1, 1))

    def refusal(self, place: Place, sentence: str) -> Misconfigured:
        """The error that tells this sentence, with file, line and column."""
        line, column = self.position(place)
        return Misconfigured(f"{self.file}:{line}:{column}: {sentence}")


def read_page(text: str, file: str, what: str = "a page", keys_at: Callable[[Place], list[str]] = lambda _: []) -> Page:
    """Read YAML 1.2; ``file`` is what refusals call it. Raises Misconfigured for what is none."""
    yaml = YAML(typ="safe", pure=True)  # YAML 1.2: `on` and `no` are texts
    page = Page(file, what, keys_at)
    try:
        root = yaml.compose(text)
        page.document = None if root is None else _plain(root, (), page, yaml)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        page.positions[()] = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise page.refusal((), f"not YAML: {' '.join(str(error.problem or error.context).split())}") from error
    return page


def as_yaml(value: Any) -> str:
    """The value as a block of YAML, its keys in their order."""
    yaml: Any = YAML(typ="safe", pure=True)
    yaml.default_flow_style, yaml.allow_unicode = False, True
    yaml.sort_base_mapping_type_on_output = False
    yaml.map_indent, yaml.sequence_indent, yaml.sequence_dash_offset = 2, 4, 2
    yaml.width = 1_000_000  # lines are broken by nobody but the text itself
    yaml.Representer = _Representer
    text = io.StringIO()
    yaml.dump(value, text)
    return text.getvalue()


class _Representer(SafeRepresenter):
    """Of our own: what is registered with one counts for its class."""


def _written_text(representer: SafeRepresenter, text: str) -> ScalarNode:
    """In quotes where a character would be read as a line's end, which is not kept as it was."""
    style = '"' if set(text) & _ENDS_OF_LINES else None
    return representer.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Representer.add_representer(str, _written_text)


def parsed(model: type[Model], page: Page) -> Model:
    """What the page says, as this model. Raises Misconfigured, naming the place, and the nearest key for one that is
    not known."""
    try:
        return model.model_validate(page.document)
    except ValidationError as error:
        raise page.refusal(*_first(error, page)) from None


def read_as(
    model: type[Model], text: str, file: str, what: str, keys_at: Callable[[Place], list[str]]
) -> tuple[Model, Callable[[Place], int]]:
    """A page's model, and where in the file a place is (the first line is 1). Raises Misconfigured, in one line."""
    page = read_page(text, file, what, keys_at)
    return parsed(model, page), lambda place: page.position(place)[0]


def _first(error: ValidationError, page: Page) -> tuple[Place, str]:
    """The mistake that stands first in the file, and its sentence."""
    # (a key that is missing may be there, written wrong)
    details = min(error.errors(), key=lambda found: (found["type"] == "missing", page.position(found["loc"])))
    return details["loc"], _sentence(details, page)


def _sentence(details: ErrorDetails, page: Page) -> str:
    place = details["loc"]
    key = place[-1] if place else page.what
    if details["type"] == "extra_forbidden":
        return _unknown_key(str(key), page.keys_at(place[:-1]))
    if details["type"] == "missing":
        return f"{key!r} is missing"
    if details["type"] == "model_type" and not place:
        return f"{page.what} is a mapping with the keys {', '.join(page.keys_at(()))}"
    named = next((part for part in reversed(page.written(place)) if isinstance(part, str)), None)
    message = details["msg"].removeprefix("Input ")
    message += " (quotes make it one)" if details["type"] == "string_type" else ""
    return f"{named!r} {message}" if named else f"{page.what} {message}"


def _unknown_key(key: str, known: list[str]) -> str:
    near = get_close_matches(key.lower(), known, n=1, cutoff=0.5)
    return f"unknown key {key!r}: " + (f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}")


def _plain(node: Node, place: Place, page: Page, yaml: YAML) -> Any:
    """The node's value, its positions noted; what JSON does not have (times, bytes) stays the text that it was."""
    page.positions.setdefault(place, (node.start_mark.line + 1, node.start_mark.column + 1))
    if isinstance(node, MappingNode):
        return _plain_mapping(node, place, page, yaml)
    if isinstance(node, SequenceNode):
        return [_plain(item, (*place, index), page, yaml) for index, item in enumerate(node.value)]
    if isinstance(node, ScalarNode) and str(node.tag).rpartition(":")[2] in {"int", "float", "bool", "null"}:
        return yaml.constructor.construct_object(node)
    return node.value


def _plain_mapping(node: MappingNode, place: Place, page: Page, yaml: YAML) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in node.value:
        name = str(key.value)
        here = (*place, name)
        if name in found:
            page.positions[here] = (key.start_mark.line + 1, key.start_mark.column + 1)
            raise page.refusal(here, f"{name!r} is there twice")
        page.positions[here] = (key.start_mark.line + 1, key.start_mark.column + 1)
        found[name] = _plain(value, here, page, yaml)
    return found
