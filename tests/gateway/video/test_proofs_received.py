"""Which lines of a video process the gateway accepts as a proof, and which of them it parses."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import pytest

from gateway.video import client as module
from gateway.video.client import MAX_PROOF_AGE_S, VideoClient
from gateway.video.ipc import CameraProof, ClipKey, ConfigureCameras, FromVideo, StreamFault, VideoHello
from tests.waiting import wait_until

VISIT = ClipKey(visit="visit-1", part=1)
LIVE = CameraProof(camera="front", at=0.0, live=True, moving=True, recording=VISIT, recordings=(VISIT,))
STALLED = CameraProof(camera="front", at=0.0, live=False, moving=False, faults=(StreamFault.STALL,))
OTHER = CameraProof(camera="hall", at=0.0, live=True, moving=False)


def line_of(proof: CameraProof, at: float) -> bytes:
    """A proof as the video process writes it."""
    return b'{"at":%r,%b\n' % (at, proof.model_dump_json(exclude={"at"}).encode()[1:])


class Link:
    """A gateway's client, and a video process that says what the test tells it."""

    def __init__(self, client: VideoClient, says: asyncio.StreamWriter, told: list[FromVideo]) -> None:
        self.client, self._says, self._told = client, says, told

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def say(self, *lines: bytes) -> None:
        self._says.writelines(lines)

    @property
    def edges(self) -> list[CameraProof]:
        """The proofs that were passed on."""
        return [message for message in self._told if isinstance(message, CameraProof)]


@pytest.fixture
async def link(tmp_path: Path) -> AsyncIterator[Link]:
    told: list[FromVideo] = []
    writers: list[asyncio.StreamWriter] = []
    server = await asyncio.start_unix_server(lambda _reader, writer: writers.append(writer), tmp_path / "v.sock")
    client = VideoClient(
        command=("/nonexistent/video",), socket=tmp_path / "v.sock",
        configure=ConfigureCameras(cameras=(), folder=str(tmp_path)), on_event=told.append,
    )  # fmt: skip
    running = asyncio.create_task(client.run())
    await wait_until(lambda: bool(writers))
    writers[0].write(VideoHello(pid=1, recording=()).model_dump_json().encode() + b"\n")
    await wait_until(lambda: client.is_connected)
    yield Link(client, writers[0], told)
    running.cancel()
    await asyncio.wait([running])
    server.close()
    for writer in writers:  # it connects again after each conversation
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The lines that were parsed."""
    lines: list[bytes] = []
    parse = VideoClient._parse  # noqa: SLF001 - counts its calls

    def noting(client: VideoClient, line: bytes) -> FromVideo | None:
        lines.append(line)
        return parse(client, line)

    monkeypatch.setattr(VideoClient, "_parse", noting)
    return lines


async def test_a_proof_that_claims_the_same_is_as_new_as_its_last_line_and_is_parsed_once(
    link: Link, parsed: list[bytes]
) -> None:
    began = link.now
    lines = [line_of(proof, began + 0.01 * number) for number in range(20) for proof in (LIVE, OTHER)]
    link.say(*lines)
    await wait_until(lambda: "hall" in link.client.proofs and link.client.proofs["hall"].at == began + 0.19)
    assert link.client.proofs == {
        "front": LIVE.model_copy(update={"at": began + 0.19}),
        "hall": OTHER.model_copy(update={"at": began + 0.19}),
    }
    assert link.edges == [proof.model_copy(update={"at": began}) for proof in (LIVE, OTHER)]
    assert parsed[-2:] == lines[:2]


async def test_each_change_is_passed_on_also_back_to_what_was_claimed_before(link: Link) -> None:
    began = link.now
    claims = (LIVE, LIVE, STALLED, LIVE, STALLED, STALLED, LIVE)
    link.say(*(line_of(proof, began + 0.01 * number) for number, proof in enumerate(claims)))
    await wait_until(lambda: len(link.edges) == 5)
    assert [(proof.live, proof.at) for proof in link.edges] == [
        (True, began), (False, began + 0.02), (True, began + 0.03), (False, began + 0.04), (True, began + 0.06)
    ]  # fmt: skip


async def test_a_proof_that_faded_and_comes_again_is_passed_on_again(
    link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_PROOF_AGE_S", 0.2)
    link.say(line_of(LIVE, link.now))
    await wait_until(lambda: len(link.edges) == 2)
    assert not link.edges[1].live
    assert link.client.proofs == {}
    link.say(line_of(LIVE, link.now))
    await wait_until(lambda: len(link.edges) >= 3)
    assert link.edges[2].live


BAD: dict[str, Callable[[bytes], bytes]] = {
    "no time": lambda line: line.replace(b'"at":', b'"at":nan'),
    "a time in words": lambda line: line.replace(b'"at":', b'"at":"soon",'),
    "a time of 400 digits": lambda line: line.replace(b'"at":', b'"at":' + b"9" * 400),
    "a field too many": lambda line: line.replace(b',"live"', b',"x":1,"live"'),
    "a torn line": lambda line: line[: len(line) // 2] + b"\n",
    "a line that only begins so": lambda line: line.replace(b"}\n", b"}}\n"),
}


@pytest.mark.parametrize("what", BAD)
async def test_what_is_no_proof_ends_the_conversation_and_is_named_also_after_good_ones(
    link: Link, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    good = line_of(LIVE, link.now)
    link.say(good, good)
    await wait_until(lambda: link.client.proofs.keys() == {"front"})
    link.say(BAD[what](good))
    await wait_until(lambda: not link.client.is_connected)
    assert link.client.proofs == {}
    assert not link.edges[-1].live
    assert "the video process is given up" in caplog.text


async def test_a_time_that_lies_too_far_back_renews_nothing(link: Link) -> None:
    link.say(line_of(LIVE, link.now), line_of(LIVE, max(0.5, link.now - 2 * MAX_PROOF_AGE_S)))
    await wait_until(lambda: len(link.edges) == 2)
    assert not link.edges[1].live
