"""A story: the YAML as typed steps; what is none is refused with file, line, column and the nearest right key."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, JsonValue, PrivateAttr

from abacito.abaco.errors import Misconfigured
from abacito.scenario import names
from abacito.scenario.expect import Place
from abacito.scenario.page import Page, parsed, read_page
from abacito.scenario.step import NOBODY, Part, Step, Wait, bad_name, mistakes


class StoryUser(Part):
    """Somebody whom the story needs; ``roles`` None: those that he has, or an ordinary user's."""

    roles: list[str] | None = Field(default=None, min_length=1)
    tenant: str | None = None


class Story(Part):
    """One YAML file: its actors are registered, then its steps are played in order.

    Once it is read, what it includes is part of it: ``actors``, ``users`` and ``steps`` are all that is played.
    """

    title: str = Field(min_length=1)
    tags: list[str] = Field(default_factory=list)
    actors: dict[str, str | dict[str, JsonValue]] = Field(
        default_factory=dict, description="Name to image, or to the fields of a registration."
    )
    users: dict[str, StoryUser] = Field(
        default_factory=dict, description="Whom steps are asked `as`: name to `{roles: [...], tenant: ...}` or `{}`."
    )
    steps: list[Step] = Field(min_length=1)
    _file: str = PrivateAttr(default="")
    _lines: dict[Place, tuple[str, int]] = PrivateAttr(default_factory=dict)

    @property
    def file(self) -> str:
        """The file that it was read from, as that was named."""
        return self._file

    def origin(self, *place: str) -> tuple[str, int]:
        """File and line of what stands at ``place``: ``"actors"`` or ``"users"``, and a name."""
        return self._lines.get(place, (self._file, 1))

    @property
    def names(self) -> set[str]:
        """All that can be quoted after its last step."""
        return {*self.actors, *(name for step in self.steps for name in step.keep)}


def load(path: Path) -> Story:
    """Read a file. Raises Misconfigured, in one line, for what is no story."""
    return _load(path, ())


def read(text: str, file: str) -> Story:
    """Read a story's text; ``file`` is what refusals call it. Raises Misconfigured, in one line."""
    return _read(text, file, (file,))


def _load(path: Path, chain: tuple[str, ...]) -> Story:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{path}: cannot be read as a story: {error}") from error
    return _read(text, str(path), (*chain, str(path)))


def _read(text: str, file: str, chain: tuple[str, ...]) -> Story:
    """``chain``: the files that are being read, each included by the one before it, this one last."""
    page = read_page(text, file, "a story", _keys_at)
    story = parsed(Story, page)
    _note_origins(story, page)
    included = {
        index: _included(step.include, page, ("steps", index, "include"), chain)
        for index, step in enumerate(story.steps)
        if step.include is not None
    }
    for place, sentence in _mistakes(story, page.document, included):
        raise page.refusal(place, sentence)
    return _whole(story, included)


def _note_origins(story: Story, page: Page) -> None:
    story._file = page.file
    for place in [("actors", name) for name in story.actors] + [("users", name) for name in story.users]:
        story._lines[place] = (page.file, page.position(place)[0])
    for index, step in enumerate(story.steps):
        step.settle(page.file, page.position(("steps", index))[0], story.actors)


def _included(written: str, page: Page, place: Place, chain: tuple[str, ...]) -> Story:
    """The story at a path that is relative to the including file. Raises Misconfigured, naming a chain without end."""
    path = Path(os.path.normpath(Path(page.file).parent / written))
    again = [index for index, file in enumerate(chain) if Path(file).resolve() == path.resolve()]
    if again:
        circle = " → ".join([*chain[again[0] :], str(path)])
        raise page.refusal(place, f"{written!r} is included by itself: {circle}; take one of these out")
    if not path.is_file():
        near = get_close_matches(path.name, [each.name for each in path.parent.glob("*.yaml")], n=1)
        remedy = f"did you mean {near[0]!r}?" if near else f"paths begin at {Path(page.file).parent}"
        raise page.refusal(place, f"there is no file {str(path)!r} to include: {remedy}")
    return _load(path, chain)


def _whole(story: Story, included: Mapping[int, Story]) -> Story:
    """The story with all that it includes, in its place; what has a name in both is the same (see ``_mistakes``)."""
    if not included:
        return story
    steps = [
        step
        for index, own in enumerate(story.steps)
        for step in (included[index].steps if index in included else [own])
    ]
    actors, users = dict(story.actors), dict(story.users)
    for other in included.values():
        actors |= other.actors
        users |= other.users
        story._lines.update({place: origin for place, origin in other._lines.items() if place not in story._lines})
    return story.model_copy(update={"steps": steps, "actors": actors, "users": users})


def json_schema() -> dict[str, Any]:
    """The language as a JSON schema, for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Story.model_json_schema(by_alias=True)}


def _keys_at(place: Place) -> list[str]:
    part: type[BaseModel] = Story
    if place[:1] == ("steps",):
        part = Wait if "wait" in place else Step
    elif place[:1] == ("users",):
        part = StoryUser
    return [information.alias or name for name, information in part.model_fields.items()]


def _mistakes(story: Story, document: Mapping[str, Any], included: Mapping[int, Story]) -> Iterator[tuple[Place, str]]:
    """What types cannot say: places and sentences, in the story's order."""
    known: set[str] = set()
    for name, registration in story.actors.items():
        place: Place = ("actors", name)
        yield from bad_name(name, place)
        if isinstance(registration, dict) and "image" not in registration:
            yield place, f"the actor {name!r} has no 'image'"
        yield from _unknown_names(document["actors"][name], place, known)
        known.add(name)
    yield from _bad_users(story)
    defined: dict[Place, Any] = _definitions(story)
    for index, step in enumerate(story.steps):
        place = ("steps", index)
        yield from mistakes(step, place)
        yield from _unknown_names(document["steps"][index], place, known | set(step.for_each or {}))
        known |= set(step.keep)
        if index in included:
            yield from _differently(included[index], defined, (*place, "include"))
            defined |= _definitions(included[index])
            known |= included[index].names


def _bad_users(story: Story) -> Iterator[tuple[Place, str]]:
    for name in story.users:
        if name in ("", NOBODY):
            yield ("users", name), f"{name!r} is no user: `as: {NOBODY}` sends no credentials"


def _definitions(story: Story) -> dict[Place, Any]:
    actors: dict[Place, Any] = {("actors", name): fields for name, fields in story.actors.items()}
    return actors | {("users", name): user for name, user in story.users.items()}


def _differently(other: Story, defined: Mapping[Place, Any], place: Place) -> Iterator[tuple[Place, str]]:
    for (kind, name), written in _definitions(other).items():
        if defined.get((kind, name), written) != written:
            file, line = other.origin(str(kind), str(name))
            yield place, f"{name!r} of {kind!r} is something else in {file}:{line}: give one of them another name"


def _unknown_names(written: JsonValue, place: Place, known: set[str]) -> Iterator[tuple[Place, str]]:
    for here, name in names.quoted(written, place):
        if name not in known:
            yield here, names.unknown_name(name, known)
