"""`python -m tests.bench.blind --socket PATH`: the video process without decoding, to tell what decoding costs."""

import sys
from unittest import mock

from av.packet import Packet
from av.video.stream import VideoStream

from gateway.video.__main__ import main
from gateway.video.frame_analysis import FrameAnalyser, LabelReading


class NoDecodingEye(FrameAnalyser):
    """Takes every picture for sound, unseen."""

    def see(
        self,
        packet: "Packet[VideoStream]",  # noqa: ARG002 - Eye's own
        now: float,
        *,
        full: bool,  # noqa: ARG002 - the same
        closely: bool,  # noqa: ARG002 - the same
        labels: bool,  # noqa: ARG002 - the same
    ) -> list[LabelReading]:
        """Decode nothing."""
        self._liveness.add_picture(now)
        return []


if __name__ == "__main__":
    with mock.patch("gateway.video.camera.FrameAnalyser", NoDecodingEye):
        sys.exit(main())
