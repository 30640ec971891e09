"""Explains why a camera's stream does not open. No text can contain a password."""

from collections.abc import Mapping

from gateway.system.i18n import Text, _
from gateway.video.ipc import OpenFailure

OPEN_FAILURE_TEXTS: Mapping[OpenFailure, tuple[Text, Text]] = {
    OpenFailure.UNKNOWN_HOST: (_("nobody knows a host of this name"), _("Look at its url, or write its IP address.")),
    OpenFailure.NO_ANSWER: (_("it does not answer"), _("Look at its power, its network and its url.")),
    OpenFailure.LOGIN_REFUSED: (
        _("it refuses the user or the password"),
        _(
            "Correct its credentials_file: it is tried again when that changes, else every 5 min (cameras lock "
            "accounts)."
        ),
    ),
    OpenFailure.LOGIN_UNUSABLE: (
        _("its credentials_file cannot be used"),
        _("It is one line user:password that only the box's own user may read (chmod 600)."),
    ),
    OpenFailure.NO_SUCH_STREAM: (
        _("it has no stream of this name"),
        _("Look up the path of its url: each maker has another."),
    ),
    OpenFailure.NOT_H264: (
        _("its pictures are not H.264"),
        _("Set its video codec to H.264 (not H.265, H.264+ or MJPEG), or name its second stream."),
    ),
    OpenFailure.NO_PICTURES: (
        _("it sends no pictures"),
        _("Look at its url: this stream may be sound only, or switched off."),
    ),
    OpenFailure.CERTIFICATE: (
        _("its certificate is not the one that was expected, or has expired"),
        _(
            "Give its fingerprint, or its authority's ca. One that expired or has no name must be made anew in the "
            "camera."
        ),
    ),
    OpenFailure.NO_TLS: (
        _("it does not speak TLS there"),
        _("Look at its url: rtsps:// needs its TLS port, often 322."),
    ),
    OpenFailure.SENT_ELSEWHERE: (
        _("it sends whoever asks to another address"),
        _("Write that address as its url if you trust it: Perron follows nobody."),
    ),
    OpenFailure.TURNED_AWAY: (
        _("it is there and turns us away"),
        _("Most cameras serve two to four viewers: end another one, or take its pictures from Frigate."),
    ),
    OpenFailure.NO_TCP: (_("it sends pictures over UDP only"), _("Allow RTSP over TCP (interleaved) in the camera.")),
    OpenFailure.NOT_UNDERSTOOD: (
        _("what answers there is no RTSP server"),
        _("Look at the port in its url, often 554."),
    ),
}
