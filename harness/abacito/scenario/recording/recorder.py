"""Exchanges, one after the other, as the steps of a story."""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any

from pydantic import JsonValue

from abacito.scenario.ask import Case
from abacito.scenario.case import camel_answer, camel_name
from abacito.scenario.expect import Missing
from abacito.scenario.page import as_yaml
from abacito.scenario.recording.credentials import HIDDEN, Credentials, is_refused
from abacito.scenario.recording.exchange import BINARY_TYPE, Exchange
from abacito.scenario.recording.naming import Names
from abacito.scenario.recording.stable import Stable
from abacito.scenario.step import CLOCK, CLOCK_VERBS, FAULTS, METHODS, OURS

_WAIT = f"{OURS}/wait"
_PATIENCE_S = 10  # a wait that took less is within the 20 s that a story has by itself

# What changes by itself, so that somebody who is quicker than the recorded client must ask again.
_MOVING = re.compile(r"/(executions(/[^/]+(/logs|/results)?)?|messages|workers|logs)/?$")
_READ_ONCE = re.compile(r"/results/?$")
_ACTORS_OWN = re.compile(r"^/(?:actors/v2|v3/actors|actors)/([^/]+)/")


@dataclass(frozen=True, slots=True)
class Noted:
    """What became of one exchange: the number of its step, or why it has none."""

    title: str
    status_code: int
    number: int | None = None
    why_not: str = ""


@dataclass
class _Recorded:
    """One step, and what it takes to fold the same request into it."""

    document: dict[str, Any]
    keep: dict[str, str] = field(default_factory=dict)
    asked_as: tuple[str, str, str | None] = ("", "", None)
    began_s: float = 0.0
    answered_s: float = 0.0
    may_repeat: bool = False
    lines: str = ""
    shown_as: dict[str, Any] | None = None

    def yaml(self) -> str:
        """Its lines in the story's file; made anew only when something has changed."""
        last: dict[str, Any] = {key: self.document[key] for key in ("wait", "expect") if key in self.document}
        first = {key: value for key, value in self.document.items() if key not in last}
        written = {**first, **({"keep": dict(self.keep)} if self.keep else {}), **last}
        if written != self.shown_as:
            self.lines, self.shown_as = as_yaml([written]), written
        return self.lines


