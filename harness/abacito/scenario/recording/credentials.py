"""Whose token is whose in what is recorded, and which texts must never stand in a story."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from http import HTTPStatus

import jwt
from pydantic import JsonValue

from abacito.scenario.recording.exchange import Exchange
from abacito.scenario.step import NOBODY

HIDDEN = "(secret)"

# What stands before Abaco: who asks there shows his password, or is answered with a token.
_GATEWAY = re.compile(r"/(token|revoke|oauth2/.*|clients/v2.*|v3/oauth2/(tokens|clients).*|_abacito/tokens)/?$")
_SECRET_KEY = re.compile(
    r"pass(word|wd|phrase)?$|secret|token|credential|(api|private|consumer|client|access)_?key", re.I
)
_SETTING_KEY = re.compile(r"^(is|generate|default)_?[A-Z_]|^(isSecret|is_secret)$")
_ASSIGNED = re.compile(r"""((?:pass(?:word|wd)|secret|token|api_?key)["']?\s*[=:]\s*["']?)[^\s"'&,}]+""", re.I)
_BEARER = re.compile(r"(Bearer\s+)[\w.~+/=-]+", re.I)
_JWT = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*")
_SHORTEST = 4  # of a secret that is looked for: a shorter one is in every other line
_LONG = 12  # from here on it can be nothing else, so it is found within words, and in paths


class Credentials:
    """Learns from every exchange, in their order. The user of the first token is the one whom a story need not name."""

    def __init__(self) -> None:
        self._users: dict[str, str] = {}
        self._default: str | None = None
        self._secrets: set[str] = set()
        self._patterns: list[tuple[str, re.Pattern[str]]] = []
        self.named: list[str] = []

    @property
    def default(self) -> str | None:
        """The name of the first token's user."""
        return self._default

    def show_credentials(self, exchange: Exchange) -> bool:
        """Whether the request is about credentials: none of it goes into a story."""
        is_basic = exchange.headers.get("authorization", "").lower().startswith("basic ")
        return is_basic or _GATEWAY.match(exchange.plain_path) is not None

    def learn(self, exchange: Exchange) -> bool:
        """Note the tokens that it gives to whom, and every text in it that must not be shown; whether there are new."""
        before = len(self._secrets)
        self._secrets.update(text for text in _secrets_of(exchange) if len(text) >= _SHORTEST)
        if has_new := len(self._secrets) > before:
            longest_first = sorted(self._secrets, key=len, reverse=True)
            self._patterns = [(secret, _pattern(secret)) for secret in longest_first]
        if self.show_credentials(exchange):
            asked = dict(_fields(exchange))
            name = asked.get("username") or self._users.get(asked.get("refresh_token", ""))
            for key, text in _leaves(exchange.answer_json[0] if exchange.answer_json else None):
                if key.endswith("token") and (owner := name or _claimed(text)):
                    self._users[text] = owner
        return has_new

    def user(self, exchange: Exchange) -> str | None:
        """Whom the step is asked ``as``: None for the first token's user.

        A request without credentials that was answered well, and not by a nonce, is as good as his. A token that does
        not count, or not any more, is nobody's.
        """
        token = bearer(exchange)
        if is_refused(exchange):
            return NOBODY
        if token is None:
            is_open = exchange.status_code < 400 and "x-nonce" not in exchange.query
            return None if is_open else NOBODY
        name = self._users.setdefault(token, _claimed(token) or f"user{len(set(self._users.values())) + 1}")
        self._default = self._default or name
        if name == self._default:
            return None
        if name not in self.named:
            self.named.append(name)
        return name

    def holds(self, text: str) -> bool:
        """Whether something secret stands in the text."""
        return self.hide(text) != text

    def hide(self, text: str) -> str:
        """The text without what is secret in it."""
        for secret, pattern in self._patterns:
            if secret in text:
                text = pattern.sub(HIDDEN, text)
        return _JWT.sub(HIDDEN, _ASSIGNED.sub(rf"\1{HIDDEN}", _BEARER.sub(rf"\1{HIDDEN}", text)))

    def hide_path(self, path: str) -> str:
        """The path likewise; before its query only what is long, as a password may be a path's word as well."""
        plain, mark, query = path.partition("?")
        for secret in self._secrets:
            plain = plain.replace(secret, HIDDEN) if len(secret) >= _LONG else plain
        return _JWT.sub(HIDDEN, plain) + mark + self.hide(query)

    def hide_all(self, value: JsonValue) -> JsonValue:
        """The value with no secret in its strings, nor under a key that says that it is one."""
        if isinstance(value, str):
            return self.hide(value)
        if isinstance(value, list):
            return [self.hide_all(item) for item in value]
        if isinstance(value, dict):
            keys = secret_keys(value)
            return {key: HIDDEN if key in keys else self.hide_all(item) for key, item in value.items()}
        return value


def bearer(exchange: Exchange) -> str | None:
    """The token that the request was sent with, in either header."""
    scheme, _, token = exchange.headers.get("authorization", "").partition(" ")
    return (token.strip() if scheme.lower() == "bearer" else "") or exchange.headers.get("x-tapis-token") or None


def is_refused(exchange: Exchange) -> bool:
    """Whether it was sent with a token that does not count."""
    return bearer(exchange) is not None and exchange.status_code == HTTPStatus.UNAUTHORIZED


def secret_keys(value: dict[str, JsonValue]) -> set[str]:
    """The keys whose texts are secret, by their names; of a secret config its value."""
    found = {key for key, item in value.items() if isinstance(item, str) and _is_secret(key, item)}
    is_config = str(value.get("isSecret", value.get("is_secret"))).lower() == "true"
    return found | ({"value"} & value.keys() if is_config else set())


def _is_secret(key: str, text: str) -> bool:
    says_so = _SECRET_KEY.search(key) is not None and _SETTING_KEY.search(key) is None
    return says_so and text.lower() not in ("", "true", "false")


def _pattern(secret: str) -> re.Pattern[str]:
    text = re.escape(secret)
    return re.compile(text if len(secret) >= _LONG else rf"(?<![A-Za-z0-9]){text}(?![A-Za-z0-9])")


def _secrets_of(exchange: Exchange) -> Iterator[str]:
    if (token := bearer(exchange)) is not None:
        yield token
    yield from _basic(exchange)
    form: JsonValue = dict(exchange.form or ())
    for value in (form, *(exchange.sent_json or ()), *(exchange.answer_json or ())):
        yield from _secret_leaves(value)


def _basic(exchange: Exchange) -> Iterator[str]:
    scheme, _, text = exchange.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        yield text.strip()
        try:
            yield base64.b64decode(text).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return  # as it came is all there is of it


def _secret_leaves(value: JsonValue) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (str(value[key]) for key in secret_keys(value))
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _secret_leaves(item)


def _fields(exchange: Exchange) -> Iterator[tuple[str, str]]:
    yield from exchange.form or ()
    yield from _leaves(exchange.sent_json[0] if exchange.sent_json else None)
    yield from _leaves(exchange.answer_json[0] if exchange.answer_json else None, {"username"})


def _leaves(value: JsonValue, wanted: set[str] | None = None) -> Iterator[tuple[str, str]]:
    if not isinstance(value, dict):
        return
    for key, item in value.items():
        if isinstance(item, str) and (wanted is None or key in wanted):
            yield key, item
        yield from _leaves(item, wanted)


def _claimed(token: str) -> str | None:
    """Whom a token names that is a JWT; its signature is not ours to check."""
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except jwt.PyJWTError:
        return None
    name = claims.get("tapis/username") or str(claims.get("sub", "")).partition("@")[0]
    return str(name) or None
