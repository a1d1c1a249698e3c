"""A story: the YAML as typed steps; what is none is refused with file, line, column and the nearest right key."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, PrivateAttr, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from abacito.abaco.errors import Misconfigured
from abacito.scenario import expect, names
from abacito.scenario.expect import Place

METHODS = ("get", "post", "put", "delete")
#: Steps that move the clock: what they say is sent to it.
CLOCK_VERBS = ("travel", "tick", "at", "freeze")
#: Steps that are an emulator's own, and where they are sent.
OUR_VERBS = {**dict.fromkeys(CLOCK_VERBS, "/_abacito/clock"), "fault": "/_abacito/faults"}
BODIES = ("json", "form", "body", "base64", "bytes")
Text = str | int | float | bool
Model = TypeVar("Model", bound=BaseModel)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Wait(_Part):
    """How long a step lasts: until its execution has a status, or until its GET answers as it should."""

    status: Literal["SUBMITTED", "RUNNING", "COMPLETE", "ERROR"] | None = None
    until: dict[str, JsonValue] | None = None
    within_s: float = Field(default=20.0, gt=0)


class Step(_Part):
    """One request and what should come of it, a move of the clock, a fault, or only a note."""

    get: str | None = None
    post: str | None = None
    put: str | None = None
    delete: str | None = None
    travel: str | None = Field(default=None, description="Move the clock on by so much: `4h1m`.")
    tick: str | None = Field(default=None, description="The same, of a clock that stands still.")
    at: str | None = Field(default=None, description="Move the clock to this time: `2026-11-23T09:00`.")
    freeze: bool | str | None = Field(default=None, description="Have it stand still, here or at a time, or go on.")
    fault: dict[str, JsonValue] | None = Field(default=None, description="What is to go wrong: `{kind: killed}`.")
    query: dict[str, Text | list[Text]] = Field(default_factory=dict)
    headers: dict[str, str] = Field(default_factory=dict)
    json_: JsonValue = Field(default=None, alias="json")
    form: dict[str, Text | list[Text]] | None = None
    body: str | None = Field(default=None, description="The body as text.")
    base64: str | None = Field(default=None, description="The body in base64.")
    bytes_: str | None = Field(default=None, alias="bytes", description="The body in hexadecimal, `00 ff`.")
    as_: str | None = Field(default=None, alias="as", description="Who asks: a user, or `nobody`.")
    expect: dict[str, JsonValue] | None = None
    keep: dict[str, str] = Field(default_factory=dict)
    wait: Wait | None = None
    for_each: dict[str, list[JsonValue]] | None = None
    note: str | None = None
    _line: int = PrivateAttr(default=0)

    @property
    def line(self) -> int:
        """Where it begins in its file; the first line is 1."""
        return self._line

    @property
    def method(self) -> str | None:
        """``GET``, ``POST`` …; None for a mere note."""
        if self.our_verb is not None:
            return "POST"
        return next((name.upper() for name in METHODS if getattr(self, name) is not None), None)

    @property
    def our_verb(self) -> str | None:
        """What it has the emulator do, if it does: move its clock, or go wrong."""
        return next((name for name in OUR_VERBS if getattr(self, name) is not None), None)

    @property
    def path(self) -> str:
        """The request's path as written, quotes unfilled."""
        if self.our_verb is not None:
            return OUR_VERBS[self.our_verb]
        return next((str(getattr(self, name)) for name in METHODS if getattr(self, name) is not None), "")

    @property
    def has_json(self) -> bool:
        """Whether ``json`` is written, be it null."""
        return "json_" in self.model_fields_set


class Story(_Part):
    """One YAML file: its actors are registered, then its steps are played in order."""

    title: str = Field(min_length=1)
    tags: list[str] = Field(default_factory=list)
    actors: dict[str, str | dict[str, JsonValue]] = Field(
        default_factory=dict, description="Name to image, or to the fields of a registration."
    )
    steps: list[Step] = Field(min_length=1)
    _file: str = PrivateAttr(default="")
    _actor_lines: dict[str, int] = PrivateAttr(default_factory=dict)

    @property
    def file(self) -> str:
        """The file that it was read from, as that was named."""
        return self._file

    def actor_line(self, name: str) -> int:
        """Where that actor stands in the file."""
        return self._actor_lines.get(name, 1)


