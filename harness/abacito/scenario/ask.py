"""One request of a story, over HTTP, to whatever answers at a base URL."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlencode, urlsplit

import requests
from pydantic import JsonValue

from abacito.abaco.errors import Misconfigured, Unavailable
from abacito.client import Abaco
from abacito.scenario.case import camel_answer, snake_name
from abacito.scenario.names import as_text, fill, fill_text
from abacito.scenario.step import NOBODY, Step, Text, from_base64
from abacito.settings import LOOPBACK

if TYPE_CHECKING:
    from abacito.emulator import Emulator

ANSWER_TIMEOUT_S = 120.0  # a synchronous message lasts as long as its container
Case = Literal["camel", "snake"]


@dataclass(frozen=True, slots=True)
class Target:
    """An Abaco: where it is, and the tokens to ask it with.

    ``token`` serves the steps without ``as`` (none: no credentials), ``tokens_by_user`` the others. ``case`` None
    means that the player finds it out.
    """

    base_url: str
    token: str | None = field(default=None, repr=False)
    tokens_by_user: Mapping[str, str] = field(default_factory=dict, repr=False)
    case: Case | None = None

    @classmethod
    def of(cls, emulator: Emulator) -> Target:
        """An emulator in this process, with a token for each of its users."""
        tokens = {user.username: emulator.token_for(user.username, user.tenant) for user in emulator.users}
        return cls(emulator.url, emulator.token, tokens, emulator.settings.case)


@dataclass(frozen=True, slots=True)
class Request:
    """A step's request, all quotes filled in; ``path`` carries the query."""

    method: str
    path: str
    user: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    shown_body: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; ``document`` is what expectations and ``keep`` look at."""

    status_code: int
    headers: Mapping[str, str]
    text: str
    json: JsonValue

    @property
    def document(self) -> dict[str, JsonValue]:
        """The answer's own keys, beside ``status_code``, ``content_type``, ``headers`` (lower case) and ``text``."""
        own = self.json if isinstance(self.json, dict) else {}
        return {
            "status_code": self.status_code,
            "content_type": self.headers.get("content-type", ""),
            "headers": dict(self.headers),
            "text": self.text,
            **own,
        }


def request_of(step: Step, known: Mapping[str, JsonValue], case: Case) -> Request:
    """The step as it goes out, fields in the server's case. Raises Misconfigured for an unknown name."""
    path = fill_text(step.path, known)
    content, shown_body, content_type = _body(step, path, known, case)
    headers = {name: fill_text(value, known) for name, value in step.headers.items()}
    if content_type and "content-type" not in {name.lower() for name in headers}:
        headers["Content-Type"] = content_type
    return Request(
        method=step.method or "GET",
        path=_with_query(path, _fields(step.query, path, known, case)),
        user=None if step.as_ is None else fill_text(step.as_, known),
        headers=headers,
        content=content,
        shown_body=shown_body,
    )


class Line:
    """The line to one target: answers come in camel case, whatever the server speaks."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._session = requests.Session()
        # A proxy of the environment is for the world outside; our own emulator may even be that proxy.
        self._session.trust_env = urlsplit(target.base_url).hostname not in LOOPBACK
        self._renewed: dict[str, str] = {}
        self.case: Case = target.case or self._case_of_server()

    def close(self) -> None:
        """Hang up."""
        self._session.close()

    def ask(self, request: Request) -> Answer:
        """Send it, follow no redirect. Raises Unavailable when nothing answers, Misconfigured for a bad URL or user."""
        token = self._token(request.user)
        try:
            response = self._session.request(
                request.method,
                self._target.base_url.rstrip("/") + request.path,
                headers=dict(request.headers),
                data=request.content,
                auth=_Bearer(token),
                timeout=ANSWER_TIMEOUT_S,
                allow_redirects=False,
            )
        except ValueError as error:  # requests' word for a URL that is none
            raise Misconfigured(f"{self._target.base_url!r} cannot be asked: {error}") from error
        except requests.RequestException as error:
            raise Unavailable(
                f"no answer from {self._target.base_url} to {request.method} {request.path}: {error}"
            ) from error
        return _answer(response)

    def client(self, user: str | None) -> Abaco:
        """A client of the same target, with this user's token."""
        return Abaco(self._target.base_url.rstrip("/"), self._token(user) or "", self.case)

    def renew(self) -> None:
        """Have fresh tokens of the same users, from an emulator whose clock was moved: the old ones may be over."""
        for token in filter(None, (self._target.token, *self._target.tokens_by_user.values())):
            body = json.dumps({"like": self._renewed.get(token, token)}).encode()
            answer = self.ask(Request("POST", "/_abacito/tokens", NOBODY, {"Content-Type": "application/json"}, body))
            result = answer.document.get("result")
            if isinstance(result, dict):
                self._renewed[token] = str(result["accessToken"])

    def _token(self, user: str | None) -> str | None:
        token = self._given(user)
        return None if token is None else self._renewed.get(token, token)

    def _given(self, user: str | None) -> str | None:
        if user is None or user == NOBODY:
            return self._target.token if user is None else None
        if user not in self._target.tokens_by_user:
            raise Misconfigured(f"there is no token for the user {user!r}: --user-token {user}=TOKEN")
        return self._target.tokens_by_user[user]

    def _case_of_server(self) -> Case:
        found = self.ask(Request("GET", "/actors/v2?limit=1")).text
        return "snake" if '"count_returned"' in found else "camel"


