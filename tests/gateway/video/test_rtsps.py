"""RTSPS: a camera whose certificate is not the expected one is refused before it is told anything."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from gateway.mqtt.mosquitto.provisioning import free_port
from gateway.video.ipc import CameraSource, OpenFailure
from gateway.video.probe import probe_stream
from gateway.video.rtsps import certificate_fingerprint
from gateway.video.stream import StreamLost, read_packets
from tests.foreign import ForeignCamera, foreign_camera
from tests.foreign.papers import CertificateFiles, make_certificate

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class OnTls:
    """A camera for each kind of certificate."""

    papers: Mapping[str, CertificateFiles]
    cameras: Mapping[str, ForeignCamera]


@pytest.fixture(scope="module")
def on_tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnTls]:
    folder = tmp_path_factory.mktemp("papers")
    papers = {
        "named": make_certificate(folder, "named", ip=True),
        "model": make_certificate(folder, "model", ip=False),
        "expired": make_certificate(folder, "expired", ip=True, days=-3),
    }
    with ExitStack() as stack:
        cameras = {
            name: stack.enter_context(foreign_camera(certificate=str(one.certificate), key=str(one.key)))
            for name, one in papers.items()
        }
        yield OnTls(papers, cameras)


def why(source: CameraSource) -> OpenFailure | None:
    try:
        next(read_packets(source))
    except StreamLost as lost:
        return lost.open_failure
    return None


@pytest.mark.parametrize(
    ("camera", "trusted", "told"),
    [
        ("named", ("ca", "named"), None),
        ("named", ("fingerprint", "named"), None),
        ("model", ("fingerprint", "model"), None),
        ("model", ("ca", "model"), OpenFailure.CERTIFICATE),  # it bears another host than the url names
        ("named", ("ca", "model"), OpenFailure.CERTIFICATE),
        ("named", ("fingerprint", "model"), OpenFailure.CERTIFICATE),
        ("named", None, OpenFailure.CERTIFICATE),  # no authority that this machine trusts
        ("expired", ("ca", "expired"), OpenFailure.CERTIFICATE),
        ("expired", ("fingerprint", "expired"), OpenFailure.CERTIFICATE),
    ],
)
def test_only_the_camera_that_was_expected_is_watched(
    on_tls: OnTls, camera: str, trusted: tuple[str, str] | None, told: OpenFailure | None
) -> None:
    given: dict[str, object] = {}
    if trusted is not None:
        shown = on_tls.papers[trusted[1]]
        given = {trusted[0]: shown.certificate if trusted[0] == "ca" else shown.digest}
    assert why(on_tls.cameras[camera].source(**given)) is told


def test_a_fingerprint_is_taken_as_openssl_prints_it(on_tls: OnTls) -> None:
    digest = on_tls.papers["model"].digest.upper()
    printed = ":".join(digest[n : n + 2] for n in range(0, 64, 2))
    assert why(on_tls.cameras["model"].source(fingerprint=printed)) is None


async def test_whoever_sets_it_up_is_told_which_certificate_is_shown(on_tls: OnTls) -> None:
    looked = await probe_stream(on_tls.cameras["model"].source())
    assert (looked.unopened, looked.shown) == (OpenFailure.CERTIFICATE, on_tls.papers["model"].digest)


def test_a_camera_that_speaks_no_tls_and_one_that_is_away_are_told_apart(on_tls: OnTls) -> None:
    expected = {"fingerprint": on_tls.papers["named"].digest}
    with foreign_camera() as plain:
        url = f"rtsps://127.0.0.1:{plain.make.port}/cam"
        for given in ({}, expected):
            assert why(CameraSource.model_validate({"name": "front", "url": url, **given})) is OpenFailure.NO_TLS
    away = f"rtsps://127.0.0.1:{free_port()}/cam"
    for given in ({}, expected):
        assert why(CameraSource.model_validate({"name": "front", "url": away, **given})) is OpenFailure.NO_ANSWER
    assert certificate_fingerprint(away) is None
