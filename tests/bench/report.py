"""The result as a page, made of what was measured: see tests/bench/measured.py."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.bench.line import BenchLine
from tests.bench.measured import Measured, MeasuredPeers, PeerRow
from tests.bench.plot import PICTURE, told

REPORT = Path(__file__).parents[2] / "docs" / "contributor" / "bench.md"

HEAD = """\
# How fast it is

PICTUREFor contributors: the speed of each part, its goal, and the measured cause where a goal is missed.
`python -m tests.bench --write` measures the rows and `make bench-peers WRITE=--write` the other programs; both write
this page (`make bench` and `make bench-peers` measure the same). Each ratio compares two things that were measured in
one run, in turn. We never change what is measured to meet a goal.
"""

PEERS = """\
All do one job on one mosquitto with `set_tcp_nodelay true`: a scan arrives by MQTT, its code must be among 1,000
expected ones and its window open; then the camera's start and the unlock are published, QoS 1. `Durable` says what has
reached the disk before the unlock leaves: `yes` means that it was synced. The echoes check nothing. Three rounds in a
shuffled order, medians. 43 ms as shipped are Nagle's algorithm and a delayed acknowledgement: the unlock follows
another packet that has not been acknowledged yet.
"""

ARTEFACTS = """\
## What the bench no longer measures

Until 29 November 2026 the bench itself caused some of what the rows showed:

- All devices were one aiomqtt client, which takes some 0.2 ms of CPU to receive a message and to answer it, on cores
  that the gateway shares. Now they are a client made for this (`tests/bench/wire.py`), which takes
  0.03 ms, and 0.015 ms where many come at once.
- A look-up of one camera's proof built the proofs of all 50 cameras. Now it builds one, as the real video client finds
  one.
- One gateway gave both the speed and the marks, which cost time. Now a second gateway records the marks, and only the
  parts come from it.
"""


def rows(lines: Iterable[BenchLine]) -> list[str]:
    """The table of the rows."""
    text = ["| what | value | ratio | goal | |", "| --- | --- | --- | --- | --- |"]
    for line in lines:
        ratio = "" if line.ratio is None else f"{line.ratio:.2f} x {line.against}"
        text.append(f"| {line.what} | {line.told} | {ratio} | {line.goal} | {line.verdict} |")
    return text


def occasions(measured: Measured, benches: Sequence[str]) -> list[str]:
    """When each bench was measured, those of one occasion together."""
    found: dict[str, list[str]] = {}
    for name in benches:
        found.setdefault(measured.benches[name].occasion.told, []).append(name)
    if len(found) == 1:
        return [*found, ""]
    return [line for told, names in found.items() for line in (f"- {', '.join(names)}: {told}",)] + [""]


def report(measured: Measured, order: Sequence[str]) -> str:
    """Lay it out, the benches in this order."""
    benches = [name for name in order if name in measured.benches]
    lines = [line for name in benches for line in measured.benches[name].lines]
    text = [HEAD.replace("PICTURE", _picture(measured.peers))]
    text += peers_section(measured.peers) if measured.peers is not None else []
    text += ["## All rows", "", *occasions(measured, benches), *rows(lines)]
    parts = [line for line in lines if line.parts]
    if parts:
        text += ["", "## Parts", ""]
        text += [
            f"- {line.what}: {', '.join(f'{name} {value}' for name, value in line.parts.items())}." for line in parts
        ]
    missed = [line for line in lines if line.met is False]
    if missed:
        text += ["", "## Goals missed, and why", ""]
        text += [_miss(line) for line in missed]
    return "\n".join([*text, "", ARTEFACTS.rstrip()]) + "\n"


def _miss(line: BenchLine) -> str:
    earlier = f"; missed in the run before too: {line.earlier}" if line.earlier else ""
    return f"- {line.what} ({line.told}, goal {line.goal}{earlier}): {line.why}."


def _picture(peers: MeasuredPeers | None) -> str:
    if peers is None or not peers.load:
        return ""
    return f"![{told(peers.load)}](../pictures/{PICTURE.name})\n\n"


def peers_section(peers: MeasuredPeers) -> list[str]:
    """The table of peers."""
    text = ["## Beside other programs", "", peers.occasion.told, ""]
    text += ["| | p50 ms | p95 ms | a second, 50 at once | CPU ms each | PSS MiB | durable |"]
    text += ["| --- | --- | --- | --- | --- | --- | --- |"]
    text += [_peer(row) for row in peers.rows]
    return [*text, "", PEERS, *_below_node_red(peers.rows)]


def _below_node_red(rows: Sequence[PeerRow]) -> list[str]:
    """The goal of the decision: less time than Node-RED takes that writes its log first, as shipped and forced."""
    found = {row.what: row.p50 for row in rows if row.p50 is not None}
    ours = found.get("**gateway: decision to open**")
    if ours is None:
        return []
    text = ["Goal: the decision to open takes less time than Node-RED that writes its log first.", ""]
    text += [
        f"- {name}: {'met' if ours < theirs else 'missed'}, {number(ours / theirs)} x its time."
        for name, theirs in found.items() if name.startswith("Node-RED") and name.endswith(", log first")
    ]  # fmt: skip
    return [*text, ""]


def _peer(row: PeerRow) -> str:
    what = f"{row.what} ({row.why})" if row.why else row.what
    cells = (number(row.p50), number(row.p95), number(row.rate), number(row.cpu), number(row.memory))
    return f"| {what} | {' | '.join(cells)} | {row.durable} |"


def number(value: float | None) -> str:
    """Three digits; nothing where nothing was measured."""
    return "" if value is None else f"{float(f'{value:.3g}'):,g}"
