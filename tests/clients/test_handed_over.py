"""A client from PyPI, ready to be handed to the code under test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

USES = {
    "agavepy": 'client.actors.add(body={"image": image})["id"]',
    "tapispy": 'client.actors.add(body={"image": image})["id"]',
    "tapipy": "client.actors.create_actor(image=image).id",
}


@pytest.fixture
def site_packages(python_of: Callable[[str], Path]) -> Callable[[str], str]:
    """Where the modules of a client's own environment are."""
    return lambda client: str(next(python_of(client).parents[1].glob("lib/python*/site-packages")))


@pytest.mark.parametrize(
    "client", ["agavepy", *(pytest.param(each, marks=pytest.mark.slow) for each in ("tapispy", "tapipy"))]
)
def test_a_client_from_pypi_is_handed_over_ready(
    client: str, pytester: pytest.Pytester, site_packages: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of a project which has it: here its modules lie in an environment of their own."""
    monkeypatch.syspath_prepend(site_packages(client))
    monkeypatch.setenv("PYTHONPATH", site_packages(client), prepend=":")
    pytester.makepyfile(
        f"""
        import pytest

        @pytest.mark.filterwarnings("error::urllib3.exceptions.HTTPWarning")  # what it is told is verified
        def test_it(abacito):
            client = abacito.client({client!r})
            image = abacito.stub("my/image", print)
            assert {USES[client]} == abacito.actors[0].id
        """
    )

    pytester.runpytest_subprocess("--abacito-runner=process").assert_outcomes(passed=1)
