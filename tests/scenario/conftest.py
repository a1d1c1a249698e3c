"""A small HTTP server that plays canned answers, and remembers what it was asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from tests.serving import serving


@dataclass
class Asked:
    """One request that arrived."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Canned:
    """The server's side: ``answers`` by request line, the last of each list for ever, each once ``hold`` lets go."""

    url: str = ""
    hold: Callable[[], object] = bool
    answers: dict[str, list[tuple[int, str, bytes]]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def answer(self, line: str, *results: Any, status: int = 200) -> None:
        """Envelopes with these results, one for each time that the line is asked."""
        for result in results:
            word = "success" if status < 400 else "error"
            message = "fine" if status < 400 else "not fine"
            envelope = {"status": word, "message": message, "result": result, "version": "t"}
            self.raw(line, "application/json", json.dumps(envelope).encode(), status)

    def raw(self, line: str, content_type: str, content: bytes, status: int = 200) -> None:
        """One answer without an envelope."""
        self.answers.setdefault(line, []).append((status, content_type, content))

    def next(self, line: str) -> tuple[int, str, bytes]:
        found = self.answers.get(line, [(404, "text/plain", b"nothing canned")])
        return found.pop(0) if len(found) > 1 else found[0]

    @property
    def lines(self) -> list[str]:
        return [asked.line for asked in self.asked]


class _Handler(BaseHTTPRequestHandler):
    canned: Canned

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        line = f"{self.command} {self.path}"
        self.canned.asked.append(Asked(line, {k.lower(): v for k, v in self.headers.items()}, body))
        self.canned.hold()
        status, content_type, content = self.canned.next(line)
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 - as the standard library calls them


@pytest.fixture
def canned() -> Iterator[Canned]:
    canned = Canned()
    handler = type("Handler", (_Handler,), {"canned": canned})
    with serving(handler) as canned.url:
        yield canned
