"""Schedules over HTTP, and what the passes make of them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from freezegun import freeze_time

from tests.api.conftest import Api
from tests.api.test_updates import body, put, until


def now(api: Api) -> datetime:
    return api.emulator.clock.now()


def hour(api: Api, hours_from_now: int = 0) -> str:
    """An hour as Abaco writes it."""
    then = now(api) + timedelta(hours=hours_from_now)
    return f"{then.year}-{then.month}-{then.day} {then.hour}"


def scheduled(api: Api, schedule: str, **fields: Any) -> Any:
    image = fields.pop("image", None) or api.emulator.stub(print)
    given = {"image": image, "cron_schedule": schedule, **fields}
    return api.result("POST", "/actors", json={api.name(name): value for name, value in given.items()})


def executions(api: Api, actor: str) -> list[Any]:
    return list(api.result("GET", f"/actors/{actor}/executions")["executions"])


def next_run(api: Api, actor: str) -> str:
    return str(api.result("GET", f"/actors/{actor}")[api.name("cron_next_ex")])


def test_a_schedule_is_echoed_as_typed_and_turns_cron_on(api: Api) -> None:
    """spec: http-api-more #88"""
    start = (now(api) + timedelta(days=1)).strftime("%Y-%m-%d %H")

    actor = scheduled(api, f"{start} + 1 day", cron_on=False)

    assert actor[api.name("cron_schedule")] == f"{start} + 1 day"
    assert actor[api.name("cron_on")] is True
    assert actor[api.name("cron_next_ex")] == start
    api.emulator.scheduling.run_pass()
    assert executions(api, actor["id"]) == []


def test_now_runs_at_the_next_pass_and_an_hour_later_again(api: Api) -> None:
    """spec: http-api-more #89"""
    actor = scheduled(api, "now + 1 hour")
    assert actor[api.name("cron_schedule")] == "now + 1 hour"
    assert actor[api.name("cron_next_ex")] == hour(api)

    api.emulator.scheduling.run_pass()
    api.emulator.scheduling.run_pass()

    assert len(executions(api, actor["id"])) == 1
    assert next_run(api, actor["id"]) == hour(api, 1)
    api.travel(timedelta(hours=1))
    api.emulator.scheduling.run_pass()
    assert len(executions(api, actor["id"])) == 2


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        pytest.param(
            "NOW + 1 hour", "The starting date NOW is not in the correct format", id="spec: http-api-more #89"
        ),
        pytest.param("2020-06-21 14 1 hour", "The cron is not in the correct format", id="spec: http-api-more #91"),
        pytest.param("", "The cron is not in the correct format", id="empty"),
        pytest.param("2078-06-21 14 + 6 flimflams", "flimflams is an invalid unit of time", id="unit"),
        pytest.param(
            "2078-13-45 20 + 1 day", "The starting date 2078-13-45 20 is not in the correct format", id="date"
        ),
        pytest.param("now + 0 days", "The cron is not in the correct format", id="zero"),
        pytest.param("now + x days", "The cron is not in the correct format", id="word"),
        pytest.param("2078-1-1 1 + ٣ days", "The cron is not in the correct format", id="digits of others"),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_what_is_no_schedule_is_refused(api: Api, method: str, schedule: str, message: str) -> None:
    """spec: http-api-more #89, #91"""
    actor = api.actor()
    path = "/actors" if method == "POST" else f"/actors/{actor}"

    assert api.refusal(method, path, json=body(api, actor, cron_schedule=schedule)) == message


def test_an_old_start_is_refused_before_a_bad_unit(api: Api) -> None:
    """spec: http-api-more #90, #92"""
    refusal = api.refusal(
        "POST", "/actors", json={"image": "x", api.name("cron_schedule"): "2020-06-21 14 + 6 flimflams"}
    )

    told = now(api).strftime("%Y-%m-%d %H:00:00")
    assert refusal == f"The starting datetime is old. The current UTC time is {told}"


