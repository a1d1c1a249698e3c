"""Small HTTP servers of the tests' own, on this machine."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """The base URL of a server that answers with this, and logs nothing; at the end it stops, and is waited for."""
    quiet = type(handler.__name__, (handler,), {"log_message": lambda *_: None})
    with ThreadingHTTPServer(("127.0.0.1", 0), quiet) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@dataclass
class Reply:
    """An answer on its way through a ``front``."""

    status: int
    content_type: str
    body: bytes

    @property
    def json(self) -> Any:
        """Its body, which is JSON."""
        return json.loads(self.body)

    @json.setter
    def json(self, document: Any) -> None:
        self.body = json.dumps(document).encode()


def as_it_is(line: str, reply: Reply) -> None:
    """Alters nothing."""


@contextmanager
def front(url: str, alter: Callable[[str, Reply], None] = as_it_is, *, is_live: bool = False) -> Iterator[str]:
    """The base URL of a server that passes all on to the one at ``url``, and alters its answers.

    ``line`` is the request's, ``GET /actors/v2``. ``is_live``: it has nothing of an emulator's own, as a live Abaco.
    """

    class Front(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if is_live and self.path.startswith("/_abacito"):
                self.send_error(404)
                return
            reply = _passed_on(self, url)
            alter(f"{self.command} {self.path}", reply)
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.content_type)
            self.send_header("Access-Control-Allow-Origin", "*")
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815  http.server calls them so

    with serving(Front) as base_url:
        yield base_url


def _passed_on(asked: BaseHTTPRequestHandler, url: str) -> Reply:
    headers = {name: asked.headers[name] for name in ("Authorization", "Content-Type") if name in asked.headers}
    body = asked.rfile.read(int(asked.headers.get("Content-Length", 0)))
    with requests.Session() as session:
        session.trust_env = False
        answer = session.request(asked.command, url + asked.path, data=body, headers=headers, timeout=60)
    return Reply(answer.status_code, answer.headers.get("Content-Type", ""), answer.content)
