"""`python -m tests.bench.copying URL FILE`: a plain stream copy by PyAV, for a machine without ffmpeg."""

import sys

import av


def copy(url: str, film: str) -> None:
    """Copy until killed."""
    with av.open(url, options={"rtsp_transport": "tcp"}) as source, av.open(film, "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)


if __name__ == "__main__":
    copy(sys.argv[1], sys.argv[2])
