"""Decides which certificate a camera may show for RTSPS; libav (GnuTLS) does the TLS.

Trusted is what the file `ca` vouches for (an authority, or the camera's own certificate), or the one certificate of
`fingerprint_of`, or else whatever this machine's own store vouches for. With `ca` and the store the certificate must
bear the host that stands in the url; with `fingerprint_of` it may bear any name, for it is that one certificate.
Expired ones are refused in all three cases, and so is one without any name: libav has no way to take them.

Asked for a fingerprint, the certificate is fetched first and handed to libav as the only one to trust (in memory), so
that what was compared is what the stream is encrypted for.
"""

import hashlib
import os
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.x509.oid import NameOID

from gateway.config.stream_url import endpoint
from gateway.video.ipc import CameraSource, OpenFailure

HANDSHAKE_TIMEOUT_S: Final = 3.0  # seconds
CA_BUNDLE_PATHS: Final = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")


class CertificateUntrusted(Exception):  # noqa: N818 - it says what is the matter
    """The camera is not the one that was expected, or shows no certificate."""

    def __init__(self, why: OpenFailure) -> None:
        super().__init__(why)
        self.why = why


@contextmanager
def tls_options(source: CameraSource) -> Iterator[Mapping[str, str]]:
    """Tell libav whom to trust: the options of its TLS, good until the block is left.

    Raises:
        Untrusted: the camera shows another certificate than that of the fingerprint, or one without a name, or none.
    """
    options = {"protocol_whitelist": "tls,tcp", "tls_verify": "1"}
    if source.fingerprint is None:
        ca = source.ca or system_store()
        yield {**options, "ca_file": str(ca)} if ca is not None else options
        return
    shown = _fetch_certificate(source)
    if fingerprint_of(shown) != source.fingerprint.replace(":", "").lower():
        raise CertificateUntrusted(OpenFailure.CERTIFICATE)
    held = os.memfd_create("certificate")
    try:
        os.write(held, ssl.DER_cert_to_PEM_cert(shown).encode())
        yield {**options, "ca_file": f"/proc/self/fd/{held}", "verifyhost": _certificate_name(shown)}
    finally:
        os.close(held)


def fingerprint_of(certificate: bytes) -> str:
    """SHA-256 over a certificate (DER), in hexadecimal."""
    return hashlib.sha256(certificate).hexdigest()


def certificate_fingerprint(url: str) -> str | None:
    """The fingerprint of the certificate that is shown there now, whoever shows it; None where none is."""
    try:
        return fingerprint_of(_handshake(url, _unverified_context()))
    except (OSError, ValueError):
        return None


def system_store() -> Path | None:
    """The authorities that this machine trusts, in one file."""
    places = (ssl.get_default_verify_paths().openssl_cafile, *CA_BUNDLE_PATHS)
    return next((Path(place) for place in places if Path(place).is_file()), None)


def diagnose_open_failure(source: CameraSource) -> OpenFailure:
    """Why a stream whose host is known did not open, found out by asking once more."""
    if not source.url.startswith("rtsps://"):
        return OpenFailure.NO_ANSWER
    try:
        context = (
            _unverified_context()
            if source.fingerprint
            else ssl.create_default_context(cafile=source.ca or system_store())
        )
    except OSError:  # the file cannot be read, or holds no certificate
        return OpenFailure.CERTIFICATE
    try:
        _handshake(source.url, context)
    except ssl.SSLCertVerificationError:
        return OpenFailure.CERTIFICATE
    except ssl.SSLError:
        return OpenFailure.NO_TLS
    except OSError:
        return OpenFailure.NO_ANSWER
    return OpenFailure.CERTIFICATE  # libav is stricter than OpenSSL


def _fetch_certificate(source: CameraSource) -> bytes:
    try:
        return _handshake(source.url, _unverified_context())
    except (ssl.SSLError, ValueError):
        raise CertificateUntrusted(OpenFailure.NO_TLS) from None
    except socket.gaierror:
        raise CertificateUntrusted(OpenFailure.UNKNOWN_HOST) from None
    except OSError:
        raise CertificateUntrusted(OpenFailure.NO_ANSWER) from None


def _unverified_context() -> ssl.SSLContext:
    """For looking at a certificate only: nothing is said on such a connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _handshake(url: str, context: ssl.SSLContext) -> bytes:
    """Shake hands and hang up; returns the certificate (DER)."""
    host, port = endpoint(url)
    with (
        socket.create_connection((host, port), HANDSHAKE_TIMEOUT_S) as plain,
        context.wrap_socket(plain, server_hostname=host) as secure,
    ):
        shown = secure.getpeercert(binary_form=True)
    if not shown:
        raise ValueError("no certificate was shown")
    return shown


def _certificate_name(certificate: bytes) -> str:
    """A name that the certificate bears."""
    try:
        read = x509.load_der_x509_certificate(certificate)
        names = [str(name.value) for name in read.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        for extension in read.extensions:
            if isinstance(extension.value, x509.SubjectAlternativeName):
                alternative = extension.value
                names = [
                    *alternative.get_values_for_type(x509.DNSName),
                    *map(str, alternative.get_values_for_type(x509.IPAddress)),
                ]
    except (ValueError, x509.InvalidVersion, x509.DuplicateExtension):
        raise CertificateUntrusted(OpenFailure.CERTIFICATE) from None
    if not names:
        raise CertificateUntrusted(OpenFailure.CERTIFICATE)
    return names[0].replace("*", "x")
