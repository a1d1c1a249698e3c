"""The pytest plugin with its state on an endpoint, where others' actors may be too: nothing is thrown away there."""

from __future__ import annotations

import secrets
from contextlib import closing

import pytest
from tests.ministack import CREDENTIALS

from abacito.emulator import Emulator
from abacito.settings import Settings


@pytest.fixture(autouse=True)
def _on_the_endpoint(ministack: str, monkeypatch: pytest.MonkeyPatch) -> None:
    own = {"ABACITO_ENDPOINT_URL": ministack, "ABACITO_EMULATOR": f"t{secrets.token_hex(3)}"}
    for name, text in {**CREDENTIALS, **own, "ABACITO_RUNNER": "process"}.items():
        monkeypatch.setenv(name, text)


def test_on_an_endpoint_only_the_tests_own_actors_are_deleted(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        def test_a_function(abacito):
            assert abacito.actors == []
            assert abacito.register(lambda context: print("ran")).send("x").wait().logs == "ran\\n"
            assert len(abacito.actors) == 1

        def test_the_next_has_none_of_it(abacito):
            assert abacito.actors == []
            abacito.register("echo")
        """
    )
    with Emulator(Settings.read(port=0)) as emulator, closing(emulator.client()) as owner:
        mine = owner.register("echo")

    # One emulator after the other: two of one name would take each other's messages, and have not each other's stubs.
    pytester.runpytest_subprocess("-W", "error").assert_outcomes(passed=2)

    with Emulator(Settings.read(port=0)) as emulator, closing(emulator.client()) as owner:
        assert [actor.id for actor in owner.actors] == [mine.id]


def test_on_an_endpoint_xdists_workers_have_an_emulator_each_by_its_name(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import os
        import pytest

        @pytest.mark.parametrize("n", range(4))
        def test_alone(abacito_settings, n):
            name = f"{os.environ['ABACITO_EMULATOR']}-{os.environ['PYTEST_XDIST_WORKER']}"
            assert abacito_settings.emulator == name
        """
    )

    pytester.runpytest_subprocess("-n2", "-W", "error").assert_outcomes(passed=4)
