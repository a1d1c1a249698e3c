"""One port for every client: plain, in absolute form, through CONNECT; and TLS on a port of its own."""

from __future__ import annotations

import gc
import http.client
import io
import json
import os
import select
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from cryptography.x509 import load_pem_x509_certificate
from freezegun import freeze_time

from abacito.abaco.errors import Misconfigured
from abacito.abaco.time import real_monotonic
from abacito.api.certificates import Authority
from abacito.api.server import Scheme, Server
from abacito.api.tls import Tls, make_file
from abacito.settings import Settings
from tests.api.conftest import Api

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

LECTURE = ("api.tacc.utexas.edu", "api.tacc.cloud")
HOSTS = ("localhost", "127.0.0.1", *LECTURE, "tacc.tapis.io")

# More than the server has threads: who holds one each would hold up everybody.
CROWD = 70


def echo(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    """What the application is told of a request."""
    body = environ["wsgi.input"].read()
    names = ("REQUEST_METHOD", "wsgi.url_scheme", "HTTP_HOST", "PATH_INFO", "QUERY_STRING", "REMOTE_PORT")
    text = json.dumps({name: environ.get(name) for name in names} | {"length": len(body)}).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(text)))])
    return [text]


@dataclass
class Proxy:
    """A server of its own, and clients of it that are closed with it."""

    scheme: Scheme = "http"
    tls: Tls | None = field(default_factory=lambda: Tls(Authority(), frozenset(HOSTS)))
    port: int = 0
    open: ExitStack = field(default_factory=ExitStack)

    def connect(self) -> socket.socket:
        """A connection on which nothing has been said."""
        sock = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        return self.open.enter_context(sock)

    def say(self, text: bytes, sock: socket.socket | None = None) -> Answer:
        """What is answered to these bytes."""
        sock = sock or self.connect()
        sock.sendall(text)
        return Answer.read(sock)

    def opened(self, target: str = "api.tacc.cloud:443") -> socket.socket:
        """A connection after a CONNECT that was granted: the next bytes are to be TLS."""
        sock = self.connect()
        sock.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
        assert head(sock) == b"HTTP/1.1 200 Connection established\r\n\r\n"
        return sock

    def trusting(self) -> ssl.SSLContext:
        """What a client verifies with that trusts our authority, as strictly as it can be done."""
        assert self.tls is not None
        context = ssl.create_default_context(cadata=self.tls.authority.ca_pem)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    def secure(self, sock: socket.socket, host: str = "api.tacc.cloud") -> ssl.SSLSocket:
        """TLS to this host on a connection, verified."""
        return self.open.enter_context(self.trusting().wrap_socket(sock, server_hostname=host))

    def tunnel(self, host: str = "api.tacc.cloud") -> ssl.SSLSocket:
        """TLS to this host inside a CONNECT."""
        return self.secure(self.opened(f"{host}:443"), host)


@dataclass
class Answer:
    status: int
    body: bytes

    @classmethod
    def read(cls, sock: socket.socket) -> Answer:
        response = http.client.HTTPResponse(sock)
        response.begin()
        return cls(response.status, response.read())

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def head(sock: socket.socket) -> bytes:
    """What comes up to an empty line, and no byte more."""
    text = b""
    while not text.endswith(b"\r\n\r\n"):
        text += sock.recv(1) or pytest.fail(f"the connection ended after {text!r}")
    return text


GET = b"GET /actors/v2 HTTP/1.1\r\nHost: h\r\n\r\n"


@contextmanager
def running(scheme: Scheme = "http", app: WSGIApplication = echo, **fields: Any) -> Iterator[Proxy]:
    proxy = Proxy(scheme, **fields)
    server = Server(app, "127.0.0.1", 0, proxy.tls, scheme)
    proxy.port = server.bind()
    server.start()
    try:
        with proxy.open:
            yield proxy
    finally:
        server.stop()


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with running() as found:
        yield found


@pytest.fixture(params=["CONNECT", "https"])
def secured(request: pytest.FixtureRequest) -> Iterator[tuple[Proxy, Callable[[], socket.socket]]]:
    """A server, and how to get a connection to it on which TLS is to come next."""
    with running("http" if request.param == "CONNECT" else "https") as found:
        yield found, found.opened if request.param == "CONNECT" else found.connect


