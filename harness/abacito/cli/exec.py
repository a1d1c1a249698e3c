"""``abacito exec``: a command with an emulator beside it, for test suites in any language."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

import click

from abacito.cli import exits
from abacito.cli.env import CLIENTS, Site, variables
from abacito.cli.options import emulator_options, tell
from abacito.cli.signals import term_like_interrupt
from abacito.cli.worlds import begun, world_options

if TYPE_CHECKING:
    from abacito.emulator import Emulator

# What shells answer for a command that is none.
_NOT_EXECUTABLE, _NOT_FOUND = 126, 127
_PROXY = "HTTPS_PROXY"


@click.command(
    "exec",
    context_settings={"allow_interspersed_args": False},
    epilog=f"Examples: abacito exec -- pytest · abacito exec --client agavepy -- python my_script.py\n\n"
    f"Exits with the command's own code; 126 and 127 when it cannot be run, or is not found. {exits.HELP}",
)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port to listen on; 0 takes a free one.  [0]")
@click.option("--tenant", help="Name of the tenant.  [TACC-PROD]")
@click.option("--user", metavar="NAME", help="Whom the token is for.  [the first with the admin role]")
@click.option("--client", type=click.Choice(CLIENTS), help="Export what this client needs, a proxy for https too.")
@world_options
@emulator_options
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def exec_(
    command: tuple[str, ...],
    user: str | None,
    client: str | None,
    imported: Path | None,
    seeds: tuple[Path, ...],
    exported: Path | None,
    verbose: int,
    **given: Any,
) -> None:
    """Run COMMAND with an emulator that lives as long as it does.

    \b
    It finds the emulator by these variables:
      ABACITO_TARGET, ABACITO_TOKEN   abacito's own commands, the pytest plugin
      BASE, TOKEN, REFRESH_TOKEN, CLIENT_KEY, CLIENT_SECRET       curl
      AGAVE_CACHE_DIR                 agavepy and tapispy: a folder with a session
      TAPIS_BASE_URL, TAPIS_JWT, TAPIS_USERNAME                   tapipy
    """
    if shutil.which(command[0], os.F_OK) is None:
        _refuse(command[0], "no such command", _NOT_FOUND)
    from abacito.settings import Settings

    tell(verbose)
    term_like_interrupt()
    with begun(Settings.read(**given), imported, seeds, exported) as emulator, _folder() as folder:
        code = _run(command, {**os.environ, **_exports(emulator, user, client, folder)})
    sys.exit(code)


def _exports(emulator: Emulator, user: str | None, client: str | None, folder: Path) -> Mapping[str, str]:
    from abacito.client import issue_token

    login = issue_token(emulator.url, username=user, client=True)
    site = Site(emulator.url, login, folder / "agave")
    found = {"ABACITO_TARGET": emulator.url, "ABACITO_TOKEN": login["access_token"]}
    for each in ("curl", "agavepy", "tapipy"):
        found |= variables(each, site)
    del found[_PROXY]  # it would catch all that the command asks for by https: only where that is wanted
    return {**found, **(variables(client, site) if client else {})}


@contextmanager
def _folder() -> Iterator[Path]:
    """For our user only, as there are tokens in it; the next emulator removes it where this process is killed."""
    from abacito.containers.folders import make_folder

    folder = make_folder()
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _run(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """The command's exit code, or 128 and the number of the signal that ended it."""
    signals = _Signals()
    try:
        process = subprocess.Popen(command, env=environment)
    except OSError as error:
        _refuse(command[0], error.strerror or str(error), _NOT_EXECUTABLE)
    signals.pass_on_to(process)
    code = process.wait()
    return code if code >= 0 else 128 - code


class _Signals:
    """SIGINT and SIGTERM, which from now on are the command's affair: we end when it does.

    Those that come before it is known are kept for it; those that come after its end are not heeded.
    """

    def __init__(self) -> None:
        self._kept: list[int] = []
        self._process: subprocess.Popen[bytes] | None = None
        signal.signal(signal.SIGINT, self._take)
        signal.signal(signal.SIGTERM, self._take)

    def pass_on_to(self, process: subprocess.Popen[bytes]) -> None:
        """What was kept, and all that comes."""
        self._process = process
        while self._kept:
            process.send_signal(self._kept.pop(0))

    def _take(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and _has_terminal():
            return
        if self._process is None:
            self._kept.append(number)
        else:
            self._process.send_signal(number)


def _has_terminal() -> bool:
    """Whether we are in the foreground of one: its Ctrl-C goes to the command too, and a second one would be harsh."""
    with suppress(OSError):
        terminal = os.open("/dev/tty", os.O_RDONLY)
        try:
            return os.tcgetpgrp(terminal) == os.getpgrp()
        finally:
            os.close(terminal)
    return False


def _refuse(command: str, why: str, code: int) -> NoReturn:
    click.echo(f"abacito: {command}: {why}", err=True)
    sys.exit(code)
