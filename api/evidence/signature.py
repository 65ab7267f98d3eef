"""Signatures of sheets: made by the office's key (PAdES B-B, ETSI EN 319 142-1), and judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from pyhanko.keys import load_certs_from_pemder, load_private_key_from_pemder
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign import PdfSignatureMetadata, SimpleSigner, signers
from pyhanko.sign.fields import SigSeedSubFilter
from pyhanko.sign.general import SigningError
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko.sign.validation.errors import SignatureValidationError
from pyhanko.sign.validation.status import SignatureCoverageLevel
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.registry import SimpleCertificateStore

from api.evidence.settings import PKCS12, SigningSettings
from gis.errors import BadInput, UnreadableFile

FIELD: Final = "DiabaEvidence"


@dataclass(frozen=True, slots=True)
class Signature:
    """What a signature of a file says."""

    signer: str
    """The certificate's subject, as it names itself."""
    is_intact: bool
    """The bytes that were signed are those of the file, and nothing was added after them."""
    is_trusted: bool | None
    """Whether a believed authority vouches for the signer; None where none was named."""

    @property
    def is_good(self) -> bool:
        """Whether nothing speaks against it."""
        return self.is_intact and self.is_trusted is not False


@cache
def signer_of(settings: SigningSettings) -> SimpleSigner:
    """The key, opened once for as long as the program runs.

    Raises:
        UnreadableFile: key, certificate or password do not fit.
    """
    signer: Any
    try:
        if settings.key.suffix.lower() in PKCS12:
            signer = SimpleSigner.load_pkcs12(str(settings.key), passphrase=settings.password)
        else:
            signer = _of_pem(settings)
    except (ValueError, OSError, TypeError, SigningError) as error:
        raise UnreadableFile(settings.key, "the key, its certificate or its password cannot be used") from error
    if not isinstance(signer, SimpleSigner):
        raise UnreadableFile(settings.key, "the key, its certificate or its password cannot be used")
    return signer


def sign(document: bytes, signer: SimpleSigner, reason: str) -> bytes:
    """The document with a signature after it; what was there keeps its bytes."""
    metadata = PdfSignatureMetadata(field_name=FIELD, reason=reason, subfilter=SigSeedSubFilter.PADES)
    made = signers.sign_pdf(IncrementalPdfFileWriter(BytesIO(document)), metadata, signer=signer)
    return bytes(made.getbuffer())


def signatures(document: bytes, authorities: Sequence[Path] = ()) -> tuple[Signature, ...]:
    """What the signatures of a PDF say, judged without a network.

    Args:
        document: The file.
        authorities: Certificates (PEM or DER) that are believed.

    Raises:
        BadInput: an authority's file cannot be read.
    """
    try:
        roots = list(load_certs_from_pemder([str(path) for path in authorities]))
    except (ValueError, OSError) as error:
        raise BadInput(f"{authorities[0]}: no certificate can be read") from error
    try:
        embedded = PdfFileReader(BytesIO(document), strict=False).embedded_signatures
        return tuple(_judged(one, roots) for one in embedded)
    except (PdfError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"the file's signature cannot be read ({str(error)[:100]})") from error


def _judged(one: Any, roots: list[Any]) -> Signature:
    name = str(one.signer_cert.subject.human_friendly)
    try:
        status = validate_pdf_signature(one, ValidationContext(trust_roots=roots, allow_fetching=False))
    except SignatureValidationError:
        return Signature(name, False, None if not roots else False)
    # A sheet is signed last: what follows the signature is somebody else's.
    intact = bool(status.intact and status.valid and status.coverage is SignatureCoverageLevel.ENTIRE_FILE)
    return Signature(name, intact, bool(status.trusted) if roots else None)


def _of_pem(settings: SigningSettings) -> SimpleSigner:
    """A signer of a file of a key, and one that holds its certificate first and then those of its authorities."""
    chain = list(load_certs_from_pemder([str(settings.certificate)]))
    if not chain:
        raise ValueError("no certificate")
    store = SimpleCertificateStore()
    store.register_multiple(chain[1:])
    key = load_private_key_from_pemder(str(settings.key), settings.password)
    return SimpleSigner(signing_cert=chain[0], signing_key=key, cert_registry=store)
