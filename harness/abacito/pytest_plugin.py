"""pytest fixtures. Nothing starts, and nothing heavy is imported, before a test asks for one."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from abacito.scenario import GAPS_FILE

if TYPE_CHECKING:
    from abacito.client import Abaco
    from abacito.client.clock import Clock
    from abacito.client.faults import Faults
    from abacito.containers.keeping import Keep
    from abacito.emulator import Emulator
    from abacito.running import Running
    from abacito.scenario.gaps import Gaps
    from abacito.scenario.parity import Theirs
    from abacito.settings import Settings

#: The test's client, and which containers stay.
_USED: pytest.StashKey[tuple[Abaco, Keep]] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where the tests' Abaco is and what it is like; ``abacito_scenarios``: folders of stories."""
    parser.addini("abacito_scenarios", "folders whose *.yaml are stories, each collected as a test", type="paths")
    group = parser.getgroup("abacito")
    group.addoption(
        "--abacito-runner",
        choices=("auto", "docker", "process"),
        default=None,
        help="where actors run; default: $ABACITO_RUNNER, or Docker if it answers, else as processes",
    )
    group.addoption(
        "--abacito-case",
        choices=("camel", "snake"),
        default=None,
        help="the field names of the API, also of another server's; default: $ABACITO_CASE, or camel",
    )
    group.addoption(
        "--abacito-keep-containers",
        choices=("never", "failed", "always"),
        default=None,
        help="which containers stay in Docker after their end; default: $ABACITO_KEEP_CONTAINERS, or never",
    )
    group.addoption(
        "--abacito-target",
        metavar="URL",
        default=None,
        help="run the tests on this server, a live Abaco or a running abacito serve; default: $ABACITO_TARGET, or an "
        "emulator of their own",
    )
    group.addoption(
        "--abacito-parity",
        metavar="URL",
        default=None,
        help="run each test twice, [here] on an emulator of its own and [there] on this server; stories fail with what "
        "differs. Default: $ABACITO_PARITY",
    )
    group.addoption(
        "--abacito-gaps",
        metavar="FILE",
        default=None,
        help="the known differences; default: $ABACITO_GAPS, or the nearest parity-gaps.yaml beside or above a story",
    )
    group.addoption(
        "--abacito-user-token",
        metavar="USER=TOKEN",
        action="append",
        default=[],
        help="a token of the server in --abacito-parity for steps `as: USER`; may be repeated",
    )
    group.addoption(
        "--abacito-token",
        metavar="TOKEN",
        default=None,
        help="a token of that server's; default: $ABACITO_TOKEN, or on an emulator on this machine its admin's",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker; refuse options that contradict each other."""
    if _parity(config) and config.getoption("--abacito-target"):
        raise pytest.UsageError("--abacito-parity runs each test here and there: there is no --abacito-target then")
    config.addinivalue_line(
        "markers",
        "abacito(runner=..., case=..., **settings): the test's Abaco is an emulator with these settings, which all "
        "tests that want the same share",
    )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Stories below the folders named in the ini option; nothing else is looked at."""
    folders = parent.config.getini("abacito_scenarios")
    if (
        file_path.suffix != ".yaml"
        or file_path.name == GAPS_FILE
        or not any(folder in file_path.parents for folder in folders)
    ):
        return None
    from abacito.stories import StoryFile

    return StoryFile.from_parent(parent, path=file_path)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """For parity a test that uses ``abacito`` is two."""
    if "_abacito_side" in metafunc.fixturenames and _parity(metafunc.config):
        metafunc.parametrize("_abacito_side", ["here", "there"], indirect=True, scope="function")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test that used ``abacito`` has a section with what its executions did."""
    report = yield
    used = item.stash.get(_USED, None)
    if used is not None and report.failed:
        from abacito.reporting import section

        report.sections.append(("abacito", section(*used)))
    return report


@pytest.fixture(scope="session")
def abacito_settings(request: pytest.FixtureRequest) -> Settings:
    """The settings of this session's emulator: a free port, what the options say, else environment and files.

    A project overrides this one, in its ``conftest.py``: ``return Settings.read(port=0, max_workers_per_actor=2)``.
    """
    from abacito.settings import Settings

    option = request.config.getoption
    names = ("runner", "case", "keep_containers")
    given = {"port": 0, **{name: option(f"--abacito-{name.replace('_', '-')}") for name in names}}
    settings = Settings.read(**given)
    if settings.endpoint_url and (worker := os.environ.get("PYTEST_XDIST_WORKER")):
        # Emulators of one name at one endpoint would take each other's messages.
        return Settings.read(**given, emulator=f"{settings.emulator}-{worker}")
    return settings


@pytest.fixture(scope="session")
def _abacito_running() -> Iterator[Running]:
    from abacito.running import Running

    with Running() as running:
        yield running


@pytest.fixture(scope="session")
def abacito_server(request: pytest.FixtureRequest, abacito_settings: Settings, _abacito_running: Running) -> Emulator:
    """A running emulator on a real port, once for the session: ``.url``, ``.token``, ``.token_for(user)``.

    It is not emptied between tests that use only this; a test that asks for ``abacito`` empties it. On another server
    (``--abacito-target``) there is none, and the test is skipped.
    """
    _skip_on_target(request, "an emulator of its own")
    return _abacito_running.emulator(abacito_settings)


@pytest.fixture
def abacito_emulator(request: pytest.FixtureRequest, abacito_settings: Settings) -> Emulator:
    """The emulator of this test: the session's, or with ``@pytest.mark.abacito`` one with other settings.

    It is what ``abacito`` is a client of: ``.settings``, ``.token_for(user)``, ``.client(user)``,
    ``.stub(function, image)``. On another server (``--abacito-target``) the test is skipped.
    """
    wanted = _marked(request, abacito_settings)
    if not wanted:
        server: Emulator = request.getfixturevalue("abacito_server")
        return server
    _skip_on_target(request, _with(wanted))
    running: Running = request.getfixturevalue("_abacito_running")
    return running.emulator(abacito_settings, **wanted)


@pytest.fixture(scope="session")
def _abacito_known_gaps(request: pytest.FixtureRequest) -> Iterator[Gaps]:
    from abacito.stories import known_gaps

    with known_gaps(_option(request, "gaps")) as gaps:
        yield gaps


@pytest.fixture(scope="session")
def _abacito_theirs(request: pytest.FixtureRequest) -> Theirs:
    from abacito.guest import theirs_at

    url, tokens = _parity(request.config), request.config.getoption("--abacito-user-token")
    return theirs_at(str(url), _option(request, "token"), tokens)


@pytest.fixture
def _abacito_ours(abacito_emulator: Emulator) -> Emulator:
    """Our side of a story: empty."""
    from abacito.guest import fresh

    fresh(abacito_emulator).close()
    return abacito_emulator


@pytest.fixture
def _abacito_side(request: pytest.FixtureRequest) -> str | None:
    """``here`` or ``there`` of a test that runs twice."""
    side: str | None = getattr(request, "param", None)
    if side == "there" and {"abacito_server", "abacito_emulator"} & set(request.fixturenames):
        # Such a test looks into the emulator in this process, not at the server that is to be compared with it.
        pytest.skip(f"This needs an emulator of its own; {_parity(request.config)} is another.")
    return side


@pytest.fixture
def abacito(request: pytest.FixtureRequest, abacito_settings: Settings, _abacito_side: str | None) -> Iterator[Abaco]:
    """An empty Abaco for this test alone, asked as its admin: ``register(image)``, ``.send(message)``, ``.wait()`` …

    After the test it is checked: what went wrong in the emulator itself fails it. On another server it is not empty:
    there the actors that the test registers are deleted after it.
    """
    from abacito.guest import fresh, guest_at

    target, emulator = _parity(request.config) if _abacito_side == "there" else _target(request), None
    if _abacito_side == "there" and (wanted := _marked(request, abacito_settings)):
        # Settings are made for an emulator that is started: those of a server that runs cannot be chosen.
        pytest.skip(f"This needs {_with(wanted)}; {target} is another.")
    if target and not _marked(request, abacito_settings):
        client: Abaco = guest_at(target, _option(request, "token"), abacito_settings.case)
    else:
        emulator = request.getfixturevalue("abacito_emulator")
        client = fresh(emulator)
    keeps = emulator is not None and emulator.runner.name == "docker"
    request.node.stash[_USED] = client, abacito_settings.keep_containers if keeps else "never"
    yield client
    del request.node.stash[_USED]
    client.close()
    if emulator is not None:
        emulator.check()


@pytest.fixture
def abacito_clock(abacito: Abaco) -> Clock:
    """The time of this test's Abaco: ``travel(hours=4)``, ``at("2026-11-23 09:00")``, ``freeze()``, ``tick("30s")``,
    ``reset()``; each is also a context manager that sets it back."""
    return abacito.clock


@pytest.fixture
def abacito_faults(abacito: Abaco) -> Faults:
    """What is to go wrong in this test's Abaco: ``killed(actor, after_s=1)``, ``answers("/actors/**", times=2)`` …;
    each tells how often it ``struck``, and is also a context manager that clears it."""
    return abacito.faults


def _option(request: pytest.FixtureRequest, name: str) -> str | None:
    """What the command line says, else the environment."""
    return request.config.getoption(f"--abacito-{name}") or os.environ.get(f"ABACITO_{name.upper()}") or None


def _parity(config: pytest.Config) -> str | None:
    return config.getoption("--abacito-parity") or os.environ.get("ABACITO_PARITY") or None


def _with(settings: dict[str, Any]) -> str:
    return f"an emulator with {', '.join(f'{name}={value!r}' for name, value in settings.items())}"


def _target(request: pytest.FixtureRequest) -> str | None:
    return None if _parity(request.config) else _option(request, "target")


def _skip_on_target(request: pytest.FixtureRequest, what: str) -> None:
    if target := _target(request):
        # The user has said that tests run elsewhere: one started beside it would test something else unasked.
        pytest.skip(f"This needs {what}; this session's tests run on {target}.")


def _marked(request: pytest.FixtureRequest, settings: Settings) -> dict[str, Any]:
    """The settings that markers ask for and the session does not have; what is nearer to the test counts."""
    wanted: dict[str, Any] = {}
    for mark in reversed(list(request.node.iter_markers("abacito"))):
        if mark.args:
            pytest.fail(f"@pytest.mark.abacito takes settings by their names, not {mark.args!r}", pytrace=False)
        wanted |= mark.kwargs
    return {name: value for name, value in wanted.items() if getattr(settings, name, None) != value}
