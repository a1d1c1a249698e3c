"""One emulator per case for all API tests; the actors are stubs, the sockets, the store and the queues are real."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
import requests

from abacito.abaco.ports import Runner
from abacito.client import Execution
from abacito.emulator import Emulator
from abacito.settings import Settings


@dataclass
class Api:
    """An emulator and plain HTTP to it; answers come as they are."""

    emulator: Emulator
    session: requests.Session = field(default_factory=requests.Session)
    _tokens: dict[str, str] = field(default_factory=dict)

    @property
    def case(self) -> str:
        return self.emulator.settings.case

    def name(self, snake: str) -> str:
        """A field's name in this emulator's case."""
        first, *rest = snake.split("_")
        return snake if self.case == "snake" or not first else first + "".join(part.capitalize() for part in rest)

    def send(self, method: str, path: str, user: str | None = "admin", **arguments: Any) -> requests.Response:
        headers = dict(arguments.pop("headers", {}))
        if user is not None:
            if user not in self._tokens:
                tenants = {each.username: each.tenant for each in self.emulator.users}
                self._tokens[user] = self.emulator.token_for(user, tenants.get(user))
            headers["Authorization"] = f"Bearer {self._tokens[user]}"
        return self.session.request(method, self.emulator.url + path, headers=headers, timeout=20, **arguments)

    def travel(self, by: timedelta) -> None:
        """Move the clock; with a long way the tokens expire, so the next requests have new ones."""
        self.emulator.clock.travel(by)
        self._tokens.clear()

    def result(self, method: str, path: str, **arguments: Any) -> Any:
        response = self.send(method, path, **arguments)
        assert response.status_code == 200, response.text
        assert response.json()["status"] == "success"
        return response.json()["result"]

    def refusal(self, method: str, path: str, status: int = 400, **arguments: Any) -> str:
        """The message of a refusal, whose envelope and status are checked."""
        response = self.send(method, path, **arguments)
        body = response.json()
        assert response.status_code == status, response.text
        assert (body["status"], body["result"]) == ("error", None)
        return str(body["message"])

    def actor(self, function: Callable[..., Any] = print, user: str = "admin", **fields: Any) -> str:
        """The id of an actor that is READY; ``fields`` by their snake names."""
        image = self.emulator.stub(function)
        body = {"image": image, **{self.name(name): value for name, value in fields.items()}}
        actor = self.result("POST", "/actors", json=body, user=user)["id"]
        self.emulator.client(user)
        handle = self.handle(actor, user)
        handle.wait()
        return str(actor)

    def handle(self, actor: str, user: str = "admin") -> Any:
        from abacito.client import Actor

        return Actor(self.emulator.client(user), actor)

    @contextmanager
    def running_on(self, runner: Runner) -> Iterator[None]:
        """Meanwhile, images that are no stubs run on this runner."""
        main, self.emulator.runner.main = self.emulator.runner.main, runner
        try:
            yield
        finally:
            self.emulator.runner.main = main

    def run(self, actor: str, message: Any = "hello", **variables: str) -> Execution:
        return self.handle(actor).send(message, **variables).wait()


@pytest.fixture(scope="session", params=["camel", "snake"])
def _emulator_of_case(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    users = [
        {"username": "admin", "password": "p", "roles": ["Internal/abaco-admin"]},
        {"username": "privileged", "password": "p", "roles": ["Internal/abaco-privileged", "Internal/everyone"]},
        {"username": "jdoe", "password": "p"},
        *({"username": name, "password": "p"} for name in ("jane", "none", "reader", "executor", "updater")),
        {"username": "nobody", "password": "p", "roles": ["Internal/foreign"]},
        {"username": "far", "password": "p", "roles": ["Internal/abaco-admin"], "tenant": "OTHER_TENANT"},
    ]
    with Emulator(Settings.read(port=0, runner="process", case=request.param, users=users)) as emulator:
        yield emulator


@pytest.fixture
def api(_emulator_of_case: Emulator) -> Iterator[Api]:
    """An empty Abaco, in camel and in snake case."""
    _emulator_of_case.reset()
    found = Api(_emulator_of_case)
    yield found
    found.session.close()
    _emulator_of_case.check()