class Recorder:
    """Makes a story of exchanges with a server that speaks this case; nothing secret is kept in it."""

    def __init__(self, title: str, case: Case) -> None:
        self._title, self._case = title, case
        self._credentials, self._names = Credentials(), Names()
        self._stable = Stable(self._is_private)
        self._steps: list[_Recorded] = []
        self._last_s: float | None = None

    def __len__(self) -> int:
        return len(self._steps)

    def story(self) -> str:
        """The story so far, as YAML; it has at least one step."""
        users: dict[str, JsonValue] = {name: {} for name in self._credentials.named}
        head = {"title": self._title, "tags": ["recorded"], **({"users": users} if users else {})}
        return f"{as_yaml(head)}steps:\n{''.join(step.yaml() for step in self._steps)}"

    def add(self, exchange: Exchange) -> Noted:
        """Note one exchange, in the order in which the answers came."""
        exchange = _as_abacos(exchange)
        if self._credentials.learn(exchange):
            for earlier in self._steps:
                earlier.document = self._hidden(earlier.document)
        self._names.note_sent(exchange)
        if why_not := self._why_not(exchange):
            path = exchange.path.partition("?")[0]
            return Noted(f"{exchange.method} {self._credentials.hide_path(path)}", exchange.status_code, None, why_not)
        step = self._step(exchange)
        is_repeated = self._fold(step)
        self._expect(step, exchange, is_repeated)
        self._steps.append(step)
        self._last_s = exchange.answered_s
        verb = next(iter(step.document))
        return Noted(f"{verb}: {step.document[verb]}", exchange.status_code, len(self._steps))

    def _hidden(self, document: dict[str, Any]) -> dict[str, Any]:
        """A step without what has turned out to be secret since it was noted."""
        return {key: self._hidden_part(key, value) for key, value in document.items()}

    def _hidden_part(self, key: str, value: Any) -> Any:
        if key in METHODS:
            return self._credentials.hide_path(value)
        if key == "base64" and self._credentials.holds(base64.b64decode(value).decode("latin-1")):
            return base64.b64encode(HIDDEN.encode()).decode()
        return value if key in ("as", "base64") else self._credentials.hide_all(value)

    def _fold(self, step: _Recorded) -> bool:
        """Whether it is what was asked just before: that step goes, as only the last answer was waited for."""
        last = self._steps[-1] if self._steps else None
        if last is None or not last.may_repeat or last.asked_as != step.asked_as:
            return False
        self._names.forget(last.keep)
        step.began_s = last.began_s
        self._steps.pop()
        return True

    def _why_not(self, exchange: Exchange) -> str:
        nonce = exchange.query.get("x-nonce")
        if self._credentials.show_credentials(exchange):
            return "it is about credentials"
        if exchange.method.lower() not in METHODS:
            return f"stories have no {exchange.method}"
        if nonce is not None and not self._names.knows(nonce):
            return "its nonce was not made in this recording"
        if exchange.plain_path.startswith(f"{OURS}/") and self._verb(exchange) is None and not _clears_faults(exchange):
            return "it steers the emulator, and stories have no word for it"
        if exchange.text is None and self._credentials.holds(exchange.body.decode("latin-1")):
            return "something secret is in its binary body"
        return ""

    def _step(self, exchange: Exchange) -> _Recorded:
        """The request, as a story asks it."""
        user = self._credentials.user(exchange)
        step = _Recorded({}, asked_as=(exchange.method, exchange.path, user), answered_s=exchange.answered_s)
        step.began_s = exchange.asked_s if self._last_s is None else self._last_s
        verb = self._verb(exchange)
        if verb is not None:
            step.document[verb[0]] = self._names.quote_all(verb[1])
            return step
        step.document[exchange.method.lower()] = self._names.quote(self._credentials.hide_path(exchange.path))
        if user is not None:
            step.document["as"] = user
        headers = {name: self._names.quote(value) for name, value in _headers(exchange)}
        step.document |= {"headers": headers} if headers else {}
        step.document |= dict(self._body(exchange))
        return step

    def _verb(self, exchange: Exchange) -> tuple[str, JsonValue] | None:
        """The step of ours that does the same: it moves the clock, or sets a fault."""
        value = exchange.sent_json[0] if exchange.sent_json else None
        if exchange.method != "POST" or exchange.status_code >= 400 or not isinstance(value, dict):
            return None
        if exchange.plain_path == FAULTS:
            return "fault", value
        moves = {name: item for name, item in value.items() if (name, item) != ("force", False)}
        if exchange.plain_path == CLOCK and len(moves) == 1 and set(moves) <= set(CLOCK_VERBS):
            return next(iter(moves.items()))
        return None

    def _body(self, exchange: Exchange) -> Iterator[tuple[str, Any]]:
        if not exchange.body:
            return
        if exchange.sent_json is not None:
            yield "json", self._names.quote_all(self._named_in_camel(exchange.path, exchange.sent_json[0]))
        elif exchange.form is not None:
            yield "form", self._form(exchange)
        elif exchange.text is None or exchange.sent_type == BINARY_TYPE:
            yield "base64", base64.b64encode(exchange.body).decode()
        else:
            yield "body", self._names.quote(self._credentials.hide(exchange.text))

    def _named_in_camel(self, path: str, value: JsonValue) -> JsonValue:
        hidden = self._credentials.hide_all(value)
        if self._case == "camel" or not isinstance(hidden, dict):
            return hidden
        return {camel_name(name, path): item for name, item in hidden.items()}

    def _form(self, exchange: Exchange) -> JsonValue:
        fields: dict[str, list[JsonValue]] = {}
        for name, text in exchange.form or ():
            fields.setdefault(name, []).append(text)
        values: dict[str, JsonValue] = {name: texts[0] if len(texts) == 1 else texts for name, texts in fields.items()}
        return self._names.quote_all(self._named_in_camel(exchange.path, values))

    def _expect(self, step: _Recorded, exchange: Exchange, is_repeated: bool) -> None:
        """What must come of it: at once, or for what changes by itself, after a while."""
        document = self._document(exchange)
        self._names.learn(exchange, document, step.keep)
        wanted: dict[str, Any] = {"status_code": exchange.status_code, **self._stable_part(exchange, document)}
        is_get = exchange.method == "GET"
        takes_nothing = "x-nonce" not in exchange.query  # to ask again would spend another use
        step.may_repeat = is_get and takes_nothing and not (_READ_ONCE.search(exchange.plain_path) and exchange.content)
        if self._verb(exchange) is not None:
            return
        if is_get and takes_nothing and len(wanted) > 1 and (is_repeated or _moves(exchange, document)):
            step.document["wait"] = {"until": wanted, **self._within(step)}
            if exchange.status_code >= 400:
                step.document["expect"] = {"status_code": exchange.status_code}
        else:
            step.document["expect"] = wanted

    def _within(self, step: _Recorded) -> dict[str, int]:
        took_s = step.answered_s - step.began_s
        return {"within_s": math.ceil(2 * took_s)} if took_s > _PATIENCE_S else {}

    def _document(self, exchange: Exchange) -> JsonValue:
        found = exchange.answer_json[0] if exchange.answer_json else None
        return camel_answer(found) if isinstance(found, dict) else found

    def _stable_part(self, exchange: Exchange, document: JsonValue) -> dict[str, JsonValue]:
        own = _ACTORS_OWN.match(exchange.plain_path)
        is_own = (
            own is not None and self._names.knows(own[1]) and not exchange.plain_path.rstrip("/").endswith("/workers")
        )
        if isinstance(document, dict):
            part = self._stable.part(self._answering(exchange, document), own=is_own)
            return part if isinstance(part, dict) else {}
        text = self._stable.text(exchange.answer_text or "")
        return {} if isinstance(text, Missing) or document is not None else {"text": text}

    def _answering(self, exchange: Exchange, document: dict[str, JsonValue]) -> JsonValue:
        """An answer that repeats what was sent, without all the rest: defaults are each Abaco's own."""
        sent = exchange.sent_json[0] if exchange.sent_json else dict[str, JsonValue](exchange.form or ())
        result = document.get("result")
        if not isinstance(sent, dict) or not isinstance(result, dict):
            return document
        names = {name if self._case == "camel" else camel_name(name, exchange.path) for name in sent} & result.keys()
        return {**document, "result": {name: result[name] for name in result if name in names}} if names else document

    def _is_private(self, text: str) -> bool:
        default = self._credentials.default
        names_him = default is not None and re.search(rf"\b{re.escape(default)}\b", text, re.I) is not None
        return names_him or self._credentials.holds(text) or self._names.holds(text)


