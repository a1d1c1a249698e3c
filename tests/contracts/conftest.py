"""The engines on which the store's contract is run: ours in process, and one that is not moto."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from tests.ministack import Missing, running

from abacito.aws.embedded import Engine
from abacito.aws.session import Endpoint, Storage, storage


@pytest.fixture(scope="session")
def ministack(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of the endpoint that the whole run is on, else of a MiniStack of our own."""
    if given := os.environ.get("ABACITO_ENDPOINT_URL"):
        yield given
        return
    with ExitStack() as until_the_end:
        try:
            yield until_the_end.enter_context(running(request.config.cache.mkdir("ministack")))
        except Missing as error:
            # Offline there is nothing to be had; the same tests run on the embedded engine.
            pytest.skip(str(error))


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
