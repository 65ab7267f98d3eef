"""What an installation signs its evidence sheets with, read from the environment; without it sheets are not signed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gis.errors import BadParameter


@dataclass(frozen=True, slots=True)
class SigningSettings:
    """Files of a key, its certificate, and of whom the certificate is believed. None of them lies in the repository."""

    key: Path
    """DIABA_SIGNING_KEY: the private key (PEM), or key and certificates as PKCS #12 (.p12, .pfx)."""
    certificate: Path | None = None
    """DIABA_SIGNING_CERTIFICATE: the certificate and those up to its authority, PEM; with a key in PEM."""
    password_file: Path | None = None
    """DIABA_SIGNING_PASSWORD_FILE: a file whose first line opens the key."""

    @property
    def password(self) -> bytes | None:
        """What opens the key."""
        if self.password_file is None:
            return None
        lines = self.password_file.read_bytes().splitlines()
        return lines[0] if lines else b""


def signing(environment: Mapping[str, str] | None = None) -> SigningSettings | None:
    """The settings; None where no key is configured.

    Raises:
        BadParameter: a file is not there, or a key in PEM has no certificate.
    """
    env = os.environ if environment is None else environment
    key = _file(env, "DIABA_SIGNING_KEY")
    if key is None:
        return None
    certificate = _file(env, "DIABA_SIGNING_CERTIFICATE")
    if certificate is None and key.suffix.lower() not in PKCS12:
        raise BadParameter("DIABA_SIGNING_CERTIFICATE", "", "a key in PEM needs the file of its certificate")
    return SigningSettings(key, certificate, _file(env, "DIABA_SIGNING_PASSWORD_FILE"))


PKCS12 = (".p12", ".pfx")


def _file(env: Mapping[str, str], name: str) -> Path | None:
    told = env.get(name, "").strip()
    if not told:
        return None
    path = Path(told).expanduser()
    if not path.is_file():
        raise BadParameter(name, told, "there is no such file")
    return path
