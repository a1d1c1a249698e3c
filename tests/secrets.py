"""Greps everything that is logged while the tests run for what must not stand there: tokens, nonces, passwords."""

from __future__ import annotations

import base64
import binascii
import json
import logging
from collections.abc import Iterator
from typing import Any

from flask import Flask, Request, Response, request

#: Fields of answers and bodies that hold secrets, in every spelling.
_FIELDS = frozenset(
    {
        *("access_token", "refresh_token", "token", "assertion", "password"),
        *("secret", "consumerSecret", "client_secret", "client_key"),
    }
)
#: Shorter ones stand in many a word: a test's password may be "p".
_SHORTEST = 8


class Grep(logging.Handler):
    """Collects the secrets that any app of this process is sent or gives, and all that is logged.

    ``look`` is a receiver of ``request_finished``.
    """

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._secrets: set[str] = set()
        self._lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line, with its traceback."""
        self._lines.append(self.format(record))

    def look(self, app: Flask, response: Response) -> None:
        """Keep the secrets of one request and its answer, within that request."""
        if "abacito" in app.extensions:
            found = {*_shown(request), *_answered(request, response)}
            if response.status_code < 400:  # the body of a refused request may be too long or too deep to be read
                found |= set(_sent(request))
            self._secrets |= {secret for secret in found if len(secret) >= _SHORTEST}

    def found(self) -> list[str]:
        """The lines since the last call that hold a secret known by now."""
        lines, self._lines = self._lines, []
        secrets, self._secrets = self._secrets, set()
        text = "\n".join(lines)
        held = [secret for secret in secrets if secret in text]
        return [line for line in lines if any(secret in line for secret in held)]


def _shown(asked: Request) -> Iterator[str]:
    scheme, _, given = asked.headers.get("Authorization", "").partition(" ")
    yield _password(given) if scheme.lower() == "basic" else given
    yield asked.headers.get("X-Tapis-Token", "")
    yield asked.args.get("x-nonce", "")


def _sent(asked: Request) -> Iterator[str]:
    yield from (text for name, text in asked.form.items() if name in _FIELDS)
    body = asked.get_json(silent=True) if asked.is_json else None
    yield from _of(body)
    if isinstance(body, dict) and (body.get("isSecret") or body.get("is_secret")):
        yield str(body.get("value", ""))


def _answered(asked: Request, response: Response) -> Iterator[str]:
    if response.content_type != "application/json":
        return
    body = json.loads(response.get_data())
    yield from _of(body)
    if "/nonces" in asked.path and isinstance(body, dict):
        listed = body.get("result")
        for nonce in listed if isinstance(listed, list) else [listed]:
            yield str(nonce.get("id", "")) if isinstance(nonce, dict) else ""


def _of(value: Any) -> Iterator[str]:
    """Every text in a field of a secret's name, at every depth."""
    if isinstance(value, dict):
        for name, each in value.items():
            if name in _FIELDS and isinstance(each, str):
                yield each
            yield from _of(each)
    elif isinstance(value, list):
        for each in value:
            yield from _of(each)


def _password(basic: str) -> str:
    try:
        return base64.b64decode(basic).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""
