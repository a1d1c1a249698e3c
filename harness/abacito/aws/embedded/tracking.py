"""The lists that moto keeps of every object it ever made, for its dashboard: nothing of ours is to stay there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

from moto.core.model_instances import model_data
from moto.s3.models import FakeKey, FakeMultipart


class Unlisted:
    """An object of ours that moto does not put on the list of all objects that it ever made."""

    def __new__(cls, *_: Any, **__: Any) -> Self:
        """Without being noted."""
        return object.__new__(cls)


@contextmanager
def untracked(service: str, account_id: str) -> Iterator[None]:
    """What is made in here is taken off the lists again."""
    models: list[Any] = list(model_data[service].values())
    lengths = [len(model.instances_tracked) for model in models]
    try:
        yield
    finally:
        for model, length in zip(models, lengths, strict=True):
            # A user's mock in another thread may append at the same time: a dashboard can miss that one. But what has
            # files is told by its owner: moto's reset closes all files on these lists, so it must find the right ones.
            if model in (FakeKey, FakeMultipart):
                _take_off(model.instances_tracked, account_id)
            else:
                del model.instances_tracked[length:]


def _take_off(tracked: list[Any], account_id: str) -> None:
    for stored in [s for s in tracked if getattr(s, "account_id", None) == account_id]:
        tracked.remove(stored)
        stored.disposed = True  # else moto warns when it is collected; the file is closed then all the same
