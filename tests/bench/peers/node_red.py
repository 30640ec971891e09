"""Node-RED with the job as two flows: one logs beside the unlock, one before it. Neither waits for the disk."""

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

from gateway.demo.processes import LoggedProcess
from gateway.mqtt.mosquitto.provisioning import free_port
from tests.bench.peers.job import CODES, WINDOW_S

FOLDER = Path(os.environ.get("NODE_RED", "build/node-red")).absolute()  # `make bench-peers` says where
_NO_DELAY = Path(__file__).with_name("nodelay.cjs")
_CHECK = """
const entrance = msg.topic.split("/").pop(), now = Date.now() / 1000;
const window = global.get("expected").get(msg.payload.code);
if (!window || now < window[0] || now > window[1]) return null;
const camera = {topic: "bench/PEER/camera/" + entrance, payload: '{"record":true}', qos: 1};
const unlock = {topic: "bench/PEER/unlock/" + entrance, payload: JSON.stringify({code: msg.payload.code}), qos: 1};
"""
_BESIDE = 'return [[camera, unlock], {payload: now + " " + entrance + " " + msg.payload.code}];'
_FIRST = 'return {payload: now + " " + entrance + " " + msg.payload.code, camera, unlock};'


def flows(port: int, log: Path, prefix: str) -> list[dict[str, object]]:
    """Two flows: `PREFIX` logs beside, `PREFIX-log` first."""
    broker = {
        "id": "broker", "type": "mqtt-broker", "broker": "127.0.0.1", "port": str(port), "clientid": prefix,
        "autoConnect": True, "usetls": False, "protocolVersion": "5", "keepalive": "60", "cleansession": True,
    }  # fmt: skip
    found: list[dict[str, object]] = [{"id": "tab", "type": "tab", "label": "job"}, broker]
    for peer, first in ((prefix, False), (f"{prefix}-log", True)):
        incoming: dict[str, object] = {
            "type": "mqtt in", "topic": f"bench/{peer}/scan/+", "qos": "1", "datatype": "json", "broker": "broker",
            "wires": [[f"{peer}-check"]],
        }  # fmt: skip
        check: dict[str, object] = {
            "type": "function", "func": _CHECK.replace("PEER", peer) + (_FIRST if first else _BESIDE),
            "outputs": 1 if first else 2, "wires": [[f"{peer}-file"]] if first else [[f"{peer}-out"], [f"{peer}-file"]],
        }  # fmt: skip
        file: dict[str, object] = {
            "type": "file", "filename": str(log / f"{peer}.log"), "filenameType": "str", "appendNewline": True,
            "overwriteFile": "false", "wires": [[f"{peer}-send"]] if first else [],
        }  # fmt: skip
        send: dict[str, object] = {
            "type": "function", "func": "return [[msg.camera, msg.unlock]];", "outputs": 1, "wires": [[f"{peer}-out"]]
        }  # fmt: skip
        out: dict[str, object] = {
            "type": "mqtt out",
            "topic": "",
            "qos": "",
            "retain": "",
            "broker": "broker",
            "wires": [],
        }
        nodes = {"in": incoming, "check": check, "file": file, "send": send, "out": out}
        found += [{"id": f"{peer}-{name}", "z": "tab", **node} for name, node in nodes.items()]
    return found


@contextlib.asynccontextmanager
async def node_red(
    folder: Path, *, port: int, password: str, prefix: str, no_delay: bool
) -> AsyncIterator[LoggedProcess]:
    """Run one until left; its account at the broker is `prefix`. FileNotFoundError: it is not set up."""
    program = FOLDER / "node_modules" / "node-red" / "red.js"
    node = FOLDER / "node_modules" / "node" / "bin" / "node"
    for needed in (node, program):
        if not needed.exists():
            raise FileNotFoundError(f"{needed} is missing: `make bench-peers` sets it up")
    _write(folder, port=port, password=password, prefix=prefix)
    log = folder / "out.log"
    words = ["-r", str(_NO_DELAY)] if no_delay else []
    with log.open("ab") as out:
        process = await asyncio.create_subprocess_exec(
            str(node), *words, str(program), "-u", str(folder), "-s", str(folder / "settings.js"),
            stdin=asyncio.subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip
    made = LoggedProcess(process, log)
    try:
        yield made
    finally:
        await made.end()


def _write(folder: Path, *, port: int, password: str, prefix: str) -> None:
    folder.mkdir()
    expected = f"new Map({json.dumps(CODES)}.map(code => [code, [now - {WINDOW_S}, now + {WINDOW_S}]]))"
    (folder / "settings.js").write_text(
        "const now = Date.now() / 1000;\n"
        f"module.exports = {{uiHost: '127.0.0.1', uiPort: {free_port()}, credentialSecret: false,"
        f" flowFile: 'flows.json', functionGlobalContext: {{expected: {expected}}}}};\n"
    )
    (folder / "flows.json").write_text(json.dumps(flows(port, folder, prefix)))
    (folder / "flows_cred.json").write_text(json.dumps({"broker": {"user": prefix, "password": password}}))
