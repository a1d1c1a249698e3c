from __future__ import annotations

import os
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from abacito.abaco.errors import Misconfigured
from abacito.containers.channel import Channel
from abacito.containers.log import Log

MIB = 1_048_576


@contextmanager
def an_actor_sending_to(channel: Channel) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.settimeout(10)
        sender.connect(str(channel.results_path))
        yield sender


def read_as_the_clients_do(path: Path) -> bytes:
    pipe = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    message = bytearray()
    try:
        while chunk := os.read(pipe, 4069):
            message += chunk
    except BlockingIOError:
        pass
    finally:
        os.close(pipe)
    return bytes(message)


def test_a_thousand_results_sent_at_once_arrive_in_order(short_folder: Path) -> None:
    """spec: execution #40"""
    results: list[bytes] = []
    sent = [b"%d" % number for number in range(1000)]

    with closing(Channel(short_folder / "c", None, results.append)) as channel:
        with an_actor_sending_to(channel) as actor:
            for result in sent:
                actor.send(result)
        channel.drain()

    assert results == sent


def test_an_empty_datagram_is_no_result(short_folder: Path) -> None:
    results: list[bytes] = []

    with closing(Channel(short_folder / "c", None, results.append)) as channel:
        with an_actor_sending_to(channel) as actor:
            actor.send(b"")
            actor.send(b"something")
        channel.drain()

    assert results == [b"something"]


@pytest.mark.parametrize("size", [131_071, 131_072])
def test_a_result_up_to_the_limit_is_whole(short_folder: Path, caplog: pytest.LogCaptureFixture, size: int) -> None:
    results: list[bytes] = []

    with closing(Channel(short_folder / "c", None, results.append)) as channel:
        with an_actor_sending_to(channel) as actor:
            actor.send(b"x" * size)
        channel.drain()

    assert results == [b"x" * size]
    assert caplog.messages == []


def test_a_longer_result_is_cut_and_a_warning_says_so_without_its_content(
    short_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    results: list[bytes] = []

    with closing(Channel(short_folder / "c", None, results.append)) as channel:
        with an_actor_sending_to(channel) as actor:
            actor.send(b"s" * 131_072 + b"t")
        channel.drain()

    assert results == [b"s" * 131_072]
    assert caplog.messages == ["a result of c was cut to 131072 bytes"]


def test_any_user_may_send(short_folder: Path) -> None:
    with closing(Channel(short_folder / "c", None, print)) as channel:
        assert stat.S_IMODE(channel.results_path.stat().st_mode) == 0o777


def test_a_taker_that_fails_does_not_hold_the_actor_up_and_drain_tells_of_it(short_folder: Path) -> None:
    taken: list[bytes] = []

    def take(result: bytes) -> None:
        if result == b"bad":
            raise ValueError("the store is full")
        taken.append(result)

    with closing(Channel(short_folder / "c", None, take)) as channel:
        with an_actor_sending_to(channel) as actor:
            for result in [b"bad", *[b"good"] * 100]:
                actor.send(result)
        with pytest.raises(ValueError, match="the store is full"):
            channel.drain()

    assert taken == [b"good"] * 100


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 900_000, MIB])
def test_a_binary_message_that_fits_a_pipe_is_one_and_is_read_once(short_folder: Path, size: int) -> None:
    message = os.urandom(size)

    with closing(Channel(short_folder / "c", message, print)) as channel:
        assert channel.binary_path is not None
        assert stat.filemode(channel.binary_path.stat().st_mode) == "prw-r--r--"
        assert read_as_the_clients_do(channel.binary_path) == message
        assert read_as_the_clients_do(channel.binary_path) == b""


def test_a_larger_binary_message_is_a_read_only_file(short_folder: Path) -> None:
    message = os.urandom(MIB + 1)

    with closing(Channel(short_folder / "c", message, print)) as channel:
        assert channel.binary_path is not None
        assert stat.filemode(channel.binary_path.stat().st_mode) == "-r--r--r--"
        assert read_as_the_clients_do(channel.binary_path) == message


def test_the_umask_does_not_hide_the_message_from_other_users(short_folder: Path) -> None:
    before = os.umask(0o077)
    try:
        with closing(Channel(short_folder / "c", b"message", print)) as channel:
            assert channel.binary_path is not None
            assert stat.S_IMODE(channel.binary_path.stat().st_mode) == 0o644
    finally:
        os.umask(before)


def test_without_a_binary_message_there_is_no_such_file(short_folder: Path) -> None:
    with closing(Channel(short_folder / "c", None, print)) as channel:
        assert channel.binary_path is None
        assert [path.name for path in (short_folder / "c").iterdir()] == ["results.sock"]


def test_closing_leaves_no_thread_no_descriptor_and_no_file(short_folder: Path) -> None:
    threads, descriptors = threading.active_count(), len(os.listdir("/proc/self/fd"))  # noqa: PTH208

    channel = Channel(short_folder / "c", b"message", print)
    channel.close()
    channel.close()

    assert threading.active_count() == threads
    assert len(os.listdir("/proc/self/fd")) == descriptors  # noqa: PTH208
    assert list(short_folder.iterdir()) == []


def test_a_path_too_long_for_a_socket_is_refused_with_the_remedy(short_folder: Path) -> None:
    with pytest.raises(Misconfigured, match="Choose a folder with a short path"):
        Channel(short_folder / ("x" * 110), None, print)

    assert list(short_folder.iterdir()) == []


def test_a_character_parted_between_two_writes_is_whole() -> None:
    log = Log(limit=10)

    log.write("é".encode()[:1])
    log.write("é".encode()[1:])

    assert log.text() == "é"


def test_bytes_that_are_no_text_are_replaced() -> None:
    log = Log(limit=10)

    log.write(b"a\xff\xfeb\xc3")

    assert log.text() == "a\ufffd\ufffdb\ufffd"


def test_a_log_keeps_one_character_more_than_its_limit() -> None:
    log = Log(limit=3)

    log.write("äöüß".encode())
    log.write(b"more")

    assert log.text() == "äöüß"
    assert log.is_full


def test_reading_a_log_in_between_changes_nothing() -> None:
    log = Log(limit=10)

    log.write("ab€".encode()[:3])
    log.text()
    log.write("€c".encode()[1:])

    assert log.text() == "ab€c"
