"""A client of a server that has other people's actors too, for tests: it tidies up, and skips what cannot be had."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import requests

from abacito.abaco.errors import AbacoError
from abacito.client import Abaco, Actor, Refused, is_folder, issue_token
from abacito.client.clock import Clock
from abacito.client.faults import Faults
from abacito.scenario.ask import Target
from abacito.scenario.parity import Theirs
from abacito.settings import LOOPBACK

if TYPE_CHECKING:
    from abacito.abaco.platform import Worlds
    from abacito.emulator import Emulator

_REGISTERS = ("/actors", "/actors/v2", "/v3/actors")
_PROBE_S = 10


class Guest(Abaco):
    """Actors registered through it are deleted when it is closed, and the clock is set back.

    What takes an emulator of our own skips the test, with a sentence: functions as images (``stub``) and faults need
    one in this process; folders and the clock one on this machine (``is_emulator``).
    """

    def __init__(self, url: str, token: str, case: str, *, is_emulator: bool, **rest: Any) -> None:
        super().__init__(url, token, case, **rest)
        self._is_emulator = is_emulator
        self._set_back = ExitStack()
        self._clock: Clock | None = None
        self._registered: list[Actor] = []

    @property
    def actors(self) -> list[Actor]:
        """Those registered through it, and not deleted, oldest first."""
        return list(self._registered)

    def register(self, image: str | Path | Callable[..., Any], **settings: Any) -> Actor:
        """As ever; functions and folders skip the test where they cannot be had."""
        if callable(image):
            self._functions_are_taken()
        if is_folder(image) and not self._is_emulator:
            # Another machine does not have the folder, and a live Abaco takes images from a registry only.
            pytest.skip(f"Folders as images need an emulator on this machine; {self.url} is none.")
        return super().register(image, **settings)

    def stub(self, image: str, function: Callable[..., Any]) -> str:
        """As ever; it skips the test where functions cannot be had."""
        self._functions_are_taken()
        return super().stub(image, function)

    def _functions_are_taken(self) -> None:
        if self._stub is None:
            # It would be run by the server, in another process: there is no way to bring it there.
            pytest.skip(f"Python functions as actors need an emulator in this process; {self.url} is not.")

    def send(self, method: str, path: str, **arguments: Any) -> requests.Response:
        """As ever; what it registers and deletes is noted."""
        answer = super().send(method, path, **arguments)
        if method == "POST" and path.rstrip("/") in _REGISTERS and answer.ok:
            self._registered.append(Actor(self, answer.json()["result"]["id"]))
        if method == "DELETE" and answer.ok:
            self._registered = [actor for actor in self._registered if actor.path != path]
        return answer

    @property
    def clock(self) -> Clock:
        """As ever; it skips the test where there is none to be moved."""
        if not self._is_emulator:
            # A live Abaco's time is everybody's; an emulator's clock is moved from its own machine only.
            pytest.skip(f"The clock can only be moved on an emulator on this machine; {self.url} is none.")
        if self._clock is None:
            self._clock = super().clock
            self._set_back.enter_context(self._clock.travel(seconds=0))  # whoever leaves it sets back what follows
        return self._clock

    @property
    def faults(self) -> Faults:
        """As ever; it skips the test where they would strike others too."""
        if self._stub is None:
            # One set for all actors strikes other users' too, whose tests then fail for no reason they can see.
            pytest.skip(f"Faults need an emulator of the tests' own; {self.url} serves others too.")
        return super().faults

    def _world(self) -> Worlds:
        # What is gone back to takes other users' actors away.
        pytest.skip(f"Snapshots and pauses need an emulator of the tests' own; {self.url} serves others too.")

    def close(self) -> None:
        """Set the clock back, delete the actors, newest first; warns of those that could not be deleted."""
        self._set_back.close()
        for actor in reversed(self._registered):
            try:
                actor.delete()
            except (AbacoError, requests.RequestException) as error:
                if not _is_gone(error):
                    warnings.warn(pytest.PytestWarning(f"{actor!r} is left at {self.url}: {error}"), stacklevel=2)
        super().close()


def fresh(emulator: Emulator) -> Abaco:
    """A client of our own emulator, which is empty from now on; one at an endpoint is not ours alone: a guest there."""
    if emulator.settings.endpoint_url is None:
        emulator.reset()
        return emulator.client()
    admin = emulator.admin
    headers = partial(emulator.headers_for, admin.username, admin.tenant)
    case, stub = emulator.settings.case, emulator.stub
    return Guest(emulator.url, emulator.token, case, is_emulator=True, stub=stub, headers=headers(), renew=headers)


def guest_at(url: str, token: str | None, case: str) -> Guest:
    """A client of this server. An emulator on this machine gives a token unasked; elsewhere the test fails without."""
    url = url.rstrip("/")
    is_emulator = is_emulator_here(url)
    if token is None and not is_emulator:
        pytest.fail(f"{url} takes a token: give --abacito-token or ABACITO_TOKEN", pytrace=False)

    def another() -> dict[str, str]:
        asked = {"like": token} if token else {}
        return {"Authorization": f"Bearer {issue_token(url, **asked)['access_token']}"}

    first = token or str(issue_token(url)["access_token"])
    return Guest(url, first, case, is_emulator=is_emulator, renew=another if is_emulator else None)


def theirs_at(url: str, token: str | None, user_tokens: Sequence[str]) -> Theirs:
    """The other side of stories, ``user_tokens`` as ``USER=TOKEN``; the test fails where nothing answers.

    An emulator on this machine gives a token unasked.
    """
    tokens = dict(pair.split("=", 1) for pair in user_tokens if "=" in pair)
    if len(tokens) < len(user_tokens):
        pytest.fail("--abacito-user-token takes USER=TOKEN", pytrace=False)
    try:
        if token is None and is_emulator_here(url.rstrip("/")):
            token = str(issue_token(url.rstrip("/"))["access_token"])
        return Theirs.at(Target(url, token, tokens))
    except AbacoError as error:
        pytest.fail(str(error), pytrace=False)


def is_emulator_here(url: str) -> bool:
    """Whether an abacito on this machine answers there."""
    if urlsplit(url).hostname not in LOOPBACK:
        return False
    try:
        with requests.Session() as session:
            session.trust_env = False  # a proxy of the user's leads elsewhere
            return "parts" in session.get(f"{url}/_abacito/health", timeout=_PROBE_S).json()
    except (requests.RequestException, ValueError):
        return False


def _is_gone(error: Exception) -> bool:
    return isinstance(error, Refused) and error.status_code == requests.codes.not_found
