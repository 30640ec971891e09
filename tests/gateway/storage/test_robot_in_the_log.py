"""What the log says of a robot: who came and who left, and no parcel code in clear."""

import json

from gateway.domain.visit import events as e
from gateway.domain.visit.state import RobotProof
from gateway.protocol.hash_chain import Json
from gateway.storage.audit_log import encode_event

KEY = b"k" * 32
CODE = "8L20524752032"


def test_the_log_names_the_robot_and_shows_no_code() -> None:
    proof = RobotProof(robot="r1", delivery="shop.d1", loads=frozenset({CODE}))
    scan = e.Scanned(id="v1", scanner="r1", code=CODE, robot=proof)
    left = e.HolderLeft(holder="r1", carries=frozenset({CODE}))
    rows: list[Json] = [encode_event(event, KEY) for event in (scan, left)]
    assert CODE not in json.dumps(rows)
    assert [row["robot"] for row in rows if isinstance(row, dict)] == ["r1", "r1"]
