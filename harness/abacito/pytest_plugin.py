"""pytest fixtures. Nothing starts, and nothing heavy is imported, before a test asks for one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from abacito.client import Abaco
    from abacito.client.clock import Clock
    from abacito.emulator import Emulator
    from abacito.settings import Settings


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--abacito-runner``: where the actors of this session's tests run; ``abacito_scenarios``: folders of stories."""
    parser.addini("abacito_scenarios", "folders whose *.yaml are stories, each collected as a test", type="paths")
    group = parser.getgroup("abacito")
    group.addoption(
        "--abacito-runner",
        choices=("auto", "docker", "process"),
        default=None,
        help="where actors run; default: $ABACITO_RUNNER, or Docker if it answers, else as processes",
    )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Stories below the folders named in the ini option; nothing else is looked at."""
    folders = parent.config.getini("abacito_scenarios")
    if file_path.suffix != ".yaml" or not any(folder in file_path.parents for folder in folders):
        return None
    from abacito.stories import StoryFile

    return StoryFile.from_parent(parent, path=file_path)


@pytest.fixture(scope="session")
def abacito_settings(request: pytest.FixtureRequest) -> Settings:
    """The settings of this session's emulator; a project overrides this one."""
    from abacito.settings import Settings

    return Settings.read(port=0, runner=request.config.getoption("--abacito-runner"))


@pytest.fixture(scope="session")
def abacito_server(abacito_settings: Settings) -> Iterator[Emulator]:
    """A running emulator on a real port, once for the session: ``.url``, ``.token``, ``.token_for(user)``."""
    from abacito.emulator import Emulator

    with Emulator(abacito_settings) as emulator:
        yield emulator


@pytest.fixture
def abacito(abacito_server: Emulator) -> Iterator[Abaco]:
    """An empty Abaco for this test alone: ``register(image)``, ``.send(message)``, ``.wait()``, ``.logs`` …"""
    abacito_server.reset()
    client = abacito_server.client()
    yield client
    client.close()
    abacito_server.check()


@pytest.fixture
def abacito_clock(abacito: Abaco) -> Clock:
    """The time of this test's Abaco: ``travel(hours=4)``, ``at("2026-11-23 09:00")``, ``freeze()``, ``tick("30s")``,
    ``reset()``; each is also a context manager that sets it back."""
    return abacito.clock
