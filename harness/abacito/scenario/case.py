"""Stories are written in camel case; these are the words of a server in snake case."""

from __future__ import annotations

import re

from pydantic import JsonValue

# Every field of more than one word that Abaco 1.9.1 takes; all others are the user's own.
_SNAKE = {
    "actorId": "actor_id",
    "cronNextEx": "cron_next_ex",
    "cronOn": "cron_on",
    "cronSchedule": "cron_schedule",
    "defaultEnvironment": "default_environment",
    "isSecret": "is_secret",
    "logEx": "log_ex",
    "maxCpus": "max_cpus",
    "maxUses": "max_uses",
    "maxWorkers": "max_workers",
    "memLimit": "mem_limit",
    "statusMessage": "status_message",
    "useContainerUid": "use_container_uid",
}
_CAMEL = {snake: camel for camel, snake in _SNAKE.items()}


def snake_name(name: str, path: str) -> str:
    """A request field's name for a server in snake case; what goes to a mailbox or a state is the user's, and stays."""
    return name if _is_users(path) else _SNAKE.get(name, name)


def camel_name(name: str, path: str) -> str:
    """The same the other way round: how a story writes what was sent to a server in snake case."""
    return name if _is_users(path) else _CAMEL.get(name, name)


def _is_users(path: str) -> bool:
    return re.search(r"/(messages|state)/?(\?|$)", path) is not None


def camel_answer(answer: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """The envelope as a server in camel case gives it.

    The keys of ``result``, or of each object in it when it is a list, become camel, and those with null vanish, as
    there; so do the keys of what the result lists or sums up, and these keep their nulls in both.
    """
    result = answer.get("result")
    if "version" not in answer or not isinstance(result, dict | list):
        return answer
    return {**answer, "result": _camel_result(result)}


_LISTED = {"executions", "search", "workers", "actors"}  # the two last in what only an admin sees
_SUMMED_UP = {"_metadata", "summary"}


def _camel_result(result: dict[str, JsonValue] | list[JsonValue]) -> JsonValue:
    if isinstance(result, list):
        return [_without_nulls(_camel(item)) for item in result]
    record = _camel(result)
    if isinstance(record, dict):
        for name in _LISTED & record.keys():
            items = record[name]
            record[name] = [_camel(item) for item in items] if isinstance(items, list) else items
        record |= {name: _camel(record[name]) for name in _SUMMED_UP & record.keys()}
    return _without_nulls(record)


def _camel(value: JsonValue) -> JsonValue:
    if not isinstance(value, dict):
        return value
    return {re.sub(r"(?<=[a-z0-9])_([a-z])", lambda found: found[1].upper(), key): item for key, item in value.items()}


def _without_nulls(value: JsonValue) -> JsonValue:
    if not isinstance(value, dict):
        return value
    return {key: item for key, item in value.items() if item is not None}
