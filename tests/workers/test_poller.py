"""The loop that takes rings: from several queues, for few threads."""

from __future__ import annotations

from contextlib import closing

from abacito.emulator import Emulator
from abacito.settings import Settings


def test_the_poll_of_an_idle_queue_takes_no_thread_from_the_others() -> None:
    with (
        Emulator(Settings.read(port=0, runner="process", workers=1, queues=["default", "special", "idle"])) as emulator,
        closing(emulator.client()) as abaco,
    ):
        actors = [abaco.register(lambda context: None, queue=queue).wait() for queue in ("default", "special")]

        for _ in range(5):
            for actor in actors:
                assert actor.send("hello").wait(within_s=5).exit_code == 0
        emulator.check()
