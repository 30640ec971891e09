"""`python -m tests.bench.echo --port PORT --password WORD`: the bare aiomqtt echo that the gateway is compared with."""

import argparse
import asyncio
import socket

import aiomqtt

IN_TOPIC, OUT_TOPIC = "bench/echo/in", "bench/echo/out"


async def echo(port: int, password: str) -> None:
    """Send back what comes, QoS 1 both ways, TCP_NODELAY set: nothing else."""
    async with aiomqtt.Client(
        "127.0.0.1", port, username="echo", password=password, identifier="echo",
        protocol=aiomqtt.ProtocolVersion.V5, socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
    ) as client:  # fmt: skip
        await client.subscribe(IN_TOPIC, 1)
        async for message in client.messages:
            await client.publish(OUT_TOPIC, message.payload, 1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--password", required=True)
    options = parser.parse_args()
    asyncio.run(echo(options.port, options.password))
