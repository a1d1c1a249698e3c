"""Stories as pytest collects them: one YAML file, one test, on the session's emulator."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from abacito.scenario.ask import Target
from abacito.scenario.play import play
from abacito.scenario.story import load

if TYPE_CHECKING:
    from abacito.client import Abaco
    from abacito.emulator import Emulator


class StoryFile(pytest.Module):
    """A module that is not in Python: its one test plays the story. Raises Misconfigured when it cannot be read."""

    def _getobj(self) -> ModuleType:
        story = load(self.path)

        def test_story(abacito: Abaco, abacito_server: Emulator) -> None:
            tokens = {
                user.username: abacito_server.token_for(user.username, user.tenant) for user in abacito_server.users
            }
            target = Target(abacito.url, abacito.token, tokens, abacito_server.settings.case)
            outcome = play(story, target, lambda report: None)
            if outcome.failure:
                pytest.fail(str(outcome.failure), pytrace=False)

        module = ModuleType(self.path.stem, story.title)
        module.test_story = test_story  # type: ignore[attr-defined] # collected by its name
        return module