class _Bearer(requests.auth.AuthBase):
    """The token, and nothing from a .netrc in its place."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token is not None and "Authorization" not in request.headers:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _answer(response: requests.Response) -> Answer:
    text = response.content.decode("utf-8", errors="replace")
    try:
        document: JsonValue = json.loads(text) if "json" in response.headers.get("content-type", "") else None
    except ValueError:
        document = None
    return Answer(
        status_code=response.status_code,
        headers={name.lower(): value for name, value in response.headers.items()},
        text=text,
        json=camel_answer(document) if isinstance(document, dict) else document,
    )


def _body(
    step: Step, path: str, known: Mapping[str, JsonValue], case: Case
) -> tuple[bytes | None, str | None, str | None]:
    """The body's bytes, the body as a reader sees it, and its content type."""
    if step.our_verb is not None:
        written = step.fault if step.our_verb == "fault" else {step.our_verb: getattr(step, step.our_verb)}
        text = json.dumps(fill(written, known))
        return text.encode(), text, "application/json"
    if step.has_message:
        return _message_body(fill(step.message, known))
    if step.has_json:
        value = fill(step.json_, known)
        if case == "snake" and isinstance(value, dict):
            value = {snake_name(name, path): item for name, item in value.items()}
        text = json.dumps(value, ensure_ascii=False)
        return text.encode(), text, "application/json"
    if step.form is not None:
        pairs = _fields(step.form, path, known, case)
        return urlencode(pairs).encode(), "&".join(map("=".join, pairs)), "application/x-www-form-urlencoded"
    if step.body is not None:
        text = fill_text(step.body, known)
        return text.encode(), text, None
    return _binary_body(step, known)


def _message_body(message: JsonValue) -> tuple[bytes, str, str]:
    """A text as a form, so that it stays one; all else as JSON."""
    if isinstance(message, str):
        return urlencode({"message": message}).encode(), f"message={message}", "application/x-www-form-urlencoded"
    text = json.dumps(message, ensure_ascii=False)
    return text.encode(), text, "application/json"


def _binary_body(step: Step, known: Mapping[str, JsonValue]) -> tuple[bytes | None, str | None, str | None]:
    content = None
    if step.base64 is not None:
        content = from_base64(fill_text(step.base64, known))
    elif step.bytes_ is not None:
        content = bytes.fromhex(fill_text(step.bytes_, known))
    return (None, None, None) if content is None else (content, f"({len(content)} bytes)", "application/octet-stream")


def _fields(
    written: Mapping[str, Text | list[Text]], path: str, known: Mapping[str, JsonValue], case: Case
) -> list[tuple[str, str]]:
    return [
        (snake_name(name, path) if case == "snake" else name, as_text(fill(item, known)))
        for name, value in written.items()
        for item in (value if isinstance(value, list) else [value])
    ]


def _with_query(path: str, pairs: list[tuple[str, str]]) -> str:
    if not pairs:
        return path
    return f"{path}{'&' if '?' in path else '?'}{urlencode(pairs)}"
