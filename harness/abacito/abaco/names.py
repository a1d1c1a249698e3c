"""What may not be in the name of an alias or a config."""

from __future__ import annotations

from collections.abc import Sequence

from abacito.abaco.errors import Malformed

#: The longest name, in bytes of its UTF-8: the store keeps names in its keys, and DynamoDB's sort keys end at 1,024.
LONGEST_NAME_BYTES = 1_000


def check_name(
    name: str, reserved: Sequence[str], forbidden: Sequence[str], *, kind: str, name_kind: str, shown: str
) -> None:
    """Raises Malformed for a reserved word, or naming the first of the ``forbidden`` characters that occurs.

    Those texts are Abaco's: ``kind`` as the first one says it, ``name_kind`` as the second, ``shown`` the list there.
    What is longer than LONGEST_NAME_BYTES is refused last, in words of ours: Abaco has no such limit.
    """
    if name in reserved:
        raise Malformed(
            f"{name} is a reserved word. The following reserved words cannot be used for {kind}: {list(reserved)}."
        )
    bad = next((character for character in forbidden if character in name), None)
    if bad is not None:
        raise Malformed(
            f"'{bad}' is a forbidden character. The following characters cannot be used for {name_kind}: {shown}."
        )
    if len(name.encode()) > LONGEST_NAME_BYTES:
        raise Malformed(f"The name is too long: {name_kind} may have {LONGEST_NAME_BYTES} bytes.")
