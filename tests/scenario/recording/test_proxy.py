from __future__ import annotations

import http.client
import json
import logging
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import requests
from tests.serving import serving

from abacito.abaco.errors import Unavailable
from abacito.scenario.recording.exchange import Exchange
from abacito.scenario.recording.proxy import Proxy

if TYPE_CHECKING:
    from tests.scenario.conftest import Canned


@pytest.fixture
def noted() -> list[Exchange]:
    return []


@pytest.fixture
def proxy(canned: Canned, noted: list[Exchange]) -> Iterator[Proxy]:
    with Proxy(canned.url, "127.0.0.1", 0, None, noted.append) as proxy:
        yield proxy


@pytest.fixture
def guarded(canned: Canned, noted: list[Exchange]) -> Iterator[Proxy]:
    """One that has a token for those who have none."""
    with Proxy(canned.url, "127.0.0.1", 0, "its-own", noted.append) as proxy:
        yield proxy


def ask(proxy: Proxy, method: str, path: str, **arguments: object) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        return session.request(method, proxy.url + path, timeout=20, **arguments)  # type: ignore[arg-type]


def by_hand(proxy: Proxy, request: bytes) -> bytes:
    """What is answered to these bytes until the connection ends."""
    where = urlsplit(proxy.url)
    with socket.create_connection((where.hostname, where.port or 0), 20) as sock:
        sock.sendall(request)
        return b"".join(iter(lambda: sock.recv(65_536), b""))


def test_a_request_goes_on_as_it_came_and_its_answer_comes_back(canned: Canned, proxy: Proxy) -> None:
    canned.raw("PUT /odd//p%20ath?a=%20b&c", "text/x-own", b"\x00answer", 418)

    answer = ask(proxy, "PUT", "", data=b"\xffbody", headers={"X-Own": "1", "Authorization": "Bearer t"})
    assert answer.status_code == 404
    found = by_hand(
        proxy,
        b"PUT /odd//p%20ath?a=%20b&c HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nConnection: close\r\n\r\n\xffbody",
    )

    assert found.startswith(b"HTTP/1.1 418 ")
    assert found.endswith(b"\r\n\r\n\x00answer")
    first, second = canned.asked
    assert (first.body, first.headers["x-own"], first.headers["authorization"]) == (b"\xffbody", "1", "Bearer t")
    assert (second.line, second.body) == ("PUT /odd//p%20ath?a=%20b&c", b"\xffbody")
    assert second.headers["host"] == urlsplit(canned.url).netloc


def test_an_exchange_is_noted_whole_before_the_client_goes_on(
    canned: Canned, proxy: Proxy, noted: list[Exchange]
) -> None:
    canned.answer("POST /x?a=1", {"id": 1}, status=201)

    ask(proxy, "POST", "/x?a=1", json={"n": 1})

    (exchange,) = noted
    assert (exchange.method, exchange.path, exchange.status_code) == ("POST", "/x?a=1", 201)
    assert exchange.sent_json == ({"n": 1},)
    assert exchange.content_type == "application/json"
    assert json.loads(exchange.content)["result"] == {"id": 1}
    assert exchange.answered_s >= exchange.asked_s


def test_a_body_in_chunks_arrives_whole(canned: Canned, proxy: Proxy) -> None:
    ask(proxy, "POST", "/x", data=iter([b"one ", b"two"]))

    assert canned.asked[0].body == b"one two"


def test_a_client_may_take_it_for_its_proxy(canned: Canned, proxy: Proxy) -> None:
    canned.answer("GET /x", 1)

    answer = requests.get("http://any.name/x", proxies={"http": proxy.url}, timeout=20)

    assert answer.json()["result"] == 1


def test_many_requests_come_on_one_connection(canned: Canned, proxy: Proxy, noted: list[Exchange]) -> None:
    canned.answer("GET /x", 1)
    connection = http.client.HTTPConnection(urlsplit(proxy.url).netloc, timeout=20)

    for method in ("GET", "HEAD", "GET"):
        connection.request(method, "/x")
        if method == "GET":
            assert json.loads(connection.getresponse().read())["result"] == 1
        else:
            connection.getresponse().read()
    connection.close()

    assert [exchange.method for exchange in noted] == ["GET", "HEAD", "GET"]


class _InChunks(BaseHTTPRequestHandler):
    """Sends half of its answer, and the rest when it is asked for ``/go-on``."""

    protocol_version = "HTTP/1.1"
    turn: list[socket.socket]

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"5\r\nfirst\r\n")
        self.wfile.flush()
        self.turn[0].recv(1)
        self.wfile.write(b"4\r\nlast\r\n0\r\n\r\n")