def load(path: Path) -> Story:
    """Read a file. Raises Misconfigured, in one line, for what is no story."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{path}: cannot be read as a story: {error}") from error
    return read(text, str(path))


def read(text: str, file: str) -> Story:
    """Read a story's text; ``file`` is what refusals call it. Raises Misconfigured, in one line."""
    page = _page(text, file, "a story", _keys_at)
    story = _parsed(Story, page)
    story._file = file
    story._actor_lines.update({name: page.position(("actors", name))[0] for name in story.actors})
    for index, step in enumerate(story.steps):
        step._line = page.position(("steps", index))[0]
    for place, sentence in _mistakes(story, page.document):
        raise page.refusal(place, sentence)
    return story


def read_as(
    model: type[Model], text: str, file: str, what: str, keys_at: Callable[[Place], list[str]]
) -> tuple[Model, Callable[[Place], int]]:
    """Read another YAML file of this room: its model, and where in the file a place is (the first line is 1).

    ``what`` is what refusals call it, ``keys_at`` the keys known at a place. Raises Misconfigured, in one line.
    """
    page = _page(text, file, what, keys_at)
    return _parsed(model, page), lambda place: page.position(place)[0]


def json_schema() -> dict[str, Any]:
    """The language as a JSON schema, for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Story.model_json_schema(by_alias=True)}


@dataclass
class _Page:
    """A YAML document as plain values, with the position of each."""

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
        line, column = self.position(place)
        return Misconfigured(f"{self.file}:{line}:{column}: {sentence}")


def _parsed(model: type[Model], page: _Page) -> Model:
    try:
        return model.model_validate(page.document)
    except ValidationError as error:
        raise page.refusal(*_first(error, page)) from None


def _page(text: str, file: str, what: str, keys_at: Callable[[Place], list[str]]) -> _Page:
    yaml = YAML(typ="safe", pure=True)  # YAML 1.2: `on` and `no` are texts
    page = _Page(file, what, keys_at)
    try:
        root = yaml.compose(text)
        page.document = None if root is None else _plain(root, (), page, yaml)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        page.positions[()] = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise page.refusal((), f"not YAML: {' '.join(str(error.problem or error.context).split())}") from error
    return page


def _plain(node: Node, place: Place, page: _Page, yaml: YAML) -> Any:
    """The node's value, its positions noted; what JSON does not have (times, bytes) stays the text that it was."""
    page.positions.setdefault(place, (node.start_mark.line + 1, node.start_mark.column + 1))
    if isinstance(node, MappingNode):
        return _plain_mapping(node, place, page, yaml)
    if isinstance(node, SequenceNode):
        return [_plain(item, (*place, index), page, yaml) for index, item in enumerate(node.value)]
    if isinstance(node, ScalarNode) and str(node.tag).rpartition(":")[2] in {"int", "float", "bool", "null"}:
        return yaml.constructor.construct_object(node)
    return node.value


def _plain_mapping(node: MappingNode, place: Place, page: _Page, yaml: YAML) -> dict[str, Any]:
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


def _first(error: ValidationError, page: _Page) -> tuple[Place, str]:
    """The mistake that stands first in the file, and its sentence."""
    # (a key that is missing may be there, written wrong)
    details = min(error.errors(), key=lambda found: (found["type"] == "missing", page.position(found["loc"])))
    return details["loc"], _sentence(details, page)


def _sentence(details: ErrorDetails, page: _Page) -> str:
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


def _keys_at(place: Place) -> list[str]:
    part: type[BaseModel] = Story
    if place[:1] == ("steps",):
        part = Wait if "wait" in place else Step
    return [information.alias or name for name, information in part.model_fields.items()]


def _unknown_key(key: str, known: list[str]) -> str:
    near = get_close_matches(key.lower(), known, n=1, cutoff=0.5)
    return f"unknown key {key!r}: " + (f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}")


