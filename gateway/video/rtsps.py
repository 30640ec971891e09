"""Decides which certificate a camera may show for RTSPS; libav (GnuTLS) does the TLS.

A certificate is trusted if the file `ca` vouches for it (an authority, or the camera's own certificate), or if it has
the configured `fingerprint`, or, without both, if this machine's store vouches for it. With `ca` and with the store the
certificate must have the host of the url; with `fingerprint` it may have any name. An expired certificate and one
without a name are refused in all three cases, because libav cannot accept them.

With `fingerprint`, this module fetches the certificate first and passes it to libav (in memory) as the only trusted
one, so the stream uses the certificate that was compared.
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

HANDSHAKE_TIMEOUT_S: Final = 3.0
CA_BUNDLE_PATHS: Final = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")


class CertificateUntrusted(Exception):  # noqa: N818 - the name says the condition
    """The camera shows an unexpected certificate, or none."""

    def __init__(self, failure: OpenFailure) -> None:
        super().__init__(failure)
        self.failure = failure


@contextmanager
def tls_options(source: CameraSource) -> Iterator[Mapping[str, str]]:
    """Yield libav's TLS options for a camera, valid until the block is left.

    Raises:
        CertificateUntrusted: the certificate does not have the fingerprint, has no name, or there is none.
    """
    options = {"protocol_whitelist": "tls,tcp", "tls_verify": "1"}
    if source.fingerprint is None:
        ca = source.ca or system_store()
        yield {**options, "ca_file": str(ca)} if ca is not None else options
        return
    certificate = _handshake(source.url, _unverified_context())
    if fingerprint_of(certificate) != source.fingerprint.replace(":", "").lower():
        raise CertificateUntrusted(OpenFailure.CERTIFICATE)
    descriptor = os.memfd_create("certificate")
    try:
        os.write(descriptor, ssl.DER_cert_to_PEM_cert(certificate).encode())
        yield {**options, "ca_file": f"/proc/self/fd/{descriptor}", "verifyhost": _certificate_name(certificate)}
    finally:
        os.close(descriptor)


def fingerprint_of(certificate: bytes) -> str:
    """Return the SHA-256 of a certificate (DER), in hexadecimal."""
    return hashlib.sha256(certificate).hexdigest()


def certificate_fingerprint(url: str) -> str | None:
    """Return the fingerprint of the certificate that the server shows now; None if it shows none."""
    try:
        return fingerprint_of(_handshake(url, _unverified_context()))
    except CertificateUntrusted:
        return None


def system_store() -> Path | None:
    """Return the file with the authorities that this machine trusts; None if there is none."""
    places = (ssl.get_default_verify_paths().openssl_cafile, *CA_BUNDLE_PATHS)
    return next((Path(place) for place in places if Path(place).is_file()), None)


def diagnose_open_failure(source: CameraSource) -> OpenFailure:
    """Return why a stream whose host is known did not open, by one more TLS handshake."""
    if not source.url.startswith("rtsps://"):
        return OpenFailure.NO_ANSWER
    try:
        context = (
            _unverified_context()
            if source.fingerprint
            else ssl.create_default_context(cafile=source.ca or system_store())
        )
    except OSError:  # the file cannot be read, or has no certificate
        return OpenFailure.CERTIFICATE
    try:
        _handshake(source.url, context)
    except CertificateUntrusted as untrusted:
        return untrusted.failure
    return OpenFailure.CERTIFICATE  # libav is stricter than OpenSSL


def _unverified_context() -> ssl.SSLContext:
    """Return a context that only reads a certificate; no data is sent on its connections."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _handshake(url: str, context: ssl.SSLContext) -> bytes:
    """Make a TLS handshake, close, and return the certificate (DER)."""
    host, port = endpoint(url)
    try:
        with (
            socket.create_connection((host, port), HANDSHAKE_TIMEOUT_S) as connection,
            context.wrap_socket(connection, server_hostname=host) as secure,
        ):
            certificate = secure.getpeercert(binary_form=True)
    except ssl.SSLCertVerificationError:
        raise CertificateUntrusted(OpenFailure.CERTIFICATE) from None
    except (ssl.SSLError, ValueError):
        raise CertificateUntrusted(OpenFailure.NO_TLS) from None
    except socket.gaierror:
        raise CertificateUntrusted(OpenFailure.UNKNOWN_HOST) from None
    except OSError:
        raise CertificateUntrusted(OpenFailure.NO_ANSWER) from None
    if not certificate:
        raise CertificateUntrusted(OpenFailure.NO_TLS)
    return certificate


def _certificate_name(certificate: bytes) -> str:
    try:
        parsed = x509.load_der_x509_certificate(certificate)
        names = [str(name.value) for name in parsed.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        for extension in parsed.extensions:
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