def test_an_answer_comes_as_it_arrives_and_is_noted_at_its_end(noted: list[Exchange]) -> None:
    ours, theirs = socket.socketpair()
    handler = type("Handler", (_InChunks,), {"turn": [theirs]})
    with ours, theirs, serving(handler) as url, Proxy(url, "127.0.0.1", 0, None, noted.append) as proxy:
        connection = http.client.HTTPConnection(urlsplit(proxy.url).netloc, timeout=20)
        connection.request("GET", "/log")
        answer = connection.getresponse()

        assert answer.read(5) == b"first"
        assert noted == []
        ours.send(b"x")
        assert answer.read() == b"last"
        connection.close()

    assert [exchange.content for exchange in noted] == [b"firstlast"]


def test_an_answer_that_does_not_end_does_not_hold_up_the_end(noted: list[Exchange]) -> None:
    ours, theirs = socket.socketpair()
    handler = type("Handler", (_InChunks,), {"turn": [theirs]})
    with ours, theirs, serving(handler) as url:
        with Proxy(url, "127.0.0.1", 0, None, noted.append) as proxy:
            connection = http.client.HTTPConnection(urlsplit(proxy.url).netloc, timeout=20)
            connection.request("GET", "/log")
            connection.getresponse().read(5)
        assert noted == []
        ours.send(b"x")
        connection.close()


@pytest.mark.parametrize(
    ("path", "headers", "sent"),
    [
        ("/x", {}, "Bearer its-own"),
        ("/x", {"Authorization": "Bearer mine"}, "Bearer mine"),
        ("/x", {"X-Tapis-Token": "mine"}, None),
        ("/x?x-nonce=n", {}, None),
        ("/x", {"Host": "rebound.example"}, None),
        ("/x", {"Origin": "http://elsewhere.example"}, None),
    ],
)
def test_a_token_is_given_to_those_here_who_say_nothing_of_who_asks(
    canned: Canned, guarded: Proxy, path: str, headers: dict[str, str], sent: str | None
) -> None:
    ask(guarded, "GET", path, headers=headers)

    assert canned.asked[0].headers.get("authorization") == sent


def test_cookies_are_the_clients_own(noted: list[Exchange]) -> None:
    came: list[str | None] = []

    class Baker(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            came.append(self.headers.get("Cookie"))
            self.send_response(200)
            self.send_header("Set-Cookie", "a=1")
            self.send_header("Content-Length", "0")
            self.end_headers()

    with serving(Baker) as url, Proxy(url, "127.0.0.1", 0, None, noted.append) as proxy:
        assert ask(proxy, "GET", "/x", headers={"Cookie": "b=2"}).headers["Set-Cookie"] == "a=1"
        ask(proxy, "GET", "/x")

    assert came == ["b=2", None]


@pytest.mark.parametrize("length", [b"Content-Length: many", b"Transfer-Encoding: chunked"])
def test_a_body_that_cannot_be_read_is_refused(canned: Canned, proxy: Proxy, length: bytes) -> None:
    found = by_hand(proxy, b"POST /x HTTP/1.1\r\nHost: x\r\n" + length + b"\r\n\r\nzz\r\n")

    assert found.startswith(b"HTTP/1.1 400 ")
    assert canned.asked == []


def test_a_target_that_has_gone_is_told_and_not_noted(noted: list[Exchange], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "abacito")
    with Proxy("http://127.0.0.1:9", "127.0.0.1", 0, None, noted.append) as proxy:
        answer = ask(proxy, "GET", "/x?token=t")

    assert (answer.status_code, answer.json()["status"]) == (502, "error")
    assert noted == []
    assert "GET /x is not recorded: no answer from the target" in caplog.text


def test_an_answer_that_breaks_off_is_not_noted(noted: list[Exchange]) -> None:
    class Short(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "10")
            self.end_headers()
            self.wfile.write(b"short")

    with serving(Short) as url, Proxy(url, "127.0.0.1", 0, None, noted.append) as proxy:
        found = by_hand(proxy, b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")

    assert found.endswith(b"\r\n\r\nshort")
    assert noted == []


def test_a_taken_port_is_unavailable(proxy: Proxy, canned: Canned) -> None:
    with pytest.raises(Unavailable, match="choose another port, or 0 for a free one"):
        Proxy(canned.url, "127.0.0.1", urlsplit(proxy.url).port or 0, None, print)
