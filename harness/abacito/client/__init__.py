"""Actors and executions as a test sees them, over HTTP like any client: the same test runs on a live Abaco."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import requests

from abacito.abaco.errors import AbacoError, Misconfigured, Unavailable
from abacito.abaco.execution import FINAL
from abacito.abaco.time import real_monotonic
from abacito.client.clock import Clock
from abacito.client.faults import Fault, Faults

if TYPE_CHECKING:
    from abacito.abaco.platform import Worlds

#: How long ``wait`` waits unless it is told otherwise, in seconds of real time.
PATIENCE_S = 20.0
#: An event that an execution leaves has become a message in a linked actor's mailbox by then.
_CALM_S = 1.0
_REQUEST_S = 90
_FOLDER_PREFIX = "dir:"
_NO_FUNCTIONS = "functions such as {!r} can only be registered with an emulator of our own"


class Refused(AbacoError):
    """The server refused a request; ``status_code`` is HTTP's, the text names request and answer."""

    def __init__(self, method: str, path: str, response: requests.Response) -> None:
        self.status_code = response.status_code
        try:
            self.message = str(response.json()["message"])
        except (ValueError, KeyError, TypeError):
            self.message = response.text[:500]
        super().__init__(f"{method} {path} was refused with {response.status_code}: {self.message}")


class WaitedInVain(AbacoError, TimeoutError):
    """What was waited for did not come, or cannot come any more; the text tells what is known."""


