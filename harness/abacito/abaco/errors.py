"""Everything that abacito refuses or cannot do, as one tree.

AbacoError
├── Refusal                  a request that Abaco answers with an error: ``api/refusals.py`` gives each kind its status
│   ├── Unauthenticated      no or bad credentials, as the gateway in front of Abaco answers them
│   ├── WrongPassword        a user name and password that do not go together
│   ├── GrantRefused         what the token endpoint refuses, in OAuth's words
│   ├── Unauthorized         known, but not allowed
│   ├── Malformed            the request itself is wrong
│   ├── Unknown              an id, word or path that stands for nothing, where Abaco says 404
│   ├── Absent               the same, where Abaco says 400
│   ├── WrongMethod          a path that exists, with a method that does not
│   ├── TookTooLong          an answer that did not come in time; the work itself goes on
│   └── Unrecognized         what Abaco answers with 500, because nobody caught it there
├── Unavailable              a part of the machine that is missing: no Docker, a taken port …
├── Misconfigured            settings, options, files of the user that cannot be used
├── Undecipherable           a secret that this emulator's key does not open
├── SlotLost                 another poller holds the worker slot now: stop, touch nothing
└── ContainerError           what a runner could not do
    ├── ImageUnavailable     the image cannot be had; the text is the daemon's
    ├── CreationRefused      no container can be made of this image and settings
    ├── StartRefused         made, but it would not start
    ├── NameTaken            a container of that name exists already
    ├── ContainerGone        removed under our hands
    └── RunnerAway           the runner itself does not answer; nobody's fault, try again
"""

from __future__ import annotations


class AbacoError(Exception):
    """What abacito raises on purpose; its text is for the user."""


class Refusal(AbacoError):
    """A request that is answered with an error; the text is the answer's message."""


class Unauthenticated(Refusal):
    """No credentials, or none that count: the gateway's answer (Abaco itself never says 401).

    ``code`` is the gateway's own: 900901 for a token that is unknown, expired or revoked, 900902 for none.
    ``is_expired``: it was a good one until its time was up; only older gateways tell that.
    """

    def __init__(self, message: str, code: int, *, is_expired: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.is_expired = is_expired


class WrongPassword(Refusal):
    """No such user, or another password: nobody is told which."""


class GrantRefused(Refusal):
    """No token is given; ``code`` is OAuth's word for it (RFC 6749, 5.2)."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.code = code


class Unauthorized(Refusal):
    """The caller is known and may not do this."""


class Malformed(Refusal):
    """The request's content is wrong."""


class Unknown(Refusal):
    """What was named does not exist, and Abaco answers 404."""


class Absent(Refusal):
    """What was named does not exist, and Abaco answers 400 (executions, nonces)."""


class WrongMethod(Refusal):
    """The path exists, the method does not."""


class Unrecognized(Refusal):
    """What Abaco answers with 500, because nobody caught it there: ``class_name`` is the exception's, in its words."""

    def __init__(self, class_name: str, text: str) -> None:
        super().__init__(f"Unrecognized exception type: <class '{class_name}'>. Exception: {text}")
        self.class_name = class_name


class TookTooLong(Refusal):
    """An answer did not come in time; the work itself goes on."""


class Unavailable(AbacoError):
    """Something that this machine lacks; the text names it, and how to get it."""


class Misconfigured(AbacoError):
    """A setting, option or file of the user's that cannot be used; the text names the value and the remedy."""


class Undecipherable(AbacoError):
    """A stored secret cannot be decrypted: it was encrypted with another key, or is damaged."""


class SlotLost(AbacoError):
    """The worker slot has another holder: whoever sees this stops, and writes nothing more."""


class ContainerError(AbacoError):
    """A runner could not do what was asked; the text is the daemon's or the system's."""


class ImageUnavailable(ContainerError):
    """The image is not here and cannot be had."""


class CreationRefused(ContainerError):
    """The runner will not make a container of this image with these settings."""


class StartRefused(ContainerError):
    """The container exists, and its start failed; it never ran."""


class NameTaken(ContainerError):
    """There is a container of this name already."""


class ContainerGone(ContainerError):
    """The container was removed by somebody else."""


class RunnerAway(ContainerError):
    """The runner does not answer at all (daemon stopped, socket closed); the same call may work later."""
