"""Encryption of secrets at rest: Fernet, as Abaco 1.9 does it (encrypt_utils.py)."""

from __future__ import annotations

import hashlib

from cryptography.fernet import Fernet, InvalidToken

from abacito.abaco.errors import Misconfigured, Undecipherable


class FernetCipher:
    """``ports.Cipher`` with one key: 32 bytes as url-safe base64. Without one, a key that dies with the process.

    Raises Misconfigured for what is no key.
    """

    def __init__(self, key: str | None = None) -> None:
        self.key = key or Fernet.generate_key().decode()
        self.is_made_up = key is None
        try:
            self._fernet = Fernet(self.key)
        except ValueError as error:
            raise Misconfigured(
                "encryption_key must be 32 bytes as url-safe base64; this makes one: "
                'python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"'
            ) from error

    @property
    def mark(self) -> str:
        """By this the key is known, and nothing else: the beginning of its SHA-256."""
        return hashlib.sha256(self.key.encode()).hexdigest()[:16]

    def encrypt(self, text: str) -> str:
        """The ciphertext: ``gAAAA…``, another one each time."""
        return self._fernet.encrypt(text.encode()).decode()

    def decrypt(self, ciphertext: str) -> str:
        """The text again. Raises Undecipherable."""
        try:
            return self._fernet.decrypt(ciphertext.encode()).decode()
        except InvalidToken as error:
            raise Undecipherable("a secret was encrypted with another key") from error
