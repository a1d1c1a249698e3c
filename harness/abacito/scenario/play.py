"""Plays a story: its steps in order, with their waits, up to the first that fails."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from pydantic import JsonValue

from abacito.abaco.errors import Misconfigured
from abacito.abaco.ports import Pace
from abacito.abaco.time import RealPace
from abacito.scenario.ask import Answer, Line, Request, Target, request_of
from abacito.scenario.expect import Difference, Missing, differences
from abacito.scenario.names import fill, fill_text
from abacito.scenario.step import CLOCK_VERBS, Step, Wait
from abacito.scenario.story import Story
from abacito.scenario.users import check_users
from abacito.scenario.waiting import Result, Waiting, dig, message_of, with_refusal

LAST_LINES = 10  # of a container's log, in a failure
REFUSED, NOT_FOUND = 400, 404


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a story stopped; ``number`` counts steps from 1, and is 0 for the registration of its actors.

    ``wanted`` and ``got`` have a line for each disagreement, with its place in the answer; ``last_lines`` are the
    container's, if the step is about an execution.
    """

    file: str
    line: int
    number: int
    request: str
    wanted: str
    got: str
    last_lines: str = ""

    def __str__(self) -> str:
        parts = [f"{self.file}:{self.line}: step {self.number}: {self.request}"]
        parts += [f"  wanted {self.wanted}".replace("\n", "\n         ")]
        parts += [f"  got    {self.got}".replace("\n", "\n         ")]
        if self.last_lines:
            parts += ["  the container's last lines:", *(f"    {line}" for line in self.last_lines.splitlines())]
        return "\n".join(parts)


@dataclass(frozen=True, slots=True)
class StepReport:
    """One step as it went, for whoever shows it; ``answer`` is JSON, or text where the answer was none.

    ``logs`` is the container's whole log when the step waited for an execution; ``request`` is empty for a mere note.
    ``status_code`` is None for a step that waited until it was quiet.
    """

    number: int
    line: int
    note: str | None = None
    request: str = ""
    body: str | None = None
    status_code: int | None = None
    answer: JsonValue = None
    headers: Mapping[str, str] = field(default_factory=dict)
    logs: str | None = None
    elapsed_s: float = 0.0
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a story: its failure, if it has one, the steps that were played and the seconds they took."""

    story: Story
    failure: Failure | None
    steps: int
    elapsed_s: float


def play(
    story: Story,
    target: Target,
    report: Callable[[StepReport], None],
    *,
    tidy: bool = True,
    pace: Pace | None = None,
) -> Outcome:
    """Register the story's actors and play its steps until one fails; each is reported when it has ended.

    ``tidy`` deletes the actors named in ``actors`` afterwards (what steps register is theirs). Raises Unavailable when
    the target does not answer, Misconfigured when it lacks something the story needs: a user's token is asked for
    before anything is played.
    """
    check_users(story, target.tokens_by_user)
    line = Line(target)
    try:
        return _Player(story, line, report, pace or RealPace(threading.Event())).play(tidy)
    finally:
        line.close()


class _Player:
    def __init__(self, story: Story, line: Line, report: Callable[[StepReport], None], pace: Pace) -> None:
        self._story = story
        self._line = line
        self._report = report
        self._pace = pace
        self._waiting = Waiting(line, pace)
        self._known: dict[str, JsonValue] = {}

    def play(self, tidy: bool) -> Outcome:
        began = self._pace.monotonic()
        registered: list[str] = []
        failure = self._register_all(registered)
        played = 0
        for number, step in enumerate(self._story.steps, start=1):
            if failure is not None:
                break
            failure, played = self._each(number, step), number
        if tidy:
            self._delete(registered)
        return Outcome(self._story, failure, played, self._pace.monotonic() - began)

    def _register_all(self, registered: list[str]) -> Failure | None:
        for name, registration in self._story.actors.items():
            fields = {"image": registration} if isinstance(registration, str) else registration
            step = Step.model_validate(
                {"post": "/actors/v2", "json": fields, "keep": {name: "result.id"}, "note": f"the actor {name}"}
            )
            step.settle(*self._story.origin("actors", name), actors=())
            if (failure := self._one(0, step, self._known)) is not None:
                return failure
            registered.append(str(self._known[name]))
        return None

    def _delete(self, actors: list[str]) -> None:
        for actor in actors:
            self._line.ask(Request("DELETE", f"/actors/v2/{actor}"))  # a step may have deleted it: no answer is wrong

    def _each(self, number: int, step: Step) -> Failure | None:
        """The step once, or once for each item, up to the first failure."""
        if step.method is None and not step.is_quiet:
            self._report(StepReport(number, step.line, note=fill_text(step.note or "", self._known)))
            return None
        scopes = (self._known | item for item in _items(step, self._known))
        return next((failure for scope in scopes if (failure := self._one(number, step, scope)) is not None), None)

    def _one(self, number: int, step: Step, scope: Mapping[str, JsonValue]) -> Failure | None:
        began = self._pace.monotonic()
        try:
            title, body, result = self._performed(step, scope)
        except Misconfigured as error:
            raise Misconfigured(f"{step.file}:{step.line}: step {number}: {error}") from error
        report = StepReport(
            number=number,
            line=step.line,
            note=None if step.note is None else fill_text(step.note, scope),
            request=title,
            body=body,
            status_code=result.answer.status_code if result.answer else None,
            answer=_shown_answer(result.answer),
            headers=result.answer.headers if result.answer else {},
            logs=result.logs,
            elapsed_s=self._pace.monotonic() - began,
            failure=_failure(number, step, title, result) if result.found else None,
        )
        self._report(report)
        return report.failure

    def _performed(self, step: Step, scope: Mapping[str, JsonValue]) -> tuple[str, str | None, Result]:
        """What was asked, in a line, with what body, and what it came to."""
        wait = step.wait or Wait()
        if step.is_quiet:
            user = None if step.as_ is None else fill_text(step.as_, scope)
            return "wait until it is quiet", None, self._waiting.quiet(user, wait.within_s)
        request = request_of(step, scope, self._line.case)
        title = f"{request.method} {request.path}"
        if wait.until is not None:
            result = self._waiting.until(request, _filled(wait.until, scope), wait.within_s)
        else:
            result = Result(self._line.ask(request))
        return title, request.shown_body, self._judged(step, request, result, scope)

    def _judged(self, step: Step, request: Request, result: Result, scope: Mapping[str, JsonValue]) -> Result:
        """The result with what the step finds wrong in it; a message that is waited for is waited for first."""
        wait, answer = step.wait or Wait(), result.answer
        assert answer is not None, "every request has an answer"
        if step.our_verb is not None:
            self._is_obeyed(step.our_verb, answer)
        if step.run is not None and answer.status_code < REFUSED:
            result = self._waiting.run(request, answer, wait.within_s, with_results=_wants_results(step))
            answer = result.answer or answer
        found = result.found or tuple(_disagreements(step, answer, scope)) or tuple(self._keep(step, answer, scope))
        if not found and wait.status is not None:
            return replace(self._waiting.executed(request, answer, wait.status, wait.within_s), answer=answer)
        return replace(result, found=found)

    def _is_obeyed(self, verb: str, answer: Answer) -> None:
        """The player's own tokens go on; those that a step has fetched for itself are over when they are."""
        if answer.status_code == NOT_FOUND:
            does = "moves an emulator's clock" if verb in CLOCK_VERBS else "has an emulator go wrong"
            raise Misconfigured(f"{verb!r} {does}: the target is no abacito")
        if verb in CLOCK_VERBS:
            self._line.renew()

    def _keep(self, step: Step, answer: Answer, scope: Mapping[str, JsonValue]) -> Iterator[Difference]:
        for name, path in step.keep.items():
            path = fill_text(path, scope)
            value = dig(answer.document, path)
            if isinstance(value, Missing):
                yield Difference(path, f"something to keep as {name!r}", f"{value.value}: {message_of(answer)}")
            else:
                self._known[name] = value


