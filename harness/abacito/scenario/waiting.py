"""What a step waits for: an answer that fits, the end of an execution, that nothing waits or runs any more."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count

import requests
from pydantic import JsonValue

from abacito.abaco.errors import Unavailable
from abacito.abaco.execution import FINAL
from abacito.abaco.ports import Pace
from abacito.client import Refused, WaitedInVain
from abacito.scenario.ask import Answer, Line, Request
from abacito.scenario.expect import Difference, Got, Missing, differences, shown
from abacito.scenario.step import NOBODY

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.02, 0.2
LOOKS_PER_ACTOR = 10  # at an execution, before its actor is looked at: one in ERROR runs nothing


@dataclass(frozen=True, slots=True)
class Result:
    """What one step came to: the answer that it was given, what differs in it, and the container's log if there is one.

    A wait until it is quiet has no answer.
    """

    answer: Answer | None
    found: tuple[Difference, ...] = ()
    logs: str | None = None


class Waiting:
    """Asks one target again and again, at this pace."""

    def __init__(self, line: Line, pace: Pace) -> None:
        self._line, self._pace = line, pace

    def until(
        self,
        request: Request,
        wanted: dict[str, JsonValue],
        within_s: float,
        is_over: Callable[[Answer], bool] = lambda _: False,
    ) -> Result:
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
        return Result(answer, with_refusal(late, answer), self._logs(request))

    def executed(self, posted: Request, answer: Answer, status: JsonValue, within_s: float) -> Result:
        """The posted message's execution, once it has that status, or its actor has failed."""
        execution = dig(answer.document, "result.executionId")
        if not isinstance(execution, str):
            wanted = "the id of an execution to wait for"
            return Result(answer, (Difference("result.executionId", wanted, message_of(answer)),))
        mailbox, _, _ = posted.path.partition("?")
        actor = mailbox.rpartition("/messages")[0]
        user = None if posted.user == NOBODY else posted.user  # a nonce's uses are the story's, not ours to spend
        look, its_actor = Request("GET", f"{actor}/executions/{execution}", user), Request("GET", actor, user)
        looks, failed = count(1), [False]

        def is_over(seen: Answer) -> bool:
            """Not when the actor has only just failed: its execution may be about to be told so."""
            if next(looks) % LOOKS_PER_ACTOR == 0:
                failed.append(self._failed(its_actor) is not None)
            return _has_ended(seen) or all(failed[-2:])

        result = self.until(look, {"result": {"status": status}}, within_s, is_over)
        why = self._failed(its_actor) if result.found else None
        if why is None:
            return result
        first, *others = result.found
        return replace(result, found=(replace(first, got=f"{first.got}; the actor is in ERROR: {why}"), *others))

    def run(self, posted: Request, answer: Answer, within_s: float, *, with_results: bool) -> Result:
        """The posted message's execution when it has ended: its fields, ``logs`` and, if they are wanted, ``results``.

        They are texts, read from the execution, which has none of them any more.
        """
        ended = self.executed(posted, answer, {"one_of": [status.value for status in FINAL]}, within_s)
        fields = dig(ended.answer.document if ended.answer else None, "result")
        if ended.found or not isinstance(fields, dict):
            return replace(ended, answer=answer)
        actor = posted.path.partition("?")[0].rpartition("/messages")[0]
        results = Request("GET", f"{actor}/executions/{fields['id']}/results", posted.user)
        known: dict[str, JsonValue] = {**fields, "logs": ended.logs}
        if with_results:
            known["results"] = list(self._results(results))
        return Result(replace(answer, json=known), (), ended.logs)

    def quiet(self, user: str | None, within_s: float) -> Result:
        """Until nothing waits and nothing runs, of all actors that the user sees. Raises Unavailable."""
        client = self._line.client(user)
        try:
            client.quiet(within_s)
        except (WaitedInVain, Refused) as error:
            wanted = f"no message waits and no execution runs within {within_s:g} s"
            return Result(None, (Difference("quiet", wanted, str(error)),))
        except requests.RequestException as error:
            raise Unavailable(f"no answer from {client.url}: {error}") from error
        finally:
            client.close()
        return Result(None)

    def _results(self, request: Request) -> Iterator[str]:
        while text := self._line.ask(request).text:
            yield text

    def _failed(self, look: Request) -> str | None:
        """Why the actor runs nothing, if it is in ERROR: an image that is missing, as a rule."""
        told = self._line.ask(look).document.get("result")
        if not isinstance(told, dict) or told.get("status") != "ERROR":
            return None
        return str(told.get("statusMessage", "")).strip()

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


def with_refusal(found: list[Difference], answer: Answer) -> tuple[Difference, ...]:
    """The differences; to the first is added what a refusing answer says, or one would have to guess."""
    if not found or answer.status_code < 400:
        return tuple(found)
    return (replace(found[0], got=f"{found[0].got} (answered {message_of(answer)})"), *found[1:])


def message_of(answer: Answer) -> str:
    """What an answer says, for a failure."""
    return f"{answer.status_code} {shown(answer.document.get('message', answer.text))}"


def _has_ended(answer: Answer) -> bool:
    return dig(answer.document, "result.status") in FINAL
