"""`python -m tests.bench.blind --socket PATH`: the video process without decoding, to tell what decoding costs."""

import sys
from unittest import mock

from av.packet import Packet
from av.video.stream import VideoStream

from gateway.video.__main__ import main
from gateway.video.frame_analysis import FrameAnalyser, LabelReading


def take_for_sound(
    analyser: FrameAnalyser,
    packet: "Packet[VideoStream]",  # noqa: ARG001 - the method's own
    now: float,
    **_options: bool,
) -> list[LabelReading]:
    """Decode nothing and take the picture for a valid one, unseen."""
    analyser._liveness.add_picture(now)  # noqa: SLF001 - stands for a method of this class
    return []


if __name__ == "__main__":
    # A method of another name would leave decoding on: mock refuses to replace what does not exist
    with mock.patch.object(FrameAnalyser, "analyse", take_for_sound):
        sys.exit(main())
