import pytest

from gateway.hub.sdk.event_stream import MAX_MESSAGE_CHARS, EventStreamReader, ServerSentEvent

STREAM = (
    b"retry: 2000\n\n: still here\n\nid: evt-1\nevent: ping\ndata: {}\n\n"
    b"id: evt-2\r\nevent: delivery.changed\r\ndata: one\r\ndata: two\r\n\r\ndata: \xc3\xa9\n\n"
)


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_a_stream_reads_the_same_however_it_is_cut_into_parts(size: int) -> None:
    reader = EventStreamReader()
    found = [one for at in range(0, len(STREAM), size) for one in reader.feed(STREAM[at : at + size])]
    assert found == [
        ServerSentEvent("evt-1", "ping", "{}"),
        ServerSentEvent("evt-2", "delivery.changed", "one\ntwo"),
        ServerSentEvent("evt-2", "message", "é"),
    ]
    assert reader.last_event_id == "evt-2"


def test_what_had_begun_when_it_was_cut_off_is_asked_for_again() -> None:
    reader = EventStreamReader(last="evt-1")
    assert list(reader.feed(b"id: evt-2\ndata: half")) == []
    reader.discard_unfinished()
    assert reader.last_event_id == "evt-1", "the message was not whole"
    assert list(reader.feed(b"id: evt-2\ndata: whole\n\n")) == [ServerSentEvent("evt-2", "message", "whole")]


def test_a_message_without_an_end_is_not_kept() -> None:
    with pytest.raises(ValueError, match="too large"):
        list(EventStreamReader().feed(b"data: " + b"x" * MAX_MESSAGE_CHARS + b"x"))
