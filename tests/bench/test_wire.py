"""The benches' own MQTT client against the examples of the standard and against a real broker."""

import asyncio

import pytest

from tests.bench.wire import CORRELATION, LeanClient, connected, properties_of, publication, read_variable, variable
from tests.mosquitto import mosquitto


@pytest.mark.parametrize(
    ("number", "encoded"),  # MQTT 5, table 1-1
    [(0, "00"), (127, "7f"), (128, "8001"), (16_383, "ff7f"), (16_384, "808001"), (268_435_455, "ffffff7f")],
)
def test_a_variable_byte_integer_is_as_the_standard_has_it(number: int, encoded: str) -> None:
    assert variable(number).hex() == encoded
    assert read_variable(bytes.fromhex(encoded), 0) == (number, len(encoded) // 2)


def test_properties_are_found_among_others() -> None:
    sent = publication("a/b", b"payload", 7, b"17:4", (("boot", "x"), ("seq", "1")))
    found, end = properties_of(sent, 2 + 2 + len("a/b") + 2)
    assert (found[CORRELATION], sent[end:]) == (b"17:4", b"payload")


async def test_more_messages_than_the_broker_takes_at_once_come_back_in_order_with_their_correlation() -> None:
    came: list[tuple[str, bytes, bytes | None]] = []
    all_came = asyncio.Event()

    def on_message(topic: str, payload: bytes, correlation: bytes | None, _at: float) -> None:
        came.append((topic, payload, correlation))
        if len(came) == 500:
            all_came.set()

    client = LeanClient(on_message)
    async with mosquitto({"street": "word"}, "user street\ntopic readwrite #\n") as broker:
        async with connected(client, broker.port, "street", "word"):
            await client.subscribe("bench/+")
            for n in range(500):
                client.publish(f"bench/{n}", b"p" * n, correlation=str(n).encode())
            async with asyncio.timeout(30):
                await all_came.wait()
        with pytest.raises(ConnectionRefusedError):
            async with connected(LeanClient(on_message), broker.port, "street", "wrong"):
                pass
    assert came == [(f"bench/{n}", b"p" * n, str(n).encode()) for n in range(500)]
