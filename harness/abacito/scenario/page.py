"""A YAML page: read as plain values, with the line and column of each, and written."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from abacito.abaco.errors import Misconfigured
from abacito.scenario.expect import Place


@dataclass
class Page:
    """A YAML document as plain values, with the position of each."""

    file: str
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


def read_page(text: str, file: str) -> Page:
    """Read YAML 1.2; ``file`` is what refusals call it. Raises Misconfigured for what is none."""
    yaml = YAML(typ="safe", pure=True)  # YAML 1.2: `on` and `no` are texts
    page = Page(file)
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
    text = io.StringIO()
    yaml.dump(value, text)
    return text.getvalue()


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
