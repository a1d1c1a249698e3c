"""Inside an actor, before its program: Python's clients trust the emulator, whose certificate is beside this file.

agavepy and tapipy ask certifi, and nothing else, whom they may trust. Any Python since 3.5 must be able to run this.
All that the actor reaches by https is the emulator, so that no other certificate is needed.
"""

import sys
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_CERTIFICATE = _HERE / "ca.pem"


def _trust() -> None:
    try:
        import certifi
        import certifi.core
    except ImportError:
        return
    for module in (certifi, certifi.core):
        module.__dict__.update(where=lambda: str(_CERTIFICATE), contents=_CERTIFICATE.read_text)


def _go_on() -> None:
    """The image's own sitecustomize, which this one stands before."""
    ours = sys.modules.pop(__name__)
    path = list(sys.path)
    sys.path[:] = [folder for folder in path if Path(folder).resolve() != _HERE]
    try:
        __import__(__name__)
    except ImportError:
        sys.modules[__name__] = ours
    finally:
        sys.path[:] = path


_trust()
if __name__ == "sitecustomize":
    _go_on()
