"""The clock of a running emulator: moved over HTTP, seen by everything that reads time, and by nothing else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from freezegun import freeze_time

from abacito.abaco.errors import Malformed
from abacito.abaco.time import moment, real_monotonic, span
from abacito.emulator import Emulator
from abacito.settings import Settings
from tests.api.conftest import Api


def ask(api: Api, **body: Any) -> requests.Response:
    return requests.post(f"{api.emulator.url}/_abacito/clock", json=body, timeout=60)


def moved(api: Api, **body: Any) -> dict[str, Any]:
    response = ask(api, **body)
    assert response.status_code == 200, response.text
    api._tokens.clear()
    return dict(response.json())


def shown(api: Api, **query: str) -> dict[str, Any]:
    return dict(requests.get(f"{api.emulator.url}/_abacito/clock", params=query, timeout=10).json())


def test_a_clock_is_shown_and_travelled_and_frozen_and_ticked_and_reset(api: Api) -> None:
    before = shown(api)
    assert set(before) >= {"now", "offset_s", "frozen"}
    assert (before["offset_s"], before["frozen"]) == (0.0, False)
    assert abs(datetime.fromisoformat(before["now"]) - datetime.now(UTC)) < timedelta(seconds=30)

    assert moved(api, travel="4h1m")["offset_s"] == 14_460.0
    frozen = moved(api, freeze="2030-01-05T09:00+01:00")
    assert (frozen["now"], frozen["frozen"]) == ("2030-01-05T08:00:00.000000Z", True)
    assert moved(api, tick="30s")["now"] == "2030-01-05T08:00:30.000000Z"
    assert shown(api)["now"] == "2030-01-05T08:00:30.000000Z"
    going = moved(api, freeze=False)
    assert (going["frozen"], going["now"][:19]) == (False, "2030-01-05T08:00:30")
    assert moved(api, at="2030-02-01 00:00")["now"].startswith("2030-02-01T00:00:0")
    assert moved(api, reset=True)["offset_s"] == 0.0


def test_all_that_abaco_tells_of_time_goes_by_it(api: Api) -> None:
    moved(api, freeze="2031-05-06T07:08:09Z")

    actor = api.actor(lambda context: print("said"))
    execution = api.run(actor)
    nonce = api.result("POST", f"/actors/{actor}/nonces")
    worker = api.result("GET", f"/actors/{actor}/workers")[0]

    day = "2031-05-06T07:08:09.000Z"
    details = api.result("GET", f"/actors/{actor}/executions/{execution.id}")
    times = [details[api.name(name)] for name in ("message_received_time", "start_time")]
    made = api.result("GET", f"/actors/{actor}")
    times += [made[api.name("create_time")], made[api.name("last_update_time")]]
    times += [nonce[api.name("create_time")], worker[api.name("create_time")]]
    assert times == [day] * 6


def test_a_log_is_gone_to_the_second_and_swept_from_the_store(api: Api) -> None:
    actor = api.actor(lambda context: print("x" * 9000), log_ex=7200)
    execution = api.run(actor)
    url = f"/actors/{actor}/executions/{execution.id}/logs"
    ended = datetime.fromisoformat(api.result("GET", url.removesuffix("/logs"))[api.name("finish_time")])

    moved(api, freeze=(ended + timedelta(seconds=7195)).isoformat())
    assert len(api.result("GET", url)["logs"]) == 9001
    moved(api, tick="10s")
    assert api.result("GET", url)["logs"] == ""
    assert moved(api, travel="1h")["logs_swept"] == 1
    assert moved(api, travel="1h")["logs_swept"] == 0


def three_hourly(api: Api) -> str:
    """An actor that runs at the next three full hours, and on."""
    start = (api.emulator.clock.now() + timedelta(hours=1)).strftime("%Y-%m-%d %H")
    image = api.emulator.stub(lambda context: print(context.message))
    body = {"image": image, api.name("cron_schedule"): f"{start} + 1 hour"}
    actor = str(api.result("POST", "/actors", json=body)["id"])
    api.handle(actor).wait()
    return actor


def received(api: Api, actor: str) -> list[str]:
    listed = api.result("GET", f"/actors/{actor}/executions")["executions"]
    return [each[api.name("message_received_time")] for each in listed]


def test_a_jump_over_three_periods_runs_three_times_each_at_its_own_hour_oldest_first(api: Api) -> None:
    actor = three_hourly(api)
    first = (api.emulator.clock.now() + timedelta(hours=1)).replace(minute=0, second=0, microsecond=0)

    assert moved(api, travel="3h")["cron_runs"] == 3

    hours = [first + timedelta(hours=n) for n in range(3)]
    assert received(api, actor) == [hour.strftime("%a, %d %b %Y %H:00:00 GMT") for hour in hours]


def test_many_small_jumps_are_one_large_one(api: Api) -> None:
    many = three_hourly(api)
    runs = sum(moved(api, travel="45m")["cron_runs"] for _ in range(4))
    first = received(api, many)
    api.emulator.reset()
    api._tokens.clear()
    again = three_hourly(api)

    assert (runs, moved(api, travel="3h")["cron_runs"]) == (3, 3)
    assert received(api, again) == first


def test_two_who_travel_at_once_run_each_occurrence_once(api: Api) -> None:
    actor = three_hourly(api)

    threads = [threading.Thread(target=moved, args=(api,), kwargs={"travel": "3h"}) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    times = received(api, actor)
    assert len(times) == len(set(times)) >= 3


def test_thirty_days_without_anything_due_take_less_than_a_second(api: Api) -> None:
    for _ in range(20):
        api.result("POST", "/actors", json={"image": api.emulator.stub(print)})
    began = real_monotonic()

    assert moved(api, travel="30d")["cron_runs"] == 0

    assert real_monotonic() - began < 1


def test_a_jump_over_too_many_runs_is_refused_before_any(api: Api) -> None:
    actor = three_hourly(api)

    response = ask(api, travel="1000w")

    assert response.status_code == 400
    assert "10000 cron executions" in response.json()["message"]
    assert (shown(api)["offset_s"], received(api, actor)) == (0.0, [])


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"travel": "-1h"}, "force"),
        ({"at": "2001-01-01"}, "force"),
        ({"freeze": "2001-01-01"}, "force"),
        ({"travel": "4 hours"}, "no span of time"),
        ({"travel": "5y"}, "no span of time"),
        ({"travel": ""}, "no span of time"),
        ({"travel": 5}, "a text"),
        ({"travel": "999999999999999w"}, "too long"),
        ({"travel": "99999999w"}, "calendar"),
        ({"at": "99999-01-01"}, "no time"),
        ({"at": "9999-12-31"}, "9000"),
        ({"at": "0001-01-01T00:00+14:00", "force": True}, "no time"),
        ({"at": "0002-01-01", "force": True}, "1970"),
        ({"at": "tomorrow"}, "no time"),
        ({"freeze": "yes"}, "no time"),
        ({"freeze": None}, "a text"),
        ({"reset": False}, "reset"),
        ({"travel": "1h", "reset": True}, "one of"),
        ({"travel": "1h", "tenat": "x"}, "tenat"),
        ({"travel": "1h", "tenant": "NOBODYS"}, "NOBODYS"),
        ({"travel": "1h", "tenant": 5}, "5"),
        ({"travel": "1h", "force": "yes"}, "force"),
        ({}, "one of"),
    ],
)
def test_what_is_no_time_or_leads_nowhere_is_refused_and_moves_nothing(api: Api, body: Any, told: str) -> None:
    response = ask(api, **body)

    assert (response.status_code, told in response.json()["message"]) == (400, True), response.text
    assert shown(api)["offset_s"] == 0.0


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b"{", b'"travel"'])
def test_what_is_no_object_is_refused(api: Api, data: bytes) -> None:
    headers = {"Content-Type": "application/json"}

    response = requests.post(f"{api.emulator.url}/_abacito/clock", data=data, headers=headers, timeout=10)

    assert response.status_code == 400


def test_backwards_goes_when_it_is_forced(api: Api) -> None:
    moved(api, travel="5h")

    assert moved(api, travel="-3h", force=True)["offset_s"] == 7200.0


def test_the_clock_is_moved_by_this_machine_only(api: Api) -> None:
    headers = {"Origin": "http://evil.example"}

    response = requests.post(f"{api.emulator.url}/_abacito/clock", json={"travel": "1h"}, headers=headers, timeout=10)

    assert (response.status_code, shown(api)["offset_s"]) == (400, 0.0)


def test_each_tenant_has_a_time_of_its_own(api: Api) -> None:
    far = {"Authorization": f"Bearer {api.emulator.token_for('far', 'OTHER_TENANT')}"}
    near = {"Authorization": f"Bearer {api.emulator.token_for('admin')}"}

    moved(api, travel="5h", tenant="OTHER_TENANT")

    status = [requests.get(f"{api.emulator.url}/actors", headers=each, timeout=10).status_code for each in (far, near)]
    assert status == [401, 200]
    assert [shown(api, tenant=name)["offset_s"] for name in ("OTHER_TENANT", "TACC-PROD")] == [18_000.0, 0.0]
    by_token = requests.get(f"{api.emulator.url}/_abacito/clock", headers=far, timeout=10).json()
    assert by_token["offset_s"] == 18_000.0  # expired, it still tells whose


def test_an_idle_worker_goes_by_it(api: Api) -> None:
    actor = api.actor(lambda context: None)
    api.run(actor)
    assert len(api.result("GET", f"/actors/{actor}/workers")) == 1

    moved(api, travel="1d")

    deadline = real_monotonic() + 20
    while api.result("GET", f"/actors/{actor}/workers"):
        assert real_monotonic() < deadline


def test_results_are_gone_twenty_minutes_after_their_last_use(api: Api) -> None:
    actor = api.actor(lambda context: [context.send_result(b"one"), context.send_result(b"two")])
    execution = api.run(actor)
    url = f"/actors/{actor}/executions/{execution.id}/results"

    moved(api, travel="19m")
    assert api.send("GET", url).content == b"one"
    moved(api, travel="19m")
    moved(api, travel="2m")

    assert api.send("GET", url).content == b""


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("4h1m", 14_460), ("2d", 172_800), ("1w", 604_800), ("1.5h", 5400), ("-3m", -180), ("1h 30m", 5400)],
)
def test_spans_are_written_as_people_write_them(text: str, seconds: int) -> None:
    assert span(text) == timedelta(seconds=seconds)


def test_times_without_a_zone_are_utc() -> None:
    nine = datetime(2026, 11, 23, 9, tzinfo=UTC)

    assert moment("2026-11-23 09:00") == moment("2026-11-23T10:00+01:00") == moment("2026-11-23T09:00:00Z") == nine
    with pytest.raises(Malformed, match="no time"):
        moment("09:00")


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(Settings.read(port=0, runner="process")) as found:
        yield found


def test_in_process_it_follows_freezegun_in_every_thread_and_travels_from_there(emulator: Emulator) -> None:
    abaco = emulator.client()
    with freeze_time("2032-03-04 05:06:07"):
        actor = abaco.register(lambda context: print("said")).wait()
        execution = actor.send("x").wait()
        assert execution.details["message_received_time"] == "2032-03-04T05:06:07.000Z"
        assert abaco.clock.now == datetime(2032, 3, 4, 5, 6, 7, tzinfo=UTC)

        abaco.clock.travel(hours=25)

        assert abaco.clock.now == datetime(2032, 3, 5, 6, 6, 7, tzinfo=UTC)
        assert execution.logs == ""


def test_our_client_goes_on_past_the_end_of_its_token_and_a_users_own_does_not(emulator: Emulator) -> None:
    abaco = emulator.client()
    token = abaco.token
    execution = abaco.register(lambda context: print("said")).wait().send("x").wait()

    with abaco.clock.travel("5h") as moved:
        assert moved.offset == timedelta(hours=5)
        assert execution.logs == "said\n"
        headers = {"Authorization": f"Bearer {token}"}
        assert requests.get(f"{emulator.url}/actors", headers=headers, timeout=10).status_code == 401

    assert abs(abaco.clock.now - datetime.now(UTC)) < timedelta(seconds=30)


def test_a_context_sets_a_clock_back_to_how_it_was(emulator: Emulator) -> None:
    clock = emulator.client().clock
    clock.freeze("2030-01-01")
    with clock.at("2030-06-01"):
        assert clock.now == datetime(2030, 6, 1, tzinfo=UTC)
    assert clock.now == datetime(2030, 1, 1, tzinfo=UTC)
    clock.reset()
    clock.travel(days=1)
    with clock.freeze():
        pass
    assert timedelta(hours=23) < clock.now - datetime.now(UTC) < timedelta(hours=25)