class Abaco:
    """An Abaco at a base URL, asked with one user's token, or with other ``headers`` that name him.

    ``url`` (without a slash at the end) and ``token`` are for clients of your own. ``case`` is the server's. ``stub``
    registers a Python function as an image and answers its name. It, ``worlds`` and a server that waits for an
    execution's end are only had with an emulator of our own; any other is asked repeatedly. Waits are in seconds of
    real time, whatever the clock shows. ``renew`` tells new headers when the old ones are not known any more, as after
    some hours of travel.
    """

    def __init__(
        self,
        url: str,
        token: str,
        case: str = "camel",
        stub: Callable[..., str] | None = None,
        headers: Mapping[str, str] | None = None,
        renew: Callable[[], Mapping[str, str]] | None = None,
        worlds: Worlds | None = None,
    ) -> None:
        self.url, self.token, self._case, self._stub = url, token, case, stub
        self._renew, self._worlds = renew, worlds
        self._is_emulator = stub is not None
        self._leaving = ExitStack()
        self._session = requests.Session()
        self._session.trust_env = False  # neither a proxy nor a .netrc of the user's is meant
        self._session.headers.update(headers or {"Authorization": f"Bearer {token}"})

    def close(self) -> None:
        """Close the connection."""
        self._session.close()
        self._leaving.close()

    def client(self, library: str) -> Any:
        """A client from PyPI that asks the same Abaco, for code that takes one: ``agavepy``, ``tapispy``, ``tapipy``.

        It has this user's token, and no password to renew it with. Good until ``close``. Raises Misconfigured for
        one that is not known or not installed.
        """
        from abacito.client import libraries

        return libraries.library(library, self.url, self.token, self._ca_file if self._is_emulator else None)

    def stub(self, image: str, function: Callable[..., Any]) -> str:
        """Have every actor with this image run this function from now on, ``abacosamples/test`` even; the image.

        Raises Misconfigured where the emulator is not in this process.
        """
        if self._stub is None:
            raise Misconfigured(_NO_FUNCTIONS.format(function))
        return self._stub(function, image)

    def fault(self, kind: str, **fields: Any) -> Fault:
        """Something to go wrong, by its kind: ``fault("killed", actor=actor, after_s=1)``, as ``faults`` has them."""
        return self.faults.add(kind, **fields)

    def register(self, image: str | Path | Callable[..., Any], **settings: Any) -> Actor:
        """Register an image, a folder with a Dockerfile, or a function, a stub. The answer may not be READY yet.

        A ``Path``, and a text that begins with ``./``, ``../`` or ``/``, is a folder; any other text is an image's
        name. ``settings`` are Abaco's fields in snake case, whatever the server's: ``stateless=False``,
        ``default_environment={"NAME": "text"}``, ``max_workers=2``, ``cron_schedule=…``.

        Raises Refused, as the server does; Misconfigured for a function where there is no emulator of our own. An image
        that cannot be used is not refused: its actor is in ERROR a little later, and ``Actor.wait`` tells why.
        """
        body = {self._name(name): value for name, value in settings.items()}
        result = self.request("POST", "/actors/v2", json={**body, "image": self._image(image)})
        return Actor(self, result["id"])

    @property
    def actors(self) -> list[Actor]:
        """All actors that this user sees, as there are now."""
        return [Actor(self, each["id"]) for each in self.request("GET", "/actors/v2")]

    def quiet(self, within_s: float = PATIENCE_S) -> None:
        """Wait until no message waits and no execution runs, of all ``actors``.

        Raises WaitedInVain after ``within_s`` seconds, naming what still waits or runs.

        Where a link may post another message, or an execution has no message any more (it was purged), nothing must
        have stirred for a second.
        """
        deadline = real_monotonic() + within_s
        calm_since: float | None = None
        while True:
            seen = [_stir(actor) for actor in self.actors]
            stirs = [words for words, _ in seen if words]
            now = real_monotonic()
            calm_since = None if stirs else calm_since or now
            if calm_since and (now - calm_since >= _CALM_S or not any(may_follow for _, may_follow in seen)):
                return
            if now >= deadline:
                raise WaitedInVain(f"it is not quiet after {within_s:g} s: {'; '.join(stirs) or 'not for a second'}")
            time.sleep(0.02)  # nobody tells that nothing happens: one has to look again

    def request(self, method: str, path: str, **arguments: Any) -> Any:
        """Send a request: the ``result`` of its answer, the names at its top in snake case. Raises Refused.

        ``path`` begins with a slash (``/actors/v2/…``); ``arguments`` are those of ``requests``: ``json=``, ``data=``,
        ``params=``, ``headers=``.
        """
        response = self.send(method, path, **arguments)
        if not response.ok:
            raise Refused(method, path, response)
        return _snake(response.json()["result"])

    def send(self, method: str, path: str, **arguments: Any) -> requests.Response:
        """Send any request with this user's token: its answer as it is, refused or not. Arguments as of ``request``."""
        answer = self._session.request(method, self.url + path, timeout=_REQUEST_S, **arguments)
        if answer.status_code == requests.codes.unauthorized and self._renew is not None:
            self._session.headers.update(self._renew())
            answer = self._session.request(method, self.url + path, timeout=_REQUEST_S, **arguments)
        return answer

    @property
    def clock(self) -> Clock:
        """The time of this user's tenant, to be moved; the fixture ``abacito_clock`` is the same."""
        return Clock(lambda body: self.send("GET" if body is None else "POST", "/_abacito/clock", json=body), self.url)

    @property
    def faults(self) -> Faults:
        """What is to go wrong on purpose in this emulator; the fixture ``abacito_faults`` is the same."""
        return Faults(lambda method, path, body: self.send(method, path, json=body), self.url)

    def snapshot(self) -> Any:
        """All that there is at this instant, for ``restore``; its ``save(path)`` writes a file. Costs milliseconds.

        What runs just then is in it as a crash would leave it: in ERROR. Raises Misconfigured where the emulator is
        not in this process.
        """
        return self._world().snapshot()

    def restore(self, snapshot: Any) -> None:
        """Go back to a snapshot, or to the file of one: that alone is there then; faults are cleared, tokens stay good.

        Messages that wait in it wait until ``resume``. Raises Misconfigured where the emulator is not in this process.
        """
        self._world().restore(snapshot)

    def pause(self) -> None:
        """Have the emulator begin nothing: messages wait, what runs goes on. Raises Misconfigured as ``snapshot``."""
        self._world().pause()

    def resume(self) -> None:
        """Have it go on. Raises Misconfigured as ``snapshot`` does."""
        self._world().resume()

    @property
    def is_paused(self) -> bool:
        """Whether messages wait for ``resume``; of an Abaco elsewhere that is not known, and False."""
        return self._worlds is not None and self._worlds.is_paused

    def _ca_file(self) -> str:
        """The certificate that verifies the emulator, in a file that is there until ``close``."""
        folder = self._leaving.enter_context(TemporaryDirectory(prefix="abacito-ca-"))
        file = Path(folder) / "ca.pem"
        file.write_text(self.send("GET", "/_abacito/ca.pem").text)
        return str(file)

    def _world(self) -> Worlds:
        if self._worlds is None:
            raise Misconfigured(f"snapshots and pauses are had of an emulator in this process only; {self.url} is not")
        return self._worlds

    def end_of(self, execution: Execution, within_s: float) -> dict[str, Any]:
        """The execution's fields when it has ended, or when the time is up."""
        if self._stub is None:
            return _wait(lambda: execution.details, lambda found: found["status"] in FINAL, within_s)
        deadline = real_monotonic() + within_s
        while True:  # the server waits a minute at most
            left_s = max(0.0, deadline - real_monotonic())
            query = {"actor": execution.actor.id, "execution": execution.id, "within": f"{left_s:f}"}
            response = self.send("GET", "/_abacito/wait", params=query)
            if response.status_code not in (200, 408):
                raise Refused("GET", "/_abacito/wait", response)
            if response.status_code == 200 or real_monotonic() >= deadline:
                return dict(_snake(response.json()["result"]))

    def _name(self, snake: str) -> str:
        first, *rest = snake.split("_")
        return snake if self._case == "snake" else first + "".join(part.capitalize() for part in rest)

    def _image(self, image: str | Path | Callable[..., Any]) -> str:
        if callable(image):
            if self._stub is None:
                raise Misconfigured(_NO_FUNCTIONS.format(image))
            return self._stub(image)
        is_named = isinstance(image, str) and image.startswith(_FOLDER_PREFIX)
        return f"{_FOLDER_PREFIX}{Path(image).resolve()}" if is_folder(image) and not is_named else str(image)


