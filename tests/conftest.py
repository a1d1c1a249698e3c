"""What all tests share: whether there is a Docker daemon, and how thorough the random ones are."""

from __future__ import annotations

import logging
import os
from collections.abc import Generator, Iterator

import flask
import pytest
from hypothesis import HealthCheck, settings

from abacito.api.openapi import document
from tests.openapi import Checker
from tests.secrets import Grep

pytest_plugins = ["pytester"]

settings.register_profile("quick", max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
settings.register_profile("thorough", max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
settings.load_profile(os.environ.get("ABACITO_TEST_PROFILE", "quick"))

_answers = Checker(lambda app, seen: document(app, seen, version=app.config["VERSION_TAG"]))
flask.request_finished.connect(_answers.check)

_logs = Grep()
flask.request_finished.connect(_logs.look)
for _name in ("abacito", "cheroot"):
    logging.getLogger(_name).setLevel(logging.DEBUG)
logging.getLogger().addHandler(_logs)

_REQUIRE_DOCKER = os.environ.get("ABACITO_TEST_REQUIRE_DOCKER") == "1"


@pytest.fixture(scope="session")
def docker_daemon() -> None:
    """For tests that need a daemon: skips them, with a sentence, where none answers; fails them where one must."""
    from abacito.abaco.errors import Unavailable
    from abacito.containers.daemon import connect

    try:
        connect().close()
    except Unavailable as error:
        if _REQUIRE_DOCKER:
            pytest.fail(f"container tests must run here, and cannot: {error}")
        # A user without Docker runs all the rest; where Docker must be, the line above has failed already.
        pytest.skip(f"no Docker daemon: {error}")


@pytest.fixture(autouse=True)
def _answers_are_as_described() -> Iterator[None]:
    """Whatever a test asks of an emulator in this process, the answer is as the OpenAPI document has it."""
    yield
    faults = _answers.faults()
    assert not faults, "answers that the OpenAPI document does not have:\n" + "\n".join(faults)


@pytest.fixture(autouse=True)
def _nothing_secret_is_logged() -> Iterator[None]:
    """Whatever a test has an emulator in this process do, no token, nonce, password or secret stands in a log."""
    yield
    lines = _logs.found()
    assert not lines, "secrets in the log:\n" + "\n".join(lines)


@pytest.fixture(autouse=True)
def _daemon_for_marked_tests(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("docker"):
        request.getfixturevalue("docker_daemon")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where Docker is required, a container test that was skipped all the same, for whatever reason, has failed."""
    report = yield
    if _REQUIRE_DOCKER and report.skipped and item.get_closest_marker("docker"):
        report.outcome = "failed"
        report.longrepr = f"a container test was skipped where Docker is required: {report.longrepr}"
    return report
