"""Plays a story: its steps in order, with their waits, up to the first that fails."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from pydantic import JsonValue

from abacito.abaco.errors import Misconfigured
from abacito.abaco.execution import FINAL
from abacito.abaco.ports import Pace
from abacito.abaco.time import RealPace
from abacito.scenario.ask import NOBODY, Answer, Line, Request, Target, request_of
from abacito.scenario.expect import Difference, Got, Missing, differences, shown
from abacito.scenario.names import fill, fill_text
from abacito.scenario.story import CLOCK_VERBS, Step, Story

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.02, 0.2
LAST_LINES = 10  # of a container's log, in a failure
NOT_FOUND = 404


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
    the target does not answer, Misconfigured when it lacks something the story needs, such as a user's token.
    """
    line = Line(target)
    try:
        return _Player(story, line, report, pace or RealPace(threading.Event())).play(tidy)
    finally:
        line.close()


@dataclass(frozen=True, slots=True)
class _Result:
    """What one step came to, before it is reported."""

    answer: Answer
    found: tuple[Difference, ...] = ()
    logs: str | None = None


class _Player:
    def __init__(self, story: Story, line: Line, report: Callable[[StepReport], None], pace: Pace) -> None:
        self._story = story
        self._line = line
        self._report = report
        self._pace = pace
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
            step._line = self._story.actor_line(name)
            if (failure := self._one(0, step, self._known)) is not None:
                return failure
            registered.append(str(self._known[name]))
        return None

    def _delete(self, actors: list[str]) -> None:
        for actor in actors:
            self._line.ask(Request("DELETE", f"/actors/v2/{actor}"))  # a step may have deleted it: no answer is wrong

    def _each(self, number: int, step: Step) -> Failure | None:
        """The step once, or once for each item, up to the first failure."""
        if step.method is None:
            self._report(StepReport(number, step.line, note=fill_text(step.note or "", self._known)))
            return None
        scopes = (self._known | item for item in _items(step, self._known))
        return next((failure for scope in scopes if (failure := self._one(number, step, scope)) is not None), None)

    def _one(self, number: int, step: Step, scope: Mapping[str, JsonValue]) -> Failure | None:
        began = self._pace.monotonic()
        try:
            request = request_of(step, scope, self._line.case)
            result = self._result(step, request, scope)
        except Misconfigured as error:
            raise Misconfigured(f"{self._story.file}:{step.line}: step {number}: {error}") from error
        title = f"{request.method} {request.path}"
        report = StepReport(
            number=number,
            line=step.line,
            note=None if step.note is None else fill_text(step.note, scope),
            request=title,
            body=request.shown_body,
            status_code=result.answer.status_code,
            answer=result.answer.text if result.answer.json is None else result.answer.json,
            headers=result.answer.headers,
            logs=result.logs,
            elapsed_s=self._pace.monotonic() - began,
            failure=self._failure(number, step, title, result) if result.found else None,
        )
        self._report(report)
        return report.failure

    def _failure(self, number: int, step: Step, title: str, result: _Result) -> Failure:
        wanted = "\n".join(f"{found.path}: {found.wanted}" for found in result.found)
        got = "\n".join(f"{found.path}: {found.got}" for found in result.found)
        last_lines = "\n".join((result.logs or "").splitlines()[-LAST_LINES:])
        return Failure(self._story.file, step.line, number, title, wanted, got, last_lines)

    def _result(self, step: Step, request: Request, scope: Mapping[str, JsonValue]) -> _Result:
        if step.wait is not None and step.wait.until is not None:
            result = self._until(request, _filled(step.wait.until, scope), step.wait.within_s)
        else:
            result = _Result(self._line.ask(request))
        if step.our_verb is not None:
            self._is_obeyed(step.our_verb, result.answer)
        found = (
            result.found or tuple(_disagreements(step, result.answer, scope)) or tuple(self._keep(step, result, scope))
        )
        if not found and step.wait is not None and step.wait.status is not None:
            return self._executed(request, result.answer, step.wait.status, step.wait.within_s)
        return replace(result, found=found)

    def _is_obeyed(self, verb: str, answer: Answer) -> None:
        """The player's own tokens go on; those that a step has fetched for itself are over when they are."""
        if answer.status_code == NOT_FOUND:
            does = "moves an emulator's clock" if verb in CLOCK_VERBS else "has an emulator go wrong"
            raise Misconfigured(f"{verb!r} {does}: the target is no abacito")
        if verb in CLOCK_VERBS:
            self._line.renew()

    def _keep(self, step: Step, result: _Result, scope: Mapping[str, JsonValue]) -> Iterator[Difference]:
        for name, path in step.keep.items():
            path = fill_text(path, scope)
            value = dig(result.answer.document, path)
            if isinstance(value, Missing):
                yield Difference(path, f"something to keep as {name!r}", f"{value.value}: {_message(result.answer)}")
            else:
                self._known[name] = value

    def _executed(self, posted: Request, answer: Answer, status: str, within_s: float) -> _Result:
        """The posted message's execution, once it has that status; the answer stays that to the POST."""
        execution = dig(answer.document, "result.executionId")
        if not isinstance(execution, str):
            wanted = "the id of an execution to wait for"
            return _Result(answer, (Difference("result.executionId", wanted, _message(answer)),))
        mailbox, _, _ = posted.path.partition("?")
        user = None if posted.user == NOBODY else posted.user  # a nonce's uses are the story's, not ours to spend
        look = Request("GET", f"{mailbox.rpartition('/messages')[0]}/executions/{execution}", user)
        return replace(self._until(look, {"result": {"status": status}}, within_s, _has_ended), answer=answer)

    def _until(
        self,
        request: Request,
        wanted: dict[str, JsonValue],
        within_s: float,
        is_over: Callable[[Answer], bool] = lambda _: False,
    ) -> _Result:
        """Ask until the answer fits; the differences are those of the last answer, and say how long it was tried."""
        began, pause_s = self._pace.monotonic(), FIRST_PAUSE_S
        while True:
            answer = self._line.ask(request)
            found = differences(wanted, answer.document)
            left_s = began + within_s - self._pace.monotonic()
            if not found or left_s <= 0 or is_over(answer):
                break
            self._pace.sleep(min(pause_s, left_s))
            pause_s = min(pause_s * 1.5, LONGEST_PAUSE_S)
        limit = f"within {within_s:g} s"
        late = [replace(one, wanted=f"{one.wanted} {limit}", got=f"{one.got}, last seen") for one in found]
        return _Result(answer, _with_refusal(late, answer), self._logs(request))

    def _logs(self, request: Request) -> str | None:
        """The log of the execution that the request looks at, if it looks at one."""
        execution = re.match(r"[^?]*/executions/[^/?]+", request.path)
        if execution is None:
            return None
        answer = self._line.ask(Request("GET", f"{execution[0]}/logs", request.user, request.headers))
        logs = dig(answer.document, "result.logs")
        return logs if isinstance(logs, str) else None


