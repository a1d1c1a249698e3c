"""A certificate authority of our own, for clients that speak nothing but https."""

from __future__ import annotations

import ipaddress
import os
import ssl
import tempfile
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

#: Whatever else is asked for, these are in every certificate (clients #4).
_ALWAYS = frozenset({"localhost", "127.0.0.1"})

_VALID_SINCE = timedelta(days=1)  # a client's clock may be behind
_VALID_FOR = timedelta(days=730)  # of longer ones some clients think ill


@dataclass(frozen=True, slots=True)
class _Holder:
    """A certificate, and the key that it is for."""

    certificate: x509.Certificate
    key: EllipticCurvePrivateKey

    @classmethod
    def root(cls) -> Self:
        """An authority, whose certificate it signs itself."""
        key = generate_private_key(SECP256R1())
        subject = _name("abacito's own authority")
        builder = _builder(subject, subject, key, key)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_usage(of_authority=True), critical=True)
        return cls(builder.sign(key, SHA256()), key)

    def issue(self, hosts: Iterable[str]) -> Self:
        """One for a server of these names and addresses."""
        key = generate_private_key(SECP256R1())
        builder = _builder(_name("abacito"), self.certificate.subject, key, self.key)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_usage(of_authority=False), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        names = x509.SubjectAlternativeName([_alternative(host) for host in sorted(hosts)])
        return type(self)(builder.add_extension(names, critical=False).sign(self.key, SHA256()), key)

    @property
    def pem(self) -> str:
        """The certificate alone, as PEM."""
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        """The key, as PEM, unencrypted."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


class Authority:
    """Issues certificates that verify with ``ca_pem``. Its key is made when first needed, and dies with the process.

    All of it may be asked from any thread.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._made: _Holder | None = None
        self._contexts: dict[frozenset[str], ssl.SSLContext] = {}

    @property
    def ca_pem(self) -> str:
        """The certificate that clients are to trust, as PEM."""
        return self._root().pem

    def server_context(self, hosts: Iterable[str]) -> ssl.SSLContext:
        """For a server that is ``hosts`` (names or addresses) and this machine; the same one when asked again."""
        names = _ALWAYS | {host.lower() for host in hosts}
        with self._lock:
            if names not in self._contexts:
                self._contexts[names] = _server_context(self._root().issue(names))
            return self._contexts[names]

    def _root(self) -> _Holder:
        with self._lock:
            if self._made is None:
                self._made = _Holder.root()
            return self._made


def _server_context(holder: _Holder) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    # ssl takes keys from files only. This one only we can read, and it is gone when it has been read.
    with tempfile.NamedTemporaryFile("w", prefix="abacito-", suffix=".pem") as file:
        file.write(holder.key_pem + holder.pem)
        file.flush()
        context.load_cert_chain(file.name)
    return context


def _builder(
    subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey, signer: EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    """What both kinds have; strict clients want the two key identifiers."""
    now = _real_now()
    return (
        x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _VALID_SINCE)
        .not_valid_after(now + _VALID_FOR)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _usage(*, of_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=of_authority,
        crl_sign=of_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _real_now() -> datetime:
    """The machine's time, by a file that is made now: a test that moves Python's clocks does not move OpenSSL's."""
    with tempfile.TemporaryFile() as file:
        return datetime.fromtimestamp(os.fstat(file.fileno()).st_mtime, UTC)