def is_folder(image: object) -> bool:
    """Whether ``register`` takes it for a folder with a Dockerfile."""
    starts = ("./", "../", "/", _FOLDER_PREFIX)
    return isinstance(image, Path) or (isinstance(image, str) and image.startswith(starts))


def issue_token(url: str, **asked: object) -> dict[str, Any]:
    """A token of the emulator at ``url``, for any of its users; ``asked`` as ``POST /_abacito/tokens`` takes it.

    Raises Unavailable when nothing answers there, Refused.
    """
    body = {name: value for name, value in asked.items() if value is not None}
    return dict(control(url, "POST", "/_abacito/tokens", body)["result"])


def control(url: str, method: str, path: str, body: object = None) -> dict[str, Any]:
    """What the emulator at ``url`` answers on its own surface. Raises Unavailable when nothing answers there, Refused,
    and Misconfigured where that surface is not had, as on a live Abaco."""
    return dict(_controlled(url, method, path, json=body).json())


def save_snapshot(url: str) -> bytes:
    """All that the emulator at ``url`` holds, as a file's bytes. Raises as ``control`` does."""
    return _controlled(url, "GET", "/_abacito/snapshot").content


def load_snapshot(url: str, data: bytes) -> dict[str, Any]:
    """Have that emulator hold what is in a file, and nothing else: ``{"paused": …}``. Raises as ``control`` does."""
    return dict(_controlled(url, "PUT", "/_abacito/snapshot", data=data).json())