def dig(document: JsonValue, path: str) -> Got:
    """The part of a document at a dotted path; numbers are places in a list, -1 its last."""
    found: Got = document
    for key in path.split("."):
        if isinstance(found, dict):
            found = found.get(key, Missing.KEY)
        elif isinstance(found, list) and re.fullmatch(r"-?\d+", key) and -len(found) <= int(key) < len(found):
            found = found[int(key)]
        else:
            return Missing.KEY
    return found


def _items(step: Step, known: Mapping[str, JsonValue]) -> Iterator[dict[str, JsonValue]]:
    if step.for_each is None:
        yield {}
    for name, values in (step.for_each or {}).items():
        yield from ({name: fill(value, known)} for value in values)


def _disagreements(step: Step, answer: Answer, scope: Mapping[str, JsonValue]) -> Iterator[Difference]:
    wanted = _filled(step.expect or {}, scope)
    if not {"status", "status_code"} & wanted.keys() and answer.status_code >= 400:
        yield Difference("status_code", "below 400, for want of another word", _message(answer))
    yield from _with_refusal(differences(wanted, answer.document), answer)


def _with_refusal(found: list[Difference], answer: Answer) -> tuple[Difference, ...]:
    """The differences; to the first is added what a refusing answer says, or one would have to guess."""
    if not found or answer.status_code < 400:
        return tuple(found)
    return (replace(found[0], got=f"{found[0].got} (answered {_message(answer)})"), *found[1:])


def _filled(written: dict[str, JsonValue], scope: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    filled = fill(written, scope)
    return filled if isinstance(filled, dict) else {}


def _message(answer: Answer) -> str:
    return f"{answer.status_code} {shown(answer.document.get('message', answer.text))}"


def _has_ended(answer: Answer) -> bool:
    return dig(answer.document, "result.status") in FINAL
