"""`python -m tests.bench.copying URL [FILE]`: a plain stream copy by PyAV, for a machine without ffmpeg.

Without FILE it only reads the packets, as the video process does, and discards them: the cost of reading alone.
"""

import sys

import av

from gateway.video.stream import OPEN_TIMEOUT_S, READ_TIMEOUT_S, RTSP_OPTIONS


def read(url: str) -> None:
    """Read until killed."""
    with av.open(url, options=dict(RTSP_OPTIONS), timeout=(OPEN_TIMEOUT_S, READ_TIMEOUT_S)) as source:
        for _ in source.demux(video=0):
            pass


def copy(url: str, film: str) -> None:
    """Copy until killed."""
    with av.open(url, options={"rtsp_transport": "tcp"}) as source, av.open(film, "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)


if __name__ == "__main__":
    (copy if len(sys.argv) > 2 else read)(*sys.argv[1:])