def _controlled(url: str, method: str, path: str, **body: object) -> requests.Response:
    try:
        with requests.Session() as session:
            session.trust_env = False  # no proxy is meant, least of all ourselves
            response = session.request(method, url + path, timeout=_REQUEST_S, **body)  # type: ignore[arg-type]
    except requests.RequestException as error:
        raise Unavailable(f"no abacito answers at {url}: start one with abacito serve, or say --target") from error
    if response.status_code == requests.codes.not_found:
        raise Misconfigured(f"{url} is no abacito: {path} is an emulator's own")
    if not response.ok:
        raise Refused(method, path, response)
    return response


class _Resource:
    """Something with an id, a path below the base URL, and fields that are asked for anew each time."""

    def __init__(self, abaco: Abaco, path: str, kind: str) -> None:
        self._abaco, self.path, self._kind = abaco, path, kind
        self.id = path.rpartition("/")[2]

    def __repr__(self) -> str:
        return f"<{self._kind} {self.id}>"

    @property
    def details(self) -> dict[str, Any]:
        """All its fields, as they are now, by their snake names."""
        return dict(self._abaco.request("GET", self.path))

    @property
    def status(self) -> str:
        """Its status, as it is now.

        Of an actor: SUBMITTED, READY, ERROR or SHUTTING_DOWN. Of an execution: SUBMITTED, RUNNING, COMPLETE or ERROR.
        """
        return str(self.details["status"])


class Actor(_Resource):
    """A registered actor: its ``id``, and its ``path`` below the base URL. What it tells is asked for each time."""

    def __init__(self, abaco: Abaco, actor_id: str) -> None:
        super().__init__(abaco, f"/actors/v2/{actor_id}", "actor")

    def send(self, message: str | bytes | Mapping[str, Any] | list[Any], **variables: str) -> Execution:
        """Post a message; the execution that it will be, at once, before anything has run. Raises Refused.

        Text goes as a form (``message=…``), bytes as a binary message, all else as JSON. ``variables`` go as the query,
        and count over the actor's default environment: ``send("x", GREETING="hello")``.
        """
        match message:
            case str():
                content: dict[str, Any] = {"data": {"message": message}}
            case bytes():
                content = {"data": message, "headers": {"Content-Type": "application/octet-stream"}}
            case _:
                content = {"json": message}
        result = self._abaco.request("POST", f"{self.path}/messages", params=variables, **content)
        return Execution(self._abaco, self, result["execution_id"])

    def wait(self, status: str = "READY", within_s: float = PATIENCE_S) -> Actor:
        """Wait until it has this status; the actor itself.

        Raises WaitedInVain after ``within_s`` seconds, or at once when it is in ERROR instead; the text says why.
        """
        seen = _wait(lambda: self.details, lambda found: found["status"] in (status, "ERROR"), within_s)
        if seen["status"] != status:
            after = "" if seen["status"] == "ERROR" else f" after {within_s:g} s"
            told = (seen.get("status_message") or "it does not say why").strip()
            raise WaitedInVain(f"{self!r} is {seen['status']}, not {status}{after}: {told}")
        return self

    @property
    def executions(self) -> list[Execution]:
        """All executions that it ever had, oldest first."""
        return [Execution(self._abaco, self, each["id"]) for each in self.listed_executions]

    @property
    def listed_executions(self) -> list[dict[str, Any]]:
        """All executions as Abaco lists them, oldest first: an id, a status and times each."""
        return list(self._abaco.request("GET", f"{self.path}/executions")["executions"])

    @property
    def waiting(self) -> int:
        """How many messages wait in its mailbox; those in work are none of them."""
        return int(self._abaco.request("GET", f"{self.path}/messages")["messages"])

    @property
    def workers(self) -> list[str]:
        """Its workers' statuses: REQUESTED, READY, BUSY …"""
        return [each["status"] for each in self._abaco.request("GET", f"{self.path}/workers")]

    def delete(self) -> None:
        """Delete it, with its workers; blocks while they stop."""
        self._abaco.request("DELETE", self.path)


