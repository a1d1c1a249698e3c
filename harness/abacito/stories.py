"""Stories as pytest collects them: one YAML file, one test, on the session's emulator or one with its users."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from abacito.scenario.ask import Target
from abacito.scenario.play import play
from abacito.scenario.story import load
from abacito.scenario.users import settings_for

if TYPE_CHECKING:
    from abacito.client import Abaco
    from abacito.emulator import Emulator
    from abacito.settings import Settings


class StoryFile(pytest.Module):
    """A module that is not in Python: its one test plays the story. Raises Misconfigured when it cannot be read."""

    def _getobj(self) -> ModuleType:
        story = load(self.path)

        @pytest.fixture(autouse=True)
        def with_users(request: pytest.FixtureRequest, abacito_settings: Settings) -> None:
            wanted = settings_for(story, abacito_settings)
            request.applymarker(pytest.mark.abacito(users=wanted.users))

        def test_story(abacito: Abaco, abacito_emulator: Emulator) -> None:
            users = abacito_emulator.users
            tokens = {user.username: abacito_emulator.token_for(user.username, user.tenant) for user in users}
            target = Target(abacito.url, abacito.token, tokens, abacito_emulator.settings.case)
            outcome = play(story, target, lambda report: None)
            if outcome.failure:
                pytest.fail(str(outcome.failure), pytrace=False)

        module = ModuleType(self.path.stem, story.title)
        module.__dict__.update(with_users=with_users, test_story=test_story)  # collected by its name
        return module
