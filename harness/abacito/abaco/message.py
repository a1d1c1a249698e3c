"""A message bound for one actor's mailbox."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

#: A variable holds at most 128 KiB, its name and NUL included; with a longer one nothing starts (execution §1.3, §7).
LONGEST_STATE = 131_072 - len("_abaco_actor_state=") - 1


@dataclass(frozen=True, slots=True)
class Message:
    """What one execution is started with.

    ``text`` becomes MSG (None: no MSG at all), or ``binary`` becomes the pipe. ``content_type`` is what the actor
    reads in ``_abaco_Content_Type``. ``variables`` are the query parameters, then what the API sets over them.

    ``pinned`` is there when an execution is run again: what the first one had of its actor, which counts over what
    the actor has now.
    """

    text: str | None
    content_type: str
    binary: bytes | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    pinned: Mapping[str, str | None] | None = None

    def to_document(self) -> str:
        """As JSON, binary data as base64."""
        binary = None if self.binary is None else base64.b64encode(self.binary).decode()
        parts = [self.text, self.content_type, binary, dict(self.variables), self.pinned]
        return json.dumps(parts, separators=(",", ":"))

    @classmethod
    def from_document(cls, document: str) -> Self:
        """The message whose ``to_document`` this was."""
        text, content_type, binary, variables, pinned = json.loads(document)
        return cls(text, content_type, None if binary is None else base64.b64decode(binary), variables, pinned)


def as_text(value: Any) -> str | None:
    """A JSON value as an actor sees it: text as it is, all else as Python's ``str()``, null as nothing.

    Abaco 1.9 passes it through the Docker library's formatting, so actors get ``{'a': True}``, never JSON.
    """
    return None if value is None else str(value)