class Execution(_Resource):
    """One run of an ``actor`` for one message: SUBMITTED, RUNNING, and in the end COMPLETE or ERROR.

    COMPLETE says nothing of the exit code; ERROR is one whose container could not be started. What it tells is asked
    for each time.
    """

    def __init__(self, abaco: Abaco, actor: Actor, execution_id: str) -> None:
        super().__init__(abaco, f"{actor.path}/executions/{execution_id}", "execution")
        self.actor = actor

    @property
    def exit_code(self) -> int | None:
        """The container's exit code; None until it is COMPLETE. 137 (128 + 9) is a container that was killed."""
        return self.details.get("exit_code")

    @property
    def logs(self) -> str:
        """What the container has written so far, to stdout and stderr; empty too when its time is over (``log_ex``)."""
        return str(self._abaco.request("GET", f"{self.path}/logs")["logs"])

    @property
    def results(self) -> list[bytes]:
        """The results not read yet, oldest first, each as it was sent; reading takes them away."""
        found: list[bytes] = []
        while data := self._abaco.send("GET", f"{self.path}/results").content:
            found.append(data)
        return found

    def wait(self, within_s: float = PATIENCE_S) -> Execution:
        """Wait until it has ended, COMPLETE or in ERROR; the execution itself.

        Raises WaitedInVain after ``within_s`` seconds, with its actor's status and the last lines of its log.
        """
        seen = self._abaco.end_of(self, within_s)
        if seen["status"] not in FINAL:
            raise WaitedInVain(self._told(seen["status"], within_s))
        return self

    def replay(self) -> Execution:
        """A new execution of the same message, with the environment that this one had. Raises Refused."""
        query = {"actor": self.actor.id, "execution": self.id}
        result = self._abaco.request("POST", "/_abacito/replay", params=query)
        return Execution(self._abaco, self.actor, result["id"])

    def watch(self, within_s: float) -> Iterator[dict[str, Any]]:
        """Its ``details``, again and again a little later, the last time when it has ended or the time is up."""
        deadline = real_monotonic() + within_s
        while True:
            seen = self.details
            yield seen
            if seen["status"] in FINAL or real_monotonic() >= deadline:
                return
            time.sleep(0.1)  # what happens before the end is told to nobody: one has to look again

    def _told(self, status: str, within_s: float) -> str:
        actor = self.actor.details
        message = f" ({actor['status_message'].strip()})" if (actor.get("status_message") or "").strip() else ""
        tail = "\n".join(self.logs.splitlines()[-20:]) or "(nothing)"
        actor_is = f"its actor {actor['id']} is {actor['status']}{message}"
        if self._abaco.is_paused:
            actor_is += ", and nothing is begun until resume()"
        return f"{self!r} is still {status} after {within_s:g} s; {actor_is}. The last lines of its log:\n{tail}"


def _stir(actor: Actor) -> tuple[str, bool]:
    """What of it waits or runs, in words or none; and whether something may follow all the same."""
    # In this order: what leaves the mailbox between the two looks is an execution by then.
    waiting, statuses = actor.waiting, [each["status"] for each in actor.listed_executions]
    is_adrift = "SUBMITTED" in statuses and not waiting  # purged, or on its way from the mailbox to a container
    running = statuses.count("RUNNING") or (actor.workers.count("BUSY") if is_adrift else 0)
    words = f"{actor!r} has {waiting} waiting and {running} running" if waiting or running else ""
    return words, is_adrift or bool(statuses and actor.details.get("link"))


def _wait(
    look: Callable[[], dict[str, Any]], enough: Callable[[dict[str, Any]], bool], within_s: float
) -> dict[str, Any]:
    """What was last seen: when it is enough, or when the time is up. Looks often at first, then less so."""
    deadline, pause_s = real_monotonic() + within_s, 0.002
    while True:
        seen = look()
        if enough(seen) or real_monotonic() >= deadline:
            return seen
        time.sleep(pause_s)  # a live Abaco tells nobody anything: one has to look again
        pause_s = min(pause_s * 1.5, 0.1)


def _snake(result: Any) -> Any:
    if not isinstance(result, dict):
        return result
    return {"".join(f"_{c.lower()}" if c.isupper() else c for c in name): value for name, value in result.items()}