def _mistakes(story: Story, document: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    """What types cannot say: places and sentences, in the story's order."""
    known: set[str] = set()
    for name, registration in story.actors.items():
        place: Place = ("actors", name)
        yield from _bad_name(name, place)
        if isinstance(registration, dict) and "image" not in registration:
            yield place, f"the actor {name!r} has no 'image'"
        yield from _unknown_names(document["actors"][name], place, known)
        known.add(name)
    for index, step in enumerate(story.steps):
        place = ("steps", index)
        yield from _bad_step(step, place)
        yield from _unknown_names(document["steps"][index], place, known | set(step.for_each or {}))
        known |= set(step.keep)


def _bad_step(step: Step, place: Place) -> Iterator[tuple[Place, str]]:
    methods = [name for name in (*METHODS, *OUR_VERBS) if getattr(step, name) is not None]
    if len(methods) > 1:
        yield (*place, methods[1]), f"a step is one request: here are {' and '.join(methods)}"
    if not methods and step.model_fields_set != {"note"}:
        known = ", ".join((*METHODS, *OUR_VERBS))
        yield place, f"a step is a request, moves the clock or sets a fault ({known}), or it is only a 'note'"
    if step.our_verb is not None:
        yield from _bad_step_of_ours(step, place)
    elif methods and not step.path.startswith(("/", "{")):
        yield (*place, methods[0]), f"a path begins with a slash: {step.path!r}"
    yield from _bad_body(step, place)
    yield from _bad_wait(step, place)
    yield from _bad_for_each(step, place)
    for name in step.keep:
        yield from _bad_name(name, (*place, "keep", name))
    yield from expect.problems(step.expect or {}, (*place, "expect"))


def _bad_step_of_ours(step: Step, place: Place) -> Iterator[tuple[Place, str]]:
    others = step.model_fields_set - {*OUR_VERBS, "expect", "keep", "note"}
    for name in sorted(others)[:1]:
        yield (*place, name.rstrip("_")), f"{step.our_verb!r} goes with 'expect', 'keep' and 'note' only"


def _bad_body(step: Step, place: Place) -> Iterator[tuple[Place, str]]:
    bodies = [name for name in BODIES if name in {field.rstrip("_") for field in step.model_fields_set}]
    if len(bodies) > 1:
        yield (*place, bodies[1]), f"a request has one body: here are {' and '.join(bodies)}"
    if step.base64 is not None and not _quotes(step.base64):
        yield from _undecodable(from_base64, step.base64, (*place, "base64"))
    if step.bytes_ is not None and not _quotes(step.bytes_):
        yield from _undecodable(bytes.fromhex, step.bytes_, (*place, "bytes"))


def _quotes(text: str) -> bool:
    return next(names.quoted(text), None) is not None


def _undecodable(decode: Callable[[str], bytes], text: str, place: Place) -> Iterator[tuple[Place, str]]:
    try:
        decode(text)
    except ValueError as error:
        yield place, f"{place[-1]!r} cannot be decoded: {error}"


def from_base64(text: str) -> bytes:
    """The bytes; blanks and line ends in the text do not count. Raises ValueError."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error


def _bad_wait(step: Step, place: Place) -> Iterator[tuple[Place, str]]:
    if step.wait is None:
        return
    here = (*place, "wait")
    if (step.wait.status is None) == (step.wait.until is None):
        yield here, "a wait is for one of 'status' and 'until'"
    if step.wait.status is not None and step.method != "POST":
        yield (*here, "status"), "only a POST has an execution to wait for: a GET waits 'until'"
    if step.wait.until is not None and step.method != "GET":
        yield (*here, "until"), "only a GET is asked again 'until' it answers so: a POST waits for a 'status'"
    yield from expect.problems(step.wait.until or {}, (*here, "until"))


def _bad_for_each(step: Step, place: Place) -> Iterator[tuple[Place, str]]:
    here = (*place, "for_each")
    if step.for_each is not None and len(step.for_each) != 1:
        yield here, "'for_each' takes one name with its list"
    for name, values in (step.for_each or {}).items():
        yield from _bad_name(name, (*here, name))
        if not values:
            yield (*here, name), f"{name!r} has nothing in its list, so the step would never be played"


def _bad_name(name: str, place: Place) -> Iterator[tuple[Place, str]]:
    if not names.is_name(name):
        yield place, f"{name!r} cannot be quoted as {{{name}}}: letters, digits and _ only, no digit first"


def _unknown_names(written: JsonValue, place: Place, known: set[str]) -> Iterator[tuple[Place, str]]:
    for here, name in names.quoted(written, place):
        if name not in known:
            yield here, names.unknown_name(name, known)
