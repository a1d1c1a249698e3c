"""One step of a story: what it may say, and what is wrong with one that says something else."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Container, Iterator
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, PrivateAttr

from abacito.scenario import expect, names
from abacito.scenario.expect import Place

METHODS = ("get", "post", "put", "delete")
#: Steps that move the clock: what they say is sent to it.
CLOCK_VERBS = ("travel", "tick", "at", "freeze")
#: Where an emulator is steered.
OURS = "/_abacito"
CLOCK, FAULTS = f"{OURS}/clock", f"{OURS}/faults"
#: Steps that are an emulator's own, and where they are sent.
OUR_VERBS = {**dict.fromkeys(CLOCK_VERBS, CLOCK), "fault": FAULTS}
#: All that a step can do; the last needs no key of its own.
VERBS = (*METHODS, *OUR_VERBS, "run", "include")
NOBODY = "nobody"  # `as: nobody` sends no credentials, as a lone nonce needs
BODIES = ("message", "json", "form", "body", "base64", "bytes")
Text = str | int | float | bool


class Part(BaseModel):
    """A mapping in a story: nothing but what is named here, in its own type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Wait(Part):
    """How long a step lasts: until its execution has a status, until its GET answers as it should, until all is quiet.

    A ``run`` lasts until its execution has ended; only ``within_s`` is said of it.
    """

    status: Literal["SUBMITTED", "RUNNING", "COMPLETE", "ERROR"] | None = None
    until: dict[str, JsonValue] | None = None
    quiet: Literal[True] | None = Field(default=None, description="In place of a request: nothing waits or runs.")
    within_s: float = Field(default=20.0, gt=0)


class Step(Part):
    """One request and what should come of it, a run, a move of the clock, a fault, a story, or only a note."""

    get: str | None = None
    post: str | None = None
    put: str | None = None
    delete: str | None = None
    travel: str | None = Field(default=None, description="Move the clock on by so much: `4h1m`.")
    tick: str | None = Field(default=None, description="The same, of a clock that stands still.")
    at: str | None = Field(default=None, description="Move the clock to this time: `2026-11-23T09:00`.")
    freeze: bool | str | None = Field(default=None, description="Have it stand still, here or at a time, or go on.")
    fault: dict[str, JsonValue] | None = Field(default=None, description="What is to go wrong: `{kind: killed}`.")
    run: str | None = Field(default=None, description="Send this actor, by name or id, one message; wait for its end.")
    include: str | None = Field(default=None, description="Play the story in this file here.")
    message: JsonValue = Field(default=None, description="What `run` sends: a text, or JSON.")
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
    _file: str = PrivateAttr(default="")
    _line: int = PrivateAttr(default=0)
    _mailbox: str = PrivateAttr(default="")

    def settle(self, file: str, line: int, actors: Container[str]) -> None:
        """Note where it stands in which file, and the names that ``run`` may mean."""
        self._file, self._line = file, line
        self._mailbox = (
            f"/actors/v2/{{{self.run}}}/messages" if self.run in actors else f"/actors/v2/{self.run}/messages"
        )

    @property
    def file(self) -> str:
        """The file that it stands in, as that was named."""
        return self._file

    @property
    def line(self) -> int:
        """Where it begins in its file; the first line is 1."""
        return self._line

    @property
    def method(self) -> str | None:
        """``GET``, ``POST`` …; None for what asks nothing by itself."""
        if self.our_verb is not None or self.run is not None:
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
        if self.run is not None:
            return self._mailbox
        return next((str(getattr(self, name)) for name in METHODS if getattr(self, name) is not None), "")

    @property
    def has_json(self) -> bool:
        """Whether ``json`` is written, be it null."""
        return "json_" in self.model_fields_set

    @property
    def has_message(self) -> bool:
        """Whether ``message`` is written, be it null."""
        return "message" in self.model_fields_set

    @property
    def is_quiet(self) -> bool:
        """Whether it waits until nothing waits or runs."""
        return self.wait is not None and self.wait.quiet is not None


def mistakes(step: Step, place: Place) -> Iterator[tuple[Place, str]]:
    """What types cannot say is wrong with a step that stands at ``place``: places and sentences."""
    verbs = [name for name in VERBS if getattr(step, name) is not None] + ["wait"] * step.is_quiet
    if len(verbs) > 1:
        yield (*place, verbs[1]), f"a step does one thing: here are {' and '.join(verbs)}"
    if not verbs and step.model_fields_set != {"note"}:
        yield place, f"a step has one of {', '.join(VERBS)}, or waits until it is 'quiet', or it is only a 'note'"
    yield from _bad_company(step, verbs, place)
    if verbs and verbs[0] in METHODS and not step.path.startswith(("/", "{")):
        yield (*place, verbs[0]), f"a path begins with a slash: {step.path!r}"
    yield from _bad_body(step, place)
    yield from _bad_wait(step, place)
    yield from _bad_for_each(step, place)
    for name in step.keep:
        yield from bad_name(name, (*place, "keep", name))
    yield from expect.problems(step.expect or {}, (*place, "expect"))


#: What may stand beside a verb that is no request.
_COMPANY = {
    **dict.fromkeys(OUR_VERBS, ("expect", "keep", "note")),
    "run": ("message", "base64", "bytes", "query", "as", "expect", "keep", "wait", "for_each", "note"),
    "include": (),
    "wait": ("as", "note"),
}


def _bad_company(step: Step, verbs: list[str], place: Place) -> Iterator[tuple[Place, str]]:
    written = {name.rstrip("_") for name in step.model_fields_set} - {*VERBS}
    for verb in verbs[:1]:
        if verb in _COMPANY:
            for name in sorted(written - {verb, *_COMPANY[verb]})[:1]:
                allowed = ", ".join(map(repr, _COMPANY[verb]))
                yield (*place, name), f"{verb!r} goes with {allowed} only" if allowed else f"{verb!r} stands alone"
    if step.run is None and step.has_message:
        yield (*place, "message"), "'message' is what a 'run' sends: a request has json, form or body"
    if step.run is not None and not written & {"message", "base64", "bytes"}:
        yield (*place, "run"), "a run sends a 'message', or binary data in 'base64' or 'bytes'"


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
    asked = sorted({"status", "until", "quiet"} & step.wait.model_fields_set)
    if step.run is not None and asked:
        yield (*here, asked[0]), "a run waits for the end of its execution: only 'within_s' can be said"
    elif step.run is None and len(asked) != 1:
        yield here, "a wait is for one of 'status', 'until' and 'quiet'"
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
        yield from bad_name(name, (*here, name))
        if not values:
            yield (*here, name), f"{name!r} has nothing in its list, so the step would never be played"


def bad_name(name: str, place: Place) -> Iterator[tuple[Place, str]]:
    """The mistake, if this cannot be quoted by a story."""
    if not names.is_name(name):
        yield place, f"{name!r} cannot be quoted as {{{name}}}: letters, digits and _ only, no digit first"
