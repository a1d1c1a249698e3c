"""The engines on which the store's contract is run: ours in process, and one that is not moto."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from abacito.abaco.time import real_monotonic
from abacito.aws.embedded import Engine
from abacito.aws.session import Endpoint, Storage, storage

_UP_WITHIN_S = 30


@pytest.fixture(scope="session")
def ministack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a MiniStack of our own. It pins an older botocore, so it lives in an environment of its own."""
    program = _installed(request.config.cache.mkdir("ministack"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {"SERVICES": "s3,sqs,dynamodb", "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port)}
    log = (tmp_path_factory.mktemp("ministack") / "log").open("wb")
    process = subprocess.Popen([program], env={**os.environ, **settings}, stdout=log, stderr=log, cwd=log.name[:-3])
    try:
        _await(f"http://127.0.0.1:{port}", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)
        log.close()


def _installed(folder: Path) -> str:
    program = folder / "bin" / "ministack"
    if not program.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "ministack==1.5.33"]
        done = subprocess.run(pip, capture_output=True, text=True, check=False)
        if done.returncode:
            # Offline there is nothing to be had; the same tests run on the embedded engine.
            pytest.skip(f"MiniStack cannot be installed here: {done.stderr.strip().splitlines()[-1]}")
    return str(program)


def _await(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = real_monotonic() + _UP_WITHIN_S
    while real_monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(f"{url}/_ministack/health", timeout=1).close()
        except OSError:
            time.sleep(0.05)  # its port is not there yet: nothing of ours tells when it will be
        else:
            return
    pytest.fail(f"MiniStack did not answer at {url} within {_UP_WITHIN_S} s (exit code {process.poll()})")


@pytest.fixture(params=["embedded", "ministack"])
def stored(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    """An empty store, set up."""
    namespace = f"t{secrets.token_hex(4)}"
    if request.param == "embedded":
        source: Engine | Endpoint = Engine()
    else:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "test")
        source = Endpoint(request.getfixturevalue("ministack"))
    found = storage(source, namespace, f"abacito-{namespace}")
    found.set_up(("default", "special"))
    yield found
    source.close()
