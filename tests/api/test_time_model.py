"""Random lives of tokens, logs and schedules, against a model that is simple enough to be right."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule, run_state_machine_as_test

from abacito.abaco.actor import ActorKey
from abacito.client import Abaco, Actor, Execution
from abacito.emulator import Emulator
from abacito.settings import Settings

START = datetime(2031, 1, 1, 10, 30, tzinfo=UTC)
LONGEST_LOG_S = 86_400
EXAMPLES = 1000 if os.environ.get("ABACITO_TEST_PROFILE") == "thorough" else 50

#: Around every boundary: to the second before it, onto it, past it.
SPANS = st.sampled_from([1, 59, 60, 1800, 3599, 3600, 7200, 14_399, 14_400, 43_200, 86_399, 86_400, 100_000])


@dataclass
class Pair:
    """Two tokens, and until when each is good."""

    login: dict[str, str]
    access_until: datetime
    refresh_until: datetime
    is_access_void: bool = False


@dataclass
class Kept:
    """An execution's log, and until when it is shown."""

    execution: Execution
    until: datetime


@dataclass
class Registered:
    """An actor with what should have become of it."""

    actor: Actor
    log_ex: int
    next_run: datetime | None
    executions: int = 0
    logs: list[Kept] = field(default_factory=list)


class Times(RuleBasedStateMachine):
    """The clock stands still between the steps, so that the model knows the time to the second."""

    emulator: Emulator
    pairs: Bundle[Pair] = Bundle("pairs")
    actors: Bundle[Registered] = Bundle("actors")

    def __init__(self) -> None:
        super().__init__()
        self.emulator.reset()
        self.abaco: Abaco = self.emulator.client()
        self.abaco.clock.freeze(START)
        self.now = START
        self.alive: list[Registered] = []

    def teardown(self) -> None:
        self.abaco.close()
        self.emulator.check()

    @rule(seconds=SPANS)
    def travel(self, seconds: int) -> None:
        before, self.now = self.now, self.now + timedelta(seconds=seconds)
        due = sum(self._runs(each, before) for each in self.alive)

        assert self.abaco.clock.travel(seconds=seconds).cron_runs == due

    @rule(pair=pairs, short_of_s=st.sampled_from([0, 1]), is_refresh=st.booleans())
    def travel_to_the_end_of_a_token(self, pair: Pair, short_of_s: int, is_refresh: bool) -> None:
        end = pair.refresh_until if is_refresh else pair.access_until
        left_s = int((end - self.now).total_seconds()) - short_of_s
        if left_s > 0:
            self.travel(left_s)
            self.use_a_token(pair)

    def _runs(self, each: Registered, since: datetime) -> int:
        """How often it runs until now; the model notes that it has."""
        runs = 0
        while each.next_run is not None and each.next_run <= self.now:
            runs, each.next_run = runs + 1, each.next_run + timedelta(hours=1)
        each.executions += runs
        return runs

    @rule(target=pairs)
    def log_in(self) -> Pair:
        login = self.emulator.login("jdoe")
        return Pair(login, self.now + timedelta(seconds=14_400), self.now + timedelta(days=1))

    @rule(pair=pairs)
    def use_a_token(self, pair: Pair) -> None:
        headers = {"Authorization": f"Bearer {pair.login['token']}"}
        status = requests.get(f"{self.emulator.url}/actors", headers=headers, timeout=10).status_code

        assert status == (200 if self.now < pair.access_until and not pair.is_access_void else 401)

    @rule(target=pairs, pair=consumes(pairs))
    def refresh(self, pair: Pair) -> Any:
        answer = self._refreshed(pair)
        if self.now >= pair.refresh_until:
            assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
            return pair
        tokens = answer.json()
        old = pair.login["token"]
        headers = {"Authorization": f"Bearer {old}"}
        assert requests.get(f"{self.emulator.url}/actors", headers=headers, timeout=10).status_code == 401
        assert self._refreshed(pair).status_code == 400  # used once
        login = {**pair.login, "token": tokens["access_token"], "refresh_token": tokens["refresh_token"]}
        return Pair(login, self.now + timedelta(seconds=14_400), self.now + timedelta(days=1))

    def _refreshed(self, pair: Pair) -> requests.Response:
        form = {"grant_type": "refresh_token", "refresh_token": pair.login["refresh_token"]}
        client = (pair.login["client_key"], pair.login["client_secret"])
        return requests.post(f"{self.emulator.url}/token", data=form, auth=client, timeout=10)

    @rule(pair=pairs)
    def revoke(self, pair: Pair) -> None:
        requests.post(f"{self.emulator.url}/revoke", data={"token": pair.login["token"]}, timeout=10)
        pair.is_access_void = True

    @rule(target=actors, log_ex=st.sampled_from([60, 3600, 86_400, 999_999]), is_scheduled=st.booleans())
    def register(self, log_ex: int, is_scheduled: bool) -> Registered:
        first = self.now.replace(minute=0, second=0) + timedelta(hours=1)
        schedule = {"cron_schedule": f"{first:%Y-%m-%d %H} + 1 hour"} if is_scheduled else {}
        actor = self.abaco.register(lambda context: print("said"), log_ex=log_ex, **schedule).wait()
        made = Registered(actor, log_ex, first if is_scheduled else None)
        self.alive.append(made)
        return made

    @rule(each=actors)
    def post(self, each: Registered) -> None:
        if each not in self.alive:
            return
        execution = each.actor.send("x").wait()
        each.executions += 1
        each.logs.append(Kept(execution, self.now + timedelta(seconds=min(each.log_ex, LONGEST_LOG_S))))

    @rule(each=actors)
    def read_logs(self, each: Registered) -> None:
        if each in self.alive:
            for kept in each.logs:
                assert kept.execution.logs == ("said\n" if self.now < kept.until else "")

    @rule(each=consumes(actors))
    def delete(self, each: Registered) -> None:
        if each in self.alive:
            each.actor.delete()
            self.alive.remove(each)

    @invariant()
    def executions_are_as_many_as_were_posted_and_fell_due(self) -> None:
        for each in self.alive:
            listed = self.emulator.stored.executions.list(ActorKey(self.emulator.settings.tenant, each.actor.id))
            assert len(listed) == len({one.id for one in listed}) == each.executions


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator(Settings.read(port=0, runner="process")) as found:
        yield found


def test_tokens_logs_and_schedules_live_as_long_as_the_model_says(emulator: Emulator) -> None:
    run_state_machine_as_test(
        type("Times", (Times,), {"emulator": emulator}),
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )
