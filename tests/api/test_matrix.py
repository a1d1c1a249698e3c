"""Who may do what with an actor: every cell of http-api §8.3 against every sort of caller, computed from one table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import requests

from abacito.abaco.permission import Level
from tests.api.conftest import Api

NONE, READ, EXECUTE, UPDATE = Level
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH")

NO_SUCH_CALL = "Invalid request: the API endpoint does not exist or the provided HTTP method is not allowed."
NO_ROLE = "Not authorized -- missing required role."
NO_ACCESS = "Not authorized -- you do not have access to this actor."
NO_ADMIN = "Not authorized -- only admins are authorized to update workers."
NONCE_TOO_LOW = "Nonce does not have sufficient permissions level."

PLAIN = "The request was successful"
NOT_RUNNING = "Cannot force quit an execution not in RUNNING status. Execution was found in status: COMPLETE"
NO_RUNTIME = "Invalid actor execution description: {'runtime': 'Runtime, in milliseconds, of the execution.'}"


@dataclass(frozen=True)
class Cell:
    """One call: the level that it needs, and how it is answered to whom it is allowed.

    ``needs`` is None for the admin role, ``answer`` None for what has no envelope. ``body`` has snake names. A call
    that ``spoils`` the actor for the next one gets an actor of its own.
    """

    method: str
    needs: Level | None
    answer: str | None
    body: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
    spoils: bool = False


#: http-api §8.3. The rows' paths are below the actor's; what is not here is not allowed: 405.
TABLE: Mapping[str, tuple[Cell, ...]] = {
    "": (
        Cell("GET", READ, "Actor retrieved successfully."),
        Cell("PUT", UPDATE, "Actor updated successfully.", {"image": "{image}", "stateless": False}),
        Cell("DELETE", UPDATE, "Actor deleted successfully.", spoils=True),
    ),
    "/messages": (
        Cell("GET", READ, PLAIN),
        Cell("POST", EXECUTE, PLAIN, {"message": "m"}),
        Cell("DELETE", UPDATE, PLAIN),
    ),
    "/state": (
        Cell("GET", READ, "Actor state retrieved successfully."),
        Cell("POST", UPDATE, "State updated successfully.", {"a": 1}),
    ),
    "/executions": (
        Cell("GET", READ, "Actor executions retrieved successfully."),
        Cell("POST", UPDATE, NO_RUNTIME, status=400),
    ),
    "/executions/{execution}": (
        Cell("GET", READ, "Actor execution retrieved successfully."),
        Cell("DELETE", UPDATE, NOT_RUNNING, status=400),
    ),
    "/executions/{execution}/logs": (Cell("GET", READ, "Logs retrieved successfully."),),
    "/executions/{execution}/results": (Cell("GET", READ, None),),
    "/nonces": (
        Cell("GET", READ, "Actor nonces retrieved successfully."),
        Cell("POST", UPDATE, "Actor nonce created successfully."),
    ),
    "/nonces/{nonce}": (
        Cell("GET", READ, "Actor nonce retrieved successfully."),
        Cell("DELETE", UPDATE, "Actor nonce deleted successfully.", spoils=True),
    ),
    "/permissions": (
        Cell("GET", READ, "Permissions retrieved successfully."),
        Cell("POST", UPDATE, "Permission added successfully.", {"user": "somebody", "level": "READ"}),
    ),
    "/workers": (
        Cell("GET", READ, "Workers retrieved successfully."),
        Cell("POST", None, "Actor {actor} already had 1 worker(s)."),
    ),
    "/workers/{worker}": (
        Cell("GET", READ, "Worker retrieved successfully."),
        Cell("DELETE", UPDATE, "Worker scheduled to be stopped.", spoils=True),
    ),
}


@dataclass(frozen=True)
class Caller:
    """A user, directly or through a nonce of his; ``level`` is what he has on the actor, whatever the role."""

    user: str
    level: Level
    nonce: Level | None = None


OWNER, MAP = "jdoe", {"none": NONE, "reader": READ, "executor": EXECUTE, "updater": UPDATE}
ENTERED = [Caller(user, level) for user, level in {OWNER: UPDATE, **MAP}.items()]
BY_NONCE = [
    *(Caller(OWNER, UPDATE, nonce) for nonce in Level),
    Caller("reader", READ, UPDATE),  # he had more when he made it
    *(Caller("admin", NONE, nonce) for nonce in (READ, UPDATE)),
]


def callers(world: bool) -> list[Caller]:
    """All sorts. With the world in the map, those who come after it may do everything, even one whose entry is NONE."""
    late = UPDATE if world else NONE
    others = [Caller("jane", late), Caller("privileged", late), Caller("nobody", late), Caller("admin", NONE)]
    return [*ENTERED, *others, *BY_NONCE]


def refusal(cell: Cell, caller: Caller) -> str | None:
    """How a call is refused, by http-api §8.4; None when it is allowed."""
    if caller.nonce is not None and caller.nonce < (UPDATE if cell.needs is None else cell.needs):
        return NONCE_TOO_LOW
    if caller.user == "nobody":
        return NO_ROLE
    if caller.user == "admin":
        return None
    if cell.needs is None:
        return NO_ADMIN
    return None if caller.level >= cell.needs else NO_ACCESS


@dataclass(frozen=True)
class Scene:
    """An actor of the owner's, with a finished execution, a worker, entries in its map, and nonces."""

    api: Api
    ids: Mapping[str, str]
    nonces: Mapping[Caller, str]

    def call(self, method: str, path: str, caller: Caller | None, body: Mapping[str, Any]) -> requests.Response:
        address, user = f"/actors/{self.ids['actor']}{path.format(**self.ids)}", caller.user if caller else None
        if caller is not None and caller.nonce is not None:
            address, user = f"{address}?x-nonce={self.nonces[caller]}", None
        sent = {self.api.name(name): self.filled(value) for name, value in body.items()} if body else None
        return self.api.send(method, address, user=user, json=sent)

    def filled(self, value: Any) -> Any:
        return value.format(**self.ids) if isinstance(value, str) and value.startswith(("{", "Actor {")) else value

    def seen(self) -> Any:
        """All that a call could have changed."""
        place = f"/actors/{self.ids['actor']}"
        looks = ("", "/messages", "/state", "/executions", "/permissions")
        listed = [[each["id"] for each in self.api.result("GET", place + path)] for path in ("/nonces", "/workers")]
        return [*listed, *(self.api.result("GET", place + path) for path in looks)]


def scene(api: Api, world: bool, path: str) -> Scene:
    """``path``: of the row, which tells whether an execution is needed."""
    image = api.emulator.stub(lambda context: None)
    described = {"image": image, "stateless": False}
    actor = api.result("POST", "/actors", user=OWNER, json=described)["id"]
    api.handle(actor, OWNER).wait()
    nonces = {caller: _nonce(api, actor, caller) for caller in BY_NONCE}
    for user, level in MAP.items():
        _grant(api, actor, user, level)
    if world:
        _grant(api, actor, "ABACO_WORLD", NONE)
        _grant(api, actor, "jane", NONE)
    execution = api.run(actor).id if "{execution}" in path else ""
    return renewed(Scene(api, {"actor": actor, "image": image, "execution": execution}, nonces))


def renewed(stage: Scene) -> Scene:
    """The same actor with a nonce and a worker that are there, whatever has become of the last ones."""
    api, place = stage.api, f"/actors/{stage.ids['actor']}"
    nonce = api.result("POST", f"{place}/nonces")["id"]
    api.result("POST", f"{place}/workers")
    worker = api.result("GET", f"{place}/workers")[0]["id"]
    return replace(stage, ids={**stage.ids, "nonce": nonce, "worker": worker})


def after(stage: Scene, cell: Cell, path: str, world: bool) -> Scene:
    """Where the next call is made."""
    if not cell.spoils:
        return stage
    return renewed(stage) if path else scene(stage.api, world, path)


def _grant(api: Api, actor: str, user: str, level: Level) -> None:
    api.result("POST", f"/actors/{actor}/permissions", user=OWNER, json={"user": user, "level": level.name})


def _nonce(api: Api, actor: str, caller: Caller) -> str:
    """Made by a user who may; his level on the actor is set afterwards."""
    assert caller.nonce is not None
    if caller.user in MAP:
        _grant(api, actor, caller.user, UPDATE)
    body = {"level": caller.nonce.name}
    return str(api.result("POST", f"/actors/{actor}/nonces", user=caller.user, json=body)["id"])


def check(response: requests.Response, status: int, message: str | None, what: str) -> None:
    """The answer's status and message; None: no envelope."""
    if message is None:
        assert (response.status_code, response.content) == (status, b""), what
        assert response.headers["Content-Type"] == "application/octet-stream", what
        return
    found = response.json()
    assert (response.status_code, found["message"]) == (status, message), what
    assert found["status"] == ("success" if status == 200 else "error"), what


def told(cell: Cell, path: str, caller: Caller) -> str:
    return f"{caller} {cell.method} {path}"


def check_head(stage: Scene, path: str, caller: Caller, status: int) -> None:
    """HEAD is as GET, in everything (http-api §1.6)."""
    response = stage.call("HEAD", path, caller, {})
    assert (response.status_code, response.content) == (status, b""), f"{caller} HEAD {path}"


def check_refused(stage: Scene, path: str, world: bool) -> None:
    """Whoever may not is refused in the right words, and nothing has changed."""
    before = stage.seen()
    for cell in TABLE[path]:
        for caller in callers(world):
            refused = refusal(cell, caller)
            if refused is not None:
                check(stage.call(cell.method, path, caller, cell.body), 400, refused, told(cell, path, caller))
                if cell.method == "GET":
                    check_head(stage, path, caller, 400)
    assert stage.seen() == before


def check_allowed(stage: Scene, path: str, cell: Cell, caller: Caller) -> None:
    answer = cell.answer and stage.filled(cell.answer)
    if cell.method == "GET":
        check_head(stage, path, caller, cell.status)
    check(stage.call(cell.method, path, caller, cell.body), cell.status, answer, told(cell, path, caller))


@pytest.mark.parametrize("world", [False, True], ids=["without-the-world", "with-the-world"])
@pytest.mark.parametrize("path", TABLE)
def test_each_call_is_open_to_its_level_and_to_nothing_below(api: Api, path: str, world: bool) -> None:
    """spec: http-api #114, #120, #124, #125, #126, #127, #128"""
    stage = scene(api, world, path)
    check_refused(stage, path, world)
    for cell in TABLE[path]:
        for caller in callers(world):
            if refusal(cell, caller) is None:
                check_allowed(stage, path, cell, caller)
                stage = after(stage, cell, path, world)


@pytest.mark.parametrize("path", TABLE)
def test_what_is_not_in_the_table_is_no_call_for_anybody(api: Api, path: str) -> None:
    """spec: http-api #10, #11"""
    stage = scene(api, False, path)
    before = stage.seen()

    for method in set(METHODS) - {cell.method for cell in TABLE[path]} - {"HEAD"}:
        for caller in callers(world=False):
            what = f"{caller} {method} {path}"
            check(stage.call(method, path, caller, {}), 405, NO_SUCH_CALL, what)
    for method in METHODS:
        assert stage.call(method, path, None, {}).status_code == 401  # the gateway's, whatever is asked
    assert stage.seen() == before


@pytest.mark.parametrize(
    ("method", "answer"), [("GET", "Actors retrieved successfully."), ("POST", "Actor created successfully.")]
)
def test_the_collection_is_open_to_every_role_and_to_no_nonce(api: Api, method: str, answer: str) -> None:
    """spec: http-api #18, #117 (§8.3, first row)"""
    stage = scene(api, False, "")
    body = {"image": "x"} if method == "POST" else None

    for caller in callers(world=False):
        if caller.nonce is not None:
            response = api.send(method, f"/actors?x-nonce={stage.nonces[caller]}", user=None, json=body)
            check(response, 400, "Not authorized.", str(caller))
        else:
            expected = (400, NO_ROLE) if caller.user == "nobody" else (200, answer)
            check(api.send(method, "/actors", user=caller.user, json=body), *expected, str(caller))


def test_the_table_has_every_row_and_cell_of_the_specification() -> None:
    """http-api §8.3, less its first row and its last"""
    cells = [cell for row in TABLE.values() for cell in row]

    assert len(TABLE) == 12
    assert [sum(cell.method == method for cell in cells) for method in METHODS] == [12, 0, 6, 1, 5, 0]
    assert all(cell.needs is READ for cell in cells if cell.method == "GET")
    assert all(cell.needs is UPDATE for cell in cells if cell.method in ("PUT", "DELETE"))
    assert json.dumps([cell.needs for cell in cells if cell.method == "POST"]) == "[2, 3, 3, 3, 3, null]"
