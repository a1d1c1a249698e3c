"""A MiniStack of the tests' own: an AWS-compatible engine that is not moto.

It pins an older botocore, so it lives in an environment of its own. Run as a program, it keeps one beside a command:
``python -m tests.ministack FOLDER COMMAND…`` points the command at it, and ends it with the command.
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from abacito.abaco.time import real_monotonic

REQUIREMENT = "ministack==1.5.33"
#: Any will do; boto3 signs with nothing less.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}

_UP_WITHIN_S = 30


class Missing(Exception):
    """There is none, and none to be had; the text tells why."""


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """The URL of one that is this block's own, installed in ``folder`` if it is not yet. Raises Missing."""
    program = _installed(folder)
    port = _free_port()
    settings = {"SERVICES": "s3,sqs,dynamodb", "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port)}
    with tempfile.TemporaryDirectory() as place, (Path(place) / "log").open("wb") as log:
        process = subprocess.Popen([program], env={**os.environ, **settings}, stdout=log, stderr=log, cwd=place)
        try:
            _await(f"http://127.0.0.1:{port}", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(10)


def _installed(folder: Path) -> Path:
    program = folder / "bin" / "ministack"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of several processes that find it missing, one installs it
        if not program.exists():
            subprocess.run([sys.executable, "-m", "venv", folder], check=True)
            _install(folder / "bin" / "python")
    return program


def _install(python: Path) -> None:
    command = [python, "-m", "pip", "install", "--quiet", REQUIREMENT]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Missing(f"MiniStack cannot be installed here: {done.stderr.strip().splitlines()[-1]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = real_monotonic() + _UP_WITHIN_S
    while real_monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(f"{url}/_ministack/health", timeout=1).close()
        except OSError:
            time.sleep(0.05)  # its port is not there yet: nothing of ours tells when it will be
        else:
            return
    raise Missing(f"MiniStack did not answer at {url} within {_UP_WITHIN_S} s (exit code {process.poll()})")


def main(folder: str, *command: str) -> int:
    """The command's exit code; 3 if there is no MiniStack."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # who ends us ends it too
    try:
        with running(Path(folder)) as url:
            environment = {**os.environ, **CREDENTIALS, "ABACITO_ENDPOINT_URL": url}
            return subprocess.run(command, env=environment, check=False).returncode
    except Missing as error:
        print(error, file=sys.stderr)
        return 3


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
