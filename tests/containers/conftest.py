"""What tests of the runners share: a daemon's client, a runner that leaves nothing behind, and small actors."""

from __future__ import annotations

import secrets
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from docker import APIClient

from abacito.containers.daemon import connect
from abacito.containers.docker import DockerRunner
from abacito.containers.images import REPOSITORY, Images
from abacito.containers.labels import EMULATOR_LABEL
from tests.containers.relay import Relay


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder whose path is short enough for sockets, which pytest's own need not be."""
    folder = Path(tempfile.mkdtemp(prefix="ab-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def client(docker_daemon: None) -> Iterator[APIClient]:
    client = connect()
    yield client
    client.close()


@pytest.fixture
def new_runner(docker_daemon: None, short_folder: Path) -> Iterator[Callable[..., DockerRunner]]:
    """Makes runners, each an emulator of its own unless told; what they made is removed in the end."""
    made = []

    def new(emulator: str | None = None, client: APIClient | None = None, shared_namespaces: int = 0) -> DockerRunner:
        client = client or connect()
        name = emulator or f"test-{secrets.token_hex(4)}"
        labels = {EMULATOR_LABEL: name}
        made.append(DockerRunner(client, Images(client), short_folder, labels, shared_namespaces))
        return made[-1]

    yield new
    for runner in made:
        runner.close()


@pytest.fixture
def runner(new_runner: Callable[..., DockerRunner]) -> DockerRunner:
    return new_runner()


@pytest.fixture
def an_actor(client: APIClient, tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Makes an actor of a shell script, and of more lines of Dockerfile; its image is removed in the end."""
    names = []

    def make(script: str, *lines: str) -> str:
        names.append(f"test-{secrets.token_hex(4)}")
        folder = tmp_path / names[-1]
        folder.mkdir()
        dockerfile = ["ARG BASE=busybox", "FROM ${BASE}", *lines, "COPY actor.sh /actor.sh"]
        (folder / "Dockerfile").write_text("\n".join([*dockerfile, 'CMD ["sh", "/actor.sh"]']) + "\n")
        (folder / "actor.sh").write_text(script + "\n")
        return str(folder)

    yield make
    for name in names:
        for image in client.images(f"{REPOSITORY}/{name}", quiet=True):
            client.remove_image(image, force=True)


@pytest.fixture
def relay(docker_daemon: None, short_folder: Path) -> Iterator[Relay]:
    with Relay(short_folder / "d.sock") as relay:
        thread = threading.Thread(target=relay.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield relay
        relay.mend()
        relay.shutdown()
        thread.join()
    (short_folder / "d.sock").unlink()
