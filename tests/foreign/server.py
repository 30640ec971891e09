"""A camera out of GStreamer's RTSP server. Run by the system's Python; see `tests.foreign.CameraModel`.

Its first line of input says what it is; each further one, `{"size": [width, height]}`, changes its pictures' size.
"""

import json
import sys
import threading
from typing import Any

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gio, GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402 - the versions come first

SOUND = {
    "": "",
    "pcma": "audiotestsrc is-live=true ! audio/x-raw,rate=8000,channels=1 ! alawenc ! rtppcmapay name=pay1 pt=8",
    "aac": "audiotestsrc is-live=true ! audioconvert ! voaacenc ! rtpmp4gpay name=pay1 pt=97",
}
H264 = (
    "x264enc tune={tune} speed-preset=ultrafast key-int-max=15 bframes={b} b-adapt=false threads=1"
    " ! video/x-h264,profile={profile} ! rtph264pay config-interval=-1 name=pay0 pt=96"
)
H265 = "x265enc tune=zerolatency speed-preset=ultrafast key-int-max=15 ! rtph265pay config-interval=-1 name=pay0 pt=96"
EVERYBODY_ROLE = "everybody"


def pictures(width: int, height: int) -> str:
    """The raw pictures' form."""
    return f"video/x-raw,format=I420,width={width},height={height},framerate=15/1"


def launch_line(make: dict[str, Any]) -> str:
    """GStreamer's words for this camera: a ball that jumps about, and a tone."""
    again = make["reordered"]
    h264 = H264.format(b=2 if again else 0, profile="main" if again else "baseline", tune=0 if again else "zerolatency")
    return (
        f"( videotestsrc is-live=true pattern=ball ! capsfilter name=size caps={pictures(*make['size'])}"
        f" ! {h264 if make['codec'] == 'h264' else H265} {SOUND[make['sound']]} )"
    )


def secure(make: dict[str, Any], server: Any, factory: Any) -> None:  # noqa: ANN401 - GStreamer has no types
    """Ask for the account (Digest), and show the certificate, where there are any."""
    if not (make["user"] or make["certificate"]):
        return
    auth, token = GstRtspServer.RTSPAuth(), GstRtspServer.RTSPToken()
    token.set_string(GstRtspServer.RTSP_TOKEN_MEDIA_FACTORY_ROLE, EVERYBODY_ROLE)
    if make["user"]:
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        auth.add_digest(make["user"], make["password"], token)
    else:
        auth.set_default_token(token)
    if make["certificate"]:
        auth.set_tls_certificate(Gio.TlsCertificate.new_from_files(make["certificate"], make["key"]))
    permissions = GstRtspServer.RTSPPermissions()
    for permission in ("media.factory.access", "media.factory.construct"):
        permissions.add_permission_for_role(EVERYBODY_ROLE, permission, True)  # noqa: FBT003 - GStreamer's own order
    factory.set_permissions(permissions)
    server.set_auth(auth)


def main() -> None:
    """Serve until the input ends."""
    make = json.loads(sys.stdin.readline())
    Gst.init(None)
    server = GstRtspServer.RTSPServer(address="127.0.0.1", service=str(make["port"]))
    factory = GstRtspServer.RTSPMediaFactory(shared=True)
    factory.set_launch(launch_line(make))
    running: list[Any] = []
    factory.connect("media-configure", lambda _factory, media: running.append(media))
    # A viewer that is slow for a moment gets every picture late, and none is lost where it should be filmed.
    server.connect("client-connected", lambda _server, client: client.set_property("drop-backlog", False))  # noqa: FBT003 - GObject's own order
    server.get_mount_points().add_factory("/cam", factory)
    secure(make, server, factory)
    server.attach(None)
    loop = GLib.MainLoop()

    def hear() -> None:
        for line in sys.stdin:
            words = json.loads(line)
            factory.set_launch(launch_line({**make, **words}))  # for who connects anew
            caps = Gst.Caps.from_string(pictures(*words["size"]))
            running[-1].get_element().get_by_name("size").set_property("caps", caps)
        loop.quit()

    threading.Thread(target=hear, daemon=True).start()
    sys.stdout.write("serves\n")
    sys.stdout.flush()
    loop.run()


if __name__ == "__main__":
    main()
