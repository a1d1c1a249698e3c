"""What a failed test is told of its Abaco: each execution, its times, the end of its log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import requests

from abacito.abaco.errors import AbacoError
from abacito.client import Abaco, Actor, Execution
from abacito.containers.keeping import Keep, is_wanted, kept_name

_EXECUTIONS, _LINES = 20, 10


def section(client: Abaco, keep: Keep) -> str:
    """The test's executions, oldest first, the last 20 at most. Never raises: there is a failure to be told already."""
    try:
        return "\n".join(_told(client.actors, keep)) or "no execution"
    except (AbacoError, requests.RequestException, LookupError, ValueError) as error:
        return f"{client.url} did not tell: {error}"


def _told(actors: Iterable[Actor], keep: Keep) -> Iterator[str]:
    found = [(each.details, each) for actor in actors for each in actor.executions[-_EXECUTIONS:]]
    found.sort(key=lambda pair: pair[0]["message_received_time"])
    for seen, execution in found[-_EXECUTIONS:]:
        yield from _execution(execution, seen)
        if is_wanted(keep, seen.get("exit_code")):
            name = kept_name(execution.id)
            yield f"  if it was a container, it is kept: docker logs {name}; docker cp {name}:/PATH .; docker rm {name}"


def _execution(execution: Execution, seen: Mapping[str, Any]) -> Iterator[str]:
    code = seen.get("exit_code")
    ended = "no exit code" if code is None else f"exit code {code}"
    yield f"{execution!r} of {execution.actor!r} ({execution.actor.details['image']}): {seen['status']}, {ended}"
    yield f"  {_timeline(seen)}"
    yield from _log(execution.logs.splitlines())


def _timeline(seen: Mapping[str, Any]) -> str:
    names = {"received": "message_received_time", "started": "start_time", "finished": "finish_time"}
    return ", ".join(f"{word} {seen[name]}" if seen.get(name) else f"not {word}" for word, name in names.items())


def _log(lines: list[str]) -> Iterator[str]:
    if not lines:
        yield "  its log is empty"
        return
    left_out = len(lines) - _LINES
    yield f"  the last {_LINES} of {len(lines)} lines of its log:" if left_out > 0 else "  its log:"
    yield from (f"    {line}" for line in lines[-_LINES:])