def _headers(exchange: Exchange) -> Iterator[tuple[str, str]]:
    """Those that a story must say: a token that does not count, which is anybody's, and an unusual content type."""
    if is_refused(exchange):
        yield "Authorization", f"Bearer {HIDDEN}"
    is_structured = exchange.sent_json is not None or exchange.form is not None
    is_binary = exchange.body and (exchange.text is None or exchange.sent_type == BINARY_TYPE)
    implied = exchange.sent_type if is_structured else BINARY_TYPE if is_binary else ""
    content_type = exchange.headers.get("content-type", "")
    if content_type and content_type != implied:
        yield "Content-Type", content_type


def _as_abacos(exchange: Exchange) -> Exchange:
    """An emulator's wait for the end of an execution, as the look at it that any Abaco has; all else as it is."""
    asked, found = exchange.query, exchange.answer_json
    is_wait = exchange.method == "GET" and exchange.plain_path == _WAIT and {"actor", "execution"} <= asked.keys()
    if not is_wait or exchange.status_code != HTTPStatus.OK or found is None or not isinstance(found[0], dict):
        return exchange
    content = json.dumps({name: value for name, value in found[0].items() if name != "message"}).encode()
    return replace(exchange, path=f"/actors/v2/{asked['actor']}/executions/{asked['execution']}", content=content)


def _clears_faults(exchange: Exchange) -> bool:
    return exchange.method == "DELETE" and exchange.plain_path.startswith(FAULTS)


def _moves(exchange: Exchange, document: JsonValue) -> bool:
    result = document.get("result") if isinstance(document, dict) else None
    return _MOVING.search(exchange.plain_path) is not None or (isinstance(result, dict) and "status" in result)
