"""The clients that people use, as they are on PyPI, each in an environment of its own (their pins clash)."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import flask
import pytest

import abacito
from abacito.emulator import Emulator
from abacito.settings import Settings
from tests.serving import serving

#: What pip is told for each. agavepy and tapispy need pkg_resources, which setuptools has dropped. tapis-cli needs
#: attrdict, which imports what Python has dropped; attrdict3 is the same module, repaired.
PINS: Mapping[str, Sequence[str]] = {
    "agavepy": ("install setuptools<81 agavepy==0.9.5 requests<3",),
    "tapispy": ("install setuptools<81 tapispy==0.1.0.dev0 requests<3",),
    "tapis-cli": (
        "install setuptools<81 tapis-cli==1.0.6 agavepy==1.0.0a11",
        "uninstall --yes attrdict",
        "install attrdict3==2.0.2",
    ),
    "tapipy": ("install tapipy==25.4.0",),
}

USERS = [
    {"username": "admin", "password": "p", "roles": ["Internal/abaco-admin"]},
    {"username": "jdoe", "password": "p"},
    {"username": "jane", "password": "p"},
]


@pytest.fixture(scope="session")
def python_of(request: pytest.FixtureRequest) -> Callable[[str], Path]:
    """Tells the interpreter of a client's environment, which is made at the first need and kept in pytest's cache."""

    def interpreter(client: str) -> Path:
        folder = request.config.cache.mkdir(f"client-{client}")
        with _alone(folder.with_name(f"{folder.name}.lock")):
            installed = folder / "installed"
            if not installed.exists() or installed.read_text() != repr(PINS[client]):
                _install(client, folder)
                installed.write_text(repr(PINS[client]))
        return folder / "bin" / "python"

    return interpreter


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Nobody else is in here meanwhile, in no other process either: tests run side by side."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _install(client: str, folder: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
    constraints = folder / "constraints.txt"
    constraints.write_text("setuptools<81\n")
    # Packages that have to be built are built in an environment of their own, which only these variables reach.
    places = f"{os.environ.get('PIP_CONSTRAINT', '')} {constraints}".strip()
    environment = {**os.environ, "PIP_CONSTRAINT": places, "PIP_BUILD_CONSTRAINT": str(constraints)}
    for step in PINS[client]:
        pip = [folder / "bin" / "python", "-m", "pip", *step.split(), "--quiet"]
        done = subprocess.run(pip, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            # Offline there is nothing to be had; all that takes no client from PyPI is tested there too.
            pytest.skip(f"{client} cannot be installed here: {done.stderr.strip().splitlines()[-1]}")


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """One for all tests of a module; actors run as processes."""
    with Emulator(Settings.read(port=0, runner="process", users=USERS)) as found:
        yield found


@pytest.fixture(scope="module")
def expire(emulator: Emulator) -> Iterator[str]:
    """A URL; whoever asks it has the emulator's clock go on by more than a token's life."""

    class Expires(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            emulator.clock.travel(timedelta(hours=4, minutes=1))
            self.send_response(200)
            self.end_headers()

    with serving(Expires) as url:
        yield f"{url}/"


@dataclass(frozen=True)
class Asked:
    """One request that reached the emulator."""

    method: str
    path: str
    query: str
    has_token: bool
    content_type: str | None
    grant: str | None


@pytest.fixture(scope="module")
def asked(emulator: Emulator) -> Iterator[list[Asked]]:
    """The requests that this process's emulator has answered, as they come in."""
    seen: list[Asked] = []

    def note(app: flask.Flask, **_: Any) -> None:
        request = flask.request
        grant = request.form.get("grant_type") if request.path == "/token" else None
        query = request.query_string.decode()
        has_token = "Authorization" in request.headers
        seen.append(Asked(request.method, request.path, query, has_token, request.content_type, grant))

    with flask.request_finished.connected_to(note):
        yield seen


@pytest.fixture(scope="session")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with nothing but the command ``abacito``, to be put into PATH."""
    folder = tmp_path_factory.mktemp("commands")
    command = folder / "abacito"
    package = Path(abacito.__file__).parents[1]
    python = f"PYTHONPATH={shlex.quote(str(package))} exec {shlex.quote(sys.executable)}"
    command.write_text(f'#!/bin/sh\n{python} -m abacito "$@"\n')
    command.chmod(0o755)
    return folder


@dataclass(frozen=True)
class Shell:
    """A fresh shell: PATH, an empty home folder, the address of the emulator, and nothing else."""

    path: str
    home: Path
    target: str

    def run(self, script: str, timeout_s: float = 120) -> str:
        """What the script writes to stdout; it must end well."""
        done = self.attempt(script, timeout_s)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    def attempt(self, script: str, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
        """The same, however it ends; the first command that fails ends it."""
        variables = {"PATH": self.path, "HOME": str(self.home), "ABACITO_TARGET": self.target}
        command = ["bash", "-eo", "pipefail", "-c", script]
        return subprocess.run(
            command, env=variables, cwd=self.home, capture_output=True, text=True, timeout=timeout_s, check=False
        )

    def exports(self, *arguments: str) -> dict[str, str]:
        """The variables that are there when ``abacito env`` with these arguments has been evaluated."""
        script = f'eval "$(abacito env {shlex.join(arguments)})"; python3 -c "{_VARIABLES}"'
        return dict(json.loads(self.run(script)))


_VARIABLES = "import json, os; print(json.dumps(dict(os.environ)))"


@pytest.fixture
def shell(emulator: Emulator, commands: Path, tmp_path: Path) -> Shell:
    """A fresh shell beside the emulator."""
    path = [str(commands), str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin"]
    return Shell(os.pathsep.join(path), tmp_path, emulator.url)
