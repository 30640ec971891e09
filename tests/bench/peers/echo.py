"""`python -m tests.bench.peers.echo --port PORT --password WORD`: a bare aiomqtt echo; it checks and stores nothing."""

import argparse
import asyncio
import socket

import aiomqtt


async def echo(port: int, password: str) -> None:
    """Send back what comes, QoS 1 both ways, TCP_NODELAY set: nothing else."""
    async with aiomqtt.Client(
        "127.0.0.1", port, username="echo", password=password, identifier="echo",
        protocol=aiomqtt.ProtocolVersion.V5, socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
    ) as client:  # fmt: skip
        client.pending_calls_threshold = 1000
        await client.subscribe("bench/echo/scan/+", 1)
        async for message in client.messages:
            await client.publish(message.topic.value.replace("/scan/", "/unlock/"), message.payload, 1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--password", required=True)
    options = parser.parse_args()
    asyncio.run(echo(options.port, options.password))
