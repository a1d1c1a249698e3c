"""How long logs are there (``log_ex``)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.api.conftest import Api
from tests.api.test_updates import put


def test_log_ex_is_shown_as_asked_and_returns_to_null(api: Api) -> None:
    """spec: http-api-more #104"""
    created = api.result("POST", "/actors", data={"image": "x", api.name("log_ex"): "16000"})
    actor = created["id"]

    assert created[api.name("log_ex")] == 16000
    assert put(api, actor, log_ex=20000)[api.name("log_ex")] == 20000
    assert put(api, actor).get(api.name("log_ex")) is None
    refusal = api.refusal("POST", "/actors", json={"image": "x", api.name("log_ex"): "abc"})
    help_text = "Amount of time, in seconds, after which logs will expire"
    assert refusal == f"Invalid actor description: { ({api.name('log_ex'): help_text}) }"


def test_an_expired_log_is_empty_and_the_execution_stays(api: Api) -> None:
    """spec: http-api #99; spec: http-api-more #105"""
    execution = api.run(api.actor(log_ex=2))
    before = execution.details
    assert execution.logs != ""

    api.travel(timedelta(seconds=3))

    assert execution.logs == ""
    assert execution.details == before


@pytest.mark.parametrize(("log_ex", "life_s"), [(100_000, 86_400), (None, 86_400), (0, 0), (-1, 0)])
def test_the_limit_cuts_silently_and_nothing_ends_a_log_at_once(api: Api, log_ex: Any, life_s: int) -> None:
    """spec: http-api #100; spec: http-api-more #106"""
    fields = {} if log_ex is None else {"log_ex": log_ex}
    actor = api.actor(**fields)
    execution = api.run(actor)
    assert api.result("GET", f"/actors/{actor}").get(api.name("log_ex")) == log_ex

    log = f"/actors/{actor}/executions/{execution.id}/logs"

    api.travel(timedelta(seconds=max(0, life_s - 5)))
    before = api.result("GET", log)["logs"]
    api.travel(timedelta(seconds=10))
    after = api.result("GET", log)["logs"]

    assert (bool(before), after) == (life_s > 0, "")