def _failure(number: int, step: Step, title: str, result: Result) -> Failure:
    wanted = "\n".join(f"{found.path}: {found.wanted}" for found in result.found)
    got = "\n".join(f"{found.path}: {found.got}" for found in result.found)
    last_lines = "\n".join((result.logs or "").splitlines()[-LAST_LINES:])
    return Failure(step.file, step.line, number, title, wanted, got, last_lines)


def _shown_answer(answer: Answer | None) -> JsonValue:
    if answer is None:
        return None
    return answer.text if answer.json is None else answer.json


def _wants_results(step: Step) -> bool:
    """Whether it looks at them: to read them takes them away."""
    looked_at = [*(step.expect or {}), *(path.partition(".")[0] for path in step.keep.values())]
    return "results" in looked_at


def _items(step: Step, known: Mapping[str, JsonValue]) -> Iterator[dict[str, JsonValue]]:
    if step.for_each is None:
        yield {}
    for name, values in (step.for_each or {}).items():
        yield from ({name: fill(value, known)} for value in values)


def _disagreements(step: Step, answer: Answer, scope: Mapping[str, JsonValue]) -> Iterator[Difference]:
    wanted = _filled(step.expect or {}, scope)
    if not {"status", "status_code"} & wanted.keys():
        if answer.status_code >= REFUSED:
            yield Difference("status_code", "below 400, for want of another word", message_of(answer))
        elif step.run is not None:
            wanted = {"status": "COMPLETE", **wanted}
    yield from with_refusal(differences(wanted, answer.document), answer)


def _filled(written: dict[str, JsonValue], scope: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    filled = fill(written, scope)
    return filled if isinstance(filled, dict) else {}
