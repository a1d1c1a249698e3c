"""What docs/time.md shows is run as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parent.parent / "docs" / "time.md"


def examples() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def test_the_examples_of_the_page_on_time_pass(pytester: pytest.Pytester) -> None:
    for number, example in enumerate(examples()):
        pytester.makepyfile(**{f"test_example_{number}": example})

    pytester.runpytest_subprocess("--abacito-runner=process").assert_outcomes(passed=len(examples()))


def test_the_page_has_an_example_for_each_way() -> None:
    shown = "".join(examples())

    assert len(examples()) >= 5
    assert all(word in shown for word in ("travel(", "freeze(", "freeze_time", "time_machine", "abacito_clock"))