def by_curl(url: str, proxy: str, ca: Path, token: str) -> Any:
    command = ["curl", "-sS", "--max-time", "30", "--cacert", str(ca), "-H", f"Authorization: Bearer {token}", url]
    done = subprocess.run(command, env={"https_proxy": proxy}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def by_requests(url: str, proxy: str, ca: Path, token: str) -> Any:
    with requests.Session() as session:
        session.trust_env = False
        headers = {"Authorization": f"Bearer {token}"}
        return session.get(url, headers=headers, proxies={"https": proxy}, verify=str(ca), timeout=30).json()


CLIENTS = [by_requests, *([by_curl] if shutil.which("curl") else [])]


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("host", LECTURE)
def test_the_lectures_addresses_answer_through_the_proxy_as_the_plain_one(
    api: Api, tmp_path: Path, host: str, client: Callable[..., Any]
) -> None:
    """spec: clients #1"""
    actor = api.actor()
    (tmp_path / "ca.pem").write_text(api.emulator.ca_pem)

    for path in ("/actors/v2", f"/actors/v2/{actor}"):
        answer = client(f"https://{host}{path}", api.emulator.url, tmp_path / "ca.pem", api.emulator.token)

        assert answer == api.send("GET", path).json()
        assert answer["status"] == "success"


@pytest.mark.parametrize("path", ["/actors", "/actors/v2", "//actors", "/actors/", "/actors//v2/"])
def test_both_roots_and_doubled_slashes_are_the_same_place_in_a_tunnel_too(api: Api, tmp_path: Path, path: str) -> None:
    """spec: clients #5"""
    api.actor()
    (tmp_path / "ca.pem").write_text(api.emulator.ca_pem)

    answer = by_requests(f"https://api.tacc.cloud{path}", api.emulator.url, tmp_path / "ca.pem", api.emulator.token)

    assert answer == api.send("GET", "/actors").json()


def test_tenants_carry_the_scheme_and_host_by_which_the_request_came(api: Api, tmp_path: Path) -> None:
    """spec: clients #6 (``_links``: test_links; ``_abaco_api_server``: test_running)"""
    (tmp_path / "ca.pem").write_text(api.emulator.ca_pem)
    plain = api.send("GET", "/tenants", user=None).json()["result"]
    tunneled = by_requests("https://api.tacc.cloud/tenants", api.emulator.url, tmp_path / "ca.pem", "")["result"]
    absolute = requests.get("http://any.name/tenants", proxies={"http": api.emulator.url}, timeout=30).json()["result"]

    assert {each["baseUrl"] for each in plain} == {api.emulator.url}
    assert {each["baseUrl"] for each in tunneled} == {"https://api.tacc.cloud"}
    assert {each["baseUrl"] for each in absolute} == {"http://any.name"}


def test_an_absolute_target_is_answered_as_if_sent_directly(api: Api) -> None:
    """spec: clients #3"""
    api.actor()
    headers = {"Authorization": f"Bearer {api.emulator.token}"}

    answer = requests.get(
        "http://any.name/actors/v2?limit=5", headers=headers, proxies={"http": api.emulator.url}, timeout=30
    )

    assert (answer.status_code, answer.json()) == (200, api.send("GET", "/actors/v2?limit=5").json())


@pytest.mark.parametrize(
    ("method", "target", "host", "path", "query"),
    [
        ("GET", "http://any.name/actors/v2?a=b", "any.name", "/actors/v2", "a=b"),
        ("GET", "HTTP://user:word@any.name:81//actors", "any.name:81", "/actors", ""),
        ("OPTIONS", "http://any.name/actors", "any.name", "/actors", ""),
        ("GET", "http://any.name", "any.name", "/", ""),
        ("GET", "http://any.name?a=b", "any.name", "/", "a=b"),
        ("GET", "//actors", "other", "/actors", ""),
    ],
)
def test_the_host_of_an_absolute_target_counts_over_the_header(
    proxy: Proxy, method: str, target: str, host: str, path: str, query: str
) -> None:
    answer = proxy.say(f"{method} {target} HTTP/1.1\r\nHost: other\r\n\r\n".encode()).json

    assert (answer["HTTP_HOST"], answer["PATH_INFO"], answer["QUERY_STRING"]) == (host, path, query)
    assert (answer["REQUEST_METHOD"], answer["wsgi.url_scheme"]) == (method, "http")


_noted: list[tuple[str, tuple[object, ...]]] = []


def _note(event: str, arguments: tuple[object, ...]) -> None:
    """Python's audit hooks stay for good; this one writes down what the server's threads ask of the network."""
    if event.startswith("socket.") and threading.current_thread().name.startswith(("CP Server", "abacito-server")):
        _noted.append((event, arguments))


sys.addaudithook(_note)


@pytest.mark.parametrize(
    "target",
    ["pypi.org:443", "www.google-analytics.com:443", "api.tacc.cloud:80", "api.tacc.cloud:8443", "[::1]:443"],
)
def test_whom_we_do_not_impersonate_nobody_reaches(proxy: Proxy, target: str) -> None:
    """spec: clients #2"""
    proxy.say(GET)
    _noted.clear()
    began = real_monotonic()

    answer = proxy.say(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())

    assert real_monotonic() - began < 1
    assert answer.status == 502
    assert target in answer.json["message"]
    assert "nothing is forwarded" in answer.json["message"]
    assert (answer.json["status"], answer.json["result"]) == ("error", None)
    left = {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.sendmsg"}
    assert [note for note in _noted if note[0] in left] == []


def test_the_server_that_impersonates_nobody_refuses_every_connect() -> None:
    with running(tls=None) as proxy:
        assert proxy.say(b"CONNECT api.tacc.cloud:443 HTTP/1.1\r\n\r\n").status == 502


@pytest.mark.parametrize("target", ["api.tacc.cloud", "api.tacc.cloud:x", "/actors", "http://api.tacc.cloud:443"])
def test_what_is_no_host_and_port_cannot_be_connected_to(proxy: Proxy, target: str) -> None:
    answer = proxy.say(f"CONNECT {target} HTTP/1.1\r\nHost: h\r\n\r\n".encode())

    assert answer.status == 400
    assert answer.json["status"] == "error"


def test_the_letters_of_a_host_do_not_matter(proxy: Proxy) -> None:
    assert proxy.say(GET, proxy.secure(proxy.opened("API.Tacc.Cloud:443"))).status == 200


def test_there_is_no_tunnel_inside_a_tunnel(proxy: Proxy) -> None:
    assert proxy.say(b"CONNECT api.tacc.cloud:443 HTTP/1.1\r\n\r\n", proxy.tunnel()).status == 502


def test_tls_that_does_not_wait_for_the_answer_is_refused(proxy: Proxy) -> None:
    answer = proxy.say(b"CONNECT api.tacc.cloud:443 HTTP/1.1\r\n\r\n" + hello())

    assert (answer.status, "after the answer" in answer.json["message"]) == (400, True)


@pytest.mark.parametrize("host", HOSTS)
def test_the_certificate_verifies_for_every_name_in_a_tunnel(proxy: Proxy, host: str) -> None:
    """spec: clients #4"""
    answer = proxy.say(b"GET /a HTTP/1.1\r\nHost: " + host.encode() + b"\r\n\r\n", proxy.tunnel(host)).json

    assert (answer["wsgi.url_scheme"], answer["HTTP_HOST"]) == ("https", host)


@pytest.mark.parametrize("host", HOSTS)
def test_the_certificate_verifies_for_every_name_on_the_https_port(host: str) -> None:
    """spec: clients #4"""
    with running("https") as proxy:
        answer = proxy.say(GET, proxy.secure(proxy.connect(), host)).json

    assert answer["wsgi.url_scheme"] == "https"


def test_the_certificate_is_for_nobody_else(proxy: Proxy) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        proxy.secure(proxy.opened(), "pypi.org")


def test_who_does_not_trust_our_authority_refuses_us(proxy: Proxy) -> None:
    stranger = ssl.create_default_context(cadata=Authority().ca_pem)

    with proxy.opened() as sock, pytest.raises(ssl.SSLCertVerificationError):
        stranger.wrap_socket(sock, server_hostname="api.tacc.cloud")
    assert proxy.say(GET, proxy.tunnel()).status == 200


def test_certificates_are_valid_now_whatever_a_test_does_to_pythons_clock() -> None:
    with freeze_time("2001-01-01"):
        pem = Authority().ca_pem
    certificate, now = load_pem_x509_certificate(pem.encode()), datetime.now(UTC)

    assert now - timedelta(days=2) < certificate.not_valid_before_utc < now
    assert timedelta(days=729) < certificate.not_valid_after_utc - now < timedelta(days=731)


def test_no_key_is_left_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    Authority().server_context(["any.name"])

    assert list(tmp_path.iterdir()) == []


def test_an_authority_asked_from_many_threads_is_one() -> None:
    authority, found = Authority(), set[str]()
    threads = [threading.Thread(target=lambda: found.add(authority.ca_pem)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 1
    assert authority.server_context(["a", "b"]) is authority.server_context(["B", "a"])


def test_a_host_that_is_no_name_is_a_wrong_setting() -> None:
    with pytest.raises(Misconfigured, match="impersonated_hosts"):
        Settings.read(impersonated_hosts=["https://api.tacc.cloud"])


def test_a_tunnel_is_kept_for_many_requests(proxy: Proxy) -> None:
    tunnel = proxy.tunnel()

    answers = [proxy.say(GET, tunnel).json for _ in range(5)]

    assert len({answer["REMOTE_PORT"] for answer in answers}) == 1
    assert answers[0]["REMOTE_PORT"] == str(tunnel.getsockname()[1])


def test_requests_that_come_in_one_record_are_all_answered(proxy: Proxy) -> None:
    """What TLS has deciphered is no longer seen on the socket."""
    tunnel = proxy.tunnel()
    # As long as what the server reads at once: the rest stays behind in TLS.
    first = b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 8000\r\nX: ".ljust(io.DEFAULT_BUFFER_SIZE - 8004, b"x")
    tunnel.sendall(first + b"\r\n\r\n" + bytes(8000) + GET + GET)

    stream = tunnel.makefile("rb")
    lengths = [json.loads(_body(stream))["length"] for _ in range(3)]

    assert lengths == [8000, 0, 0]
    stream.close()


def _body(stream: io.BufferedReader) -> bytes:
    length = 0
    while (line := stream.readline()) != b"\r\n":
        assert line, "the connection ended"
        name, _, text = line.partition(b":")
        length = int(text) if name == b"Content-Length" else length
    return stream.read(length)


def test_a_long_body_goes_through_a_tunnel(proxy: Proxy) -> None:
    text = b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3000000\r\n\r\n" + bytes(3_000_000)

    assert proxy.say(text, proxy.tunnel()).json["length"] == 3_000_000


def test_the_end_of_a_tunnel_is_told_in_tls(proxy: Proxy) -> None:
    """Without it, clients take a cut connection for an attack."""
    context = proxy.trusting()
    raw = proxy.opened()
    tunnel = context.wrap_socket(raw, server_hostname="api.tacc.cloud", suppress_ragged_eofs=False)
    with tunnel:
        assert proxy.say(b"GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", tunnel).status == 200

        assert tunnel.recv(1) == b""


@pytest.mark.parametrize("kept", [20, CROWD])
def test_many_tunnels_at_once_are_served_and_kept(proxy: Proxy, kept: int) -> None:
    tunnels = [proxy.tunnel() for _ in range(kept)]

    for _ in range(2):
        for tunnel in tunnels:
            tunnel.sendall(GET)
        assert [Answer.read(tunnel).status for tunnel in tunnels] == [200] * kept


def test_sixty_requests_are_answered_at_the_same_time() -> None:
    """As many synchronous calls may be held."""
    everybody = threading.Barrier(60, timeout=30)

    def together(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        everybody.wait()
        return echo(environ, start_response)

    with running(app=together) as proxy:
        clients = [proxy.connect() for _ in range(60)]
        for client in clients:
            client.sendall(GET)

        assert [Answer.read(client).status for client in clients] == [200] * 60


def descriptors() -> int:
    return len(os.listdir("/dev/fd"))  # noqa: PTH208 # a path of the kernel's, whose own descriptor counts alike each time


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_no_thread_and_no_descriptor_is_left_after_stop(scheme: Scheme) -> None:
    proxy = Proxy(scheme)
    threads, before = set(threading.enumerate()), descriptors()
    server = Server(echo, "127.0.0.1", 0, proxy.tls, scheme)
    proxy.port = server.bind()
    server.start()
    with proxy.open:
        tunnels = [proxy.tunnel() if scheme == "http" else proxy.secure(proxy.connect()) for _ in range(20)]
        assert {proxy.say(GET, tunnel).status for tunnel in tunnels} == {200}
        for begun in (b"", hello()[:50]):
            (proxy.opened() if scheme == "http" else proxy.connect()).sendall(begun)

        server.stop()

        assert [thread for thread in threading.enumerate() if thread not in threads] == []
        assert {tunnel.recv(1) for tunnel in tunnels} == {b""}
    assert descriptors() == before


def hello() -> bytes:
    """A client's first words in TLS."""
    said = ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), said, server_hostname="api.tacc.cloud")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return said.read()


@pytest.mark.parametrize("said", [b"", hello()[:3], hello()[:100]], ids=["nothing", "3 bytes", "half"])
def test_a_crowd_that_begins_no_tls_holds_up_nobody(
    secured: tuple[Proxy, Callable[[], socket.socket]], said: bytes
) -> None:
    proxy, connect = secured
    for _ in range(CROWD):
        connect().sendall(said)
    began = real_monotonic()

    assert proxy.say(GET, proxy.secure(connect())).status == 200
    assert real_monotonic() - began < 5


def test_a_crowd_that_says_nothing_holds_up_nobody(proxy: Proxy) -> None:
    for _ in range(CROWD):
        proxy.connect()
    began = real_monotonic()

    assert proxy.say(GET).status == 200
    assert real_monotonic() - began < 5


def hang_up(sock: socket.socket) -> None:
    """End a connection as a process does that is killed."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


@pytest.mark.parametrize("end", [hang_up, socket.socket.close])
def test_who_breaks_off_harms_nobody(
    secured: tuple[Proxy, Callable[[], socket.socket]],
    end: Callable[[socket.socket], None],
    capfd: pytest.CaptureFixture[str],
) -> None:
    proxy, connect = secured
    for said in (b"", hello()[:100], hello(), b"\0" * 100):
        sock = connect()
        sock.sendall(said)
        end(sock)
    for said in (b"", b"GET /act", b"POST /a HTTP/1.1\r\nContent-Length: 9\r\n\r\nab"):
        client = proxy.secure(connect())
        client.sendall(said)
        end(client)

    assert proxy.say(GET, proxy.secure(connect())).status == 200
    assert "Traceback" not in capfd.readouterr().err


def test_tls_on_the_connection_of_a_client_that_has_gone_fails_in_its_handshake_only() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        hang_up(client := socket.create_connection(server.getsockname()))
        served, _ = server.accept()
        reset = select.poll()
        reset.register(served, 0)  # an error is always told
        assert reset.poll(20_000)

    with Tls().wrap(served) as wrapped:
        assert client.fileno() == served.fileno() == -1
        with pytest.raises(OSError, match=r"reset|pipe|not connected"):
            wrapped.shake_hands()


def test_an_answer_that_a_stop_overtakes_still_goes_in_tls(proxy: Proxy) -> None:
    """A server that stops takes no more from connections whose answer takes long."""
    assert proxy.tls is not None
    ours, theirs = socket.socketpair()
    client = proxy.trusting().wrap_socket(theirs, server_hostname="localhost", do_handshake_on_connect=False)
    other = threading.Thread(target=client.do_handshake)
    with proxy.tls.wrap(ours) as served, client:
        other.start()
        arrived = select.poll()
        arrived.register(served, select.POLLIN)
        while not served.is_established and arrived.poll(20_000):
            served.shake_hands()
        other.join()

        served.shutdown(socket.SHUT_RD)
        served.sendall(b"answer")

        assert client.recv(6) == b"answer"


def test_who_leaves_at_once_after_connect_harms_nobody(proxy: Proxy, capfd: pytest.CaptureFixture[str]) -> None:
    for _ in range(30):
        sock = proxy.connect()
        sock.sendall(b"CONNECT api.tacc.cloud:443 HTTP/1.1\r\n\r\n")
        hang_up(sock)

    assert proxy.say(GET, proxy.tunnel()).status == 200
    assert "Traceback" not in capfd.readouterr().err


def ends(sock: socket.socket) -> bool:
    """Whether the other side has no more to say, however it puts that: an alert, a reset, an end."""
    with suppress(ssl.SSLError, ConnectionError):
        return sock.recv(1) == b""
    return True


def test_what_is_no_tls_in_the_middle_of_it_ends_only_its_own_connection(
    secured: tuple[Proxy, Callable[[], socket.socket]], capfd: pytest.CaptureFixture[str]
) -> None:
    proxy, connect = secured
    client = proxy.secure(connect())
    assert proxy.say(GET, client).status == 200

    socket.socket.sendall(client, b"\x17\x03\x03\x00\x20" + bytes(32))

    assert ends(client)
    assert proxy.say(GET, proxy.secure(connect())).status == 200
    assert "Traceback" not in capfd.readouterr().err


def test_plain_http_where_tls_is_spoken_is_told_so(secured: tuple[Proxy, Callable[[], socket.socket]]) -> None:
    proxy, connect = secured

    answer = proxy.say(GET, connect())

    assert (answer.status, answer.json["status"]) == (400, "error")
    assert "use https" in answer.json["message"]


def test_what_a_client_that_has_gone_did_not_take_is_dropped_silently(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python 3.13 would report it, and a test run whose warnings are errors would fail of it."""
    reported: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", reported.append)
    ours, theirs = socket.socketpair()
    writer = make_file(ours, "wb", 8192)
    theirs.close()
    os.close(ours.detach())
    with pytest.raises(OSError, match="Bad file descriptor"):
        writer.write(b"late")

    del writer
    gc.collect()

    assert reported == []