def test_a_schedule_that_is_off_advances_without_a_message(api: Api) -> None:
    """spec: http-api-more #93"""
    actor = api.actor()
    start = (now(api) + timedelta(hours=1)).strftime("%Y-%m-%d %H")
    after = put(api, actor, cron_schedule=f"{start} + 1 hour", cron_on=False)
    assert after[api.name("cron_on")] is False

    api.travel(timedelta(hours=1))
    api.emulator.scheduling.run_pass()

    assert executions(api, actor) == []
    assert next_run(api, actor) == hour(api, 1)


def test_an_update_that_does_not_say_so_turns_cron_off(api: Api) -> None:
    """spec: http-api-more #94"""
    actor = scheduled(api, "2078-01-01 05 + 1 day")["id"]

    assert put(api, actor, cron_schedule="2078-01-01 05 + 1 day")[api.name("cron_on")] is False
    assert put(api, actor, cron_schedule="2078-01-01 05 + 1 day", cron_on=True)[api.name("cron_on")] is True


def test_a_cron_execution_names_cron_and_no_user(api: Api) -> None:
    """spec: http-api-more #95; spec: execution #113, #66"""
    image = api.emulator.stub(lambda context: print(context.message, sorted(context.environment)))
    actor = scheduled(api, "now + 1 hour", image=image)["id"]
    api.emulator.scheduling.run_pass()
    until(lambda: [each["status"] for each in executions(api, actor)] == ["COMPLETE"])

    path = f"/actors/{actor}/executions/{executions(api, actor)[0]['id']}"
    log = api.result("GET", f"{path}/logs")["logs"]

    assert api.result("GET", path)["executor"] == "cron"
    assert log.startswith("This is your cron execution ")
    assert "_abaco_username" not in log
    assert "_abaco_jwt_header_name" not in log
    for name in ("Time_msg_queued", "_abaco_Content_Type", "_abaco_actor_revision", "_abaco_api_server"):
        assert f"'{name}'" in log


def test_missed_runs_are_made_up_one_a_pass(api: Api) -> None:
    """spec: http-api-more #96"""
    actor = scheduled(api, f"{(now(api) + timedelta(hours=1)).strftime('%Y-%m-%d %H')} + 1 hour")["id"]

    counts = []
    with freeze_time(now(api) + timedelta(hours=2)):  # so long nobody has looked
        for _ in range(3):
            api.emulator.scheduling.run_pass()
            counts.append(len(executions(api, actor)))

    assert counts == [1, 2, 2]


def test_months_go_by_the_calendar(api: Api) -> None:
    """spec: http-api-more #97"""
    actor = scheduled(api, "2079-1-31 5 + 1 month")["id"]
    api.travel(datetime.fromisoformat("2079-01-31T05:30:00+00:00") - now(api))

    api.emulator.scheduling.run_pass()

    assert next_run(api, actor) == "2079-2-28 5"


def test_two_passes_at_once_run_an_occurrence_once(api: Api) -> None:
    actor = scheduled(api, "now + 1 hour")["id"]
    stale = api.emulator.stored.actors.get_many(
        each.key for each in api.emulator.stored.actors.enrolled() if each.key.id == actor
    )[0]
    api.emulator.scheduling.run_pass()

    api.emulator.scheduling.pass_over(stale)  # as by somebody who had read it before

    assert len(executions(api, actor)) == 1
    assert next_run(api, actor) == hour(api, 1)


def test_a_deleted_actor_is_scheduled_no_more(api: Api) -> None:
    actor = scheduled(api, "now + 1 hour")["id"]
    api.result("DELETE", f"/actors/{actor}")

    assert api.emulator.scheduling.run_pass() == 0


def test_a_client_may_set_the_next_run_only_without_a_schedule(api: Api) -> None:
    free = api.result("POST", "/actors", json={"image": "x", api.name("cron_next_ex"): "2099-1-1 1"})
    bound = scheduled(api, "2078-01-01 05 + 1 day", cron_next_ex="2099-1-1 1")

    assert (free[api.name("cron_next_ex")], bound[api.name("cron_next_ex")]) == ("2099-1-1 1", "2078-01-01 05")
