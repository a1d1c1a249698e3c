"""The pytest plugin with its state on an endpoint, where others' actors may be too: nothing is thrown away there."""

from __future__ import annotations

import secrets
from contextlib import closing

import pytest

from abacito.emulator import Emulator
from abacito.settings import Settings


def test_on_an_endpoint_only_the_tests_own_actors_are_deleted(
    pytester: pytest.Pytester, ministack: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "ABACITO_ENDPOINT_URL": ministack,
        "ABACITO_EMULATOR": f"t{secrets.token_hex(3)}",
        "ABACITO_RUNNER": "process",
    }
    for name, text in environment.items():
        monkeypatch.setenv(name, text)
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
