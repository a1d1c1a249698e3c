"""A story played twice, on an emulator of ours and on another Abaco: what differs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import zip_longest

from abacito.abaco.ports import Pace
from abacito.containers.bundled import folder_for
from abacito.scenario import names
from abacito.scenario.alike import Alike
from abacito.scenario.ask import Line, Request, Target
from abacito.scenario.names import as_text
from abacito.scenario.play import Failure, Outcome, StepReport, play
from abacito.scenario.references import Knowledge
from abacito.scenario.step import CLOCK, CLOCK_VERBS, NOBODY, OURS, Step
from abacito.scenario.story import Story

#: The path of a difference that is not in an answer: one side is as the story expects, the other is not.
EXPECTATIONS = "expectations"
OK = 200


@dataclass(frozen=True, slots=True)
class Divergence:
    """A difference between the two sides: the step, the place in its answer, ours and theirs as they are shown."""

    file: str
    line: int
    number: int
    request: str
    path: str
    ours: str
    theirs: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}: step {self.number}: {self.request}"
        return f"{where}\n  {self.path}\n    ours   {self.ours}\n    theirs {self.theirs}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of a story on both sides.

    ``failed`` is what the story's own expectations say of each, shown as differences are, or None. ``answers`` were
    compared; ``moments`` and ``strangers`` count what was seen at two stations of its life, and others' actors.
    """

    story: Story
    divergences: tuple[Divergence, ...]
    failed: tuple[str | None, str | None]
    answers: int
    moments: int
    strangers: int
    elapsed_s: float


def compare(story: Story, ours: Target, theirs: Target, *, pace: Pace | None = None) -> Comparison:
    """Play it here, then there, and compare every answer. Raises as ``play`` does."""
    here: list[StepReport] = []
    there: list[StepReport] = []
    outcomes = play(story, ours, here.append, pace=pace), play(story, theirs, there.append, pace=pace)
    _set_back(story, theirs)
    asked = [report for report in here if report.request], [report for report in there if report.request]
    alike = Alike(_known(ours, asked[0]), _known(theirs, asked[1]))
    pairs = [(mine, other) for mine, other in zip_longest(*asked) if mine and other]
    found = list(_divergences(story, alike, pairs))
    failed = _told(alike, outcomes)
    found += _failures(story, alike, outcomes, failed)
    elapsed_s = sum(outcome.elapsed_s for outcome in outcomes)
    return Comparison(story, tuple(found), failed, len(pairs), alike.moments, alike.strangers, elapsed_s)


@dataclass(frozen=True, slots=True)
class Theirs:
    """The other Abaco; ``is_emulator``: it is one of ours, with our own surface and the bundled images."""

    target: Target
    is_emulator: bool

    @classmethod
    def at(cls, target: Target) -> Theirs:
        """Look what is there, and which case it speaks. Raises Unavailable when nothing answers, Misconfigured."""
        line = Line(target)
        try:
            answer = line.ask(Request("GET", f"{OURS}/health", NOBODY))
            is_emulator = answer.status_code == OK and "parts" in answer.document
            return cls(replace(target, case=line.case), is_emulator)
        finally:
            line.close()

    def lacks_for(self, story: Story) -> str | None:
        """What the story needs and is not there, as a sentence about the story; None if it can be played."""
        if (user := _user_without_token(story, self.target)) is not None:
            return f"needs a token of the user {user!r} there: --user-token {user}=TOKEN"
        for step in story.steps:
            if not self.is_emulator and (step.our_verb is not None or step.path.startswith(OURS)):
                return f"needs an emulator there: line {step.line} has {step.our_verb or step.path!r}"
        bundled = [] if self.is_emulator else [image for image in _images(story) if _is_bundled(image)]
        return f"needs the bundled image {bundled[0]!r}, which only an emulator has" if bundled else None


def _set_back(story: Story, target: Target) -> None:
    """The clock of an emulator that goes on: the next story begins with ours at the present time."""
    if not any(step.our_verb in CLOCK_VERBS for step in story.steps):
        return
    line = Line(target)
    try:
        json = {"Content-Type": "application/json"}
        line.ask(Request("POST", CLOCK, headers=json, content=b'{"reset": true}'))
    finally:
        line.close()


def _user_without_token(story: Story, target: Target) -> str | None:
    asking = (user for step in story.steps for user in _users(step))
    needed = (user for user in (*story.users, *asking) if user not in {NOBODY, *target.tokens_by_user})
    return next(needed, None)


def _users(step: Step) -> Iterator[str]:
    """Who asks; of a quote, what the step says itself."""
    if step.as_ is None:
        return
    if next(names.quoted(step.as_), None) is None:
        yield step.as_
    for name, items in (step.for_each or {}).items():
        yield from (as_text(item) for item in items if step.as_ == f"{{{name}}}")


def _images(story: Story) -> Iterator[str]:
    for registration in story.actors.values():
        yield from _image(registration)
    for step in story.steps:
        yield from _image(step.json_)
        yield from _image(step.form)
        yield from _image(step.query)


def _image(registration: object) -> Iterator[str]:
    image = registration.get("image") if isinstance(registration, Mapping) else registration
    if isinstance(image, str):
        yield image


def _is_bundled(image: str) -> bool:
    # A name with a slash is a public one, which a registry has: its bundled folder only stands in for it.
    return "/" not in image and folder_for(image) is not None


def _known(target: Target, reports: list[StepReport]) -> Knowledge:
    knowledge = Knowledge(target)
    for report in reports:
        knowledge.learn(report.request, report.answer)
        knowledge.learn(report.request, report.logs)
    return knowledge


def _divergences(story: Story, alike: Alike, pairs: list[tuple[StepReport, StepReport]]) -> Iterator[Divergence]:
    for mine, other in pairs:
        for found in alike.differences(mine, other):
            request = alike.told("ours", mine.request)
            yield Divergence(story.file, mine.line, mine.number, request, found.path, found.ours, found.theirs)


def _told(alike: Alike, outcomes: tuple[Outcome, Outcome]) -> tuple[str | None, str | None]:
    ours, theirs = (outcome.failure for outcome in outcomes)
    return (
        None if ours is None else alike.told("ours", _sentence(ours)),
        None if theirs is None else alike.told("theirs", _sentence(theirs)),
    )


def _sentence(failure: Failure) -> str:
    wanted, got = (" and ".join(text.splitlines()) for text in (failure.wanted, failure.got))
    return f"step {failure.number}: wanted {wanted}; got {got}"


def _failures(
    story: Story, alike: Alike, outcomes: tuple[Outcome, Outcome], failed: tuple[str | None, str | None]
) -> Iterator[Divergence]:
    """What the story itself says of the two, if that differs: what follows was played on one side at most."""
    ours, theirs = (outcome.failure for outcome in outcomes)
    first = min((each for each in (ours, theirs) if each), key=lambda each: each.number, default=None)
    if first is None or (ours and theirs and alike.same_text(_sentence(ours), _sentence(theirs))):
        return
    request = alike.told("ours" if first is ours else "theirs", first.request)
    met = "as the story expects"
    yield Divergence(story.file, first.line, first.number, request, EXPECTATIONS, failed[0] or met, failed[1] or met)
