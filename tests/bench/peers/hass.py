"""Home Assistant with the job as two automations, one of mode parallel and one of mode queued."""

import contextlib
import json
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import ClassVar

from tests.bench.peers.job import CODES, WINDOW_S
from tests.real.home_assistant import HomeAssistant

NO_DELAY = Path(__file__).with_name("nodelay")
_MAX_RUNS = 1_000


def configuration(prefix: str) -> str:
    """What is added to configuration.yaml; JSON is YAML. `PREFIX-parallel` and `PREFIX-queued` are the peers."""
    now = time.time()
    check = (
        "{{ trigger.payload_json.code in state_attr('input_select.expected', 'options')"
        f" and {now - WINDOW_S:.0f} < as_timestamp(now()) < {now + WINDOW_S:.0f} }}}}"
    )
    automations = [
        {
            "id": f"{prefix}-{mode}", "alias": f"job, {mode}", "mode": mode, "max": _MAX_RUNS,
            "triggers": [{"trigger": "mqtt", "topic": f"bench/{prefix}-{mode}/scan/+", "qos": 1}],
            "conditions": [{"condition": "template", "value_template": check}],
            "actions": [
                _publish(f"bench/{prefix}-{mode}/camera", '{"record":true}'),
                _publish(f"bench/{prefix}-{mode}/unlock", '{"code":"{{ trigger.payload_json.code }}"}'),
            ],
        }
        for mode in ("parallel", "queued")
    ]  # fmt: skip
    expected = {"expected": {"options": list(CODES)}}
    return f"input_select: {json.dumps(expected)}\nautomation: {json.dumps(automations)}\n"


def _publish(topic: str, payload: str) -> dict[str, object]:
    topic += "/{{ trigger.topic.split('/')[-1] }}"
    return {"action": "mqtt.publish", "data": {"topic": topic, "payload": payload, "qos": 1}}


@contextlib.asynccontextmanager
async def hass(folder: Path, *, port: int, password: str, prefix: str, no_delay: bool) -> AsyncIterator[HomeAssistant]:
    """Run one until left; its account at the broker is `prefix`. AssertionError: it is not set up."""

    class Configured(HomeAssistant):
        account = prefix
        environment: ClassVar[Mapping[str, str]] = {"PYTHONPATH": str(NO_DELAY)} if no_delay else {}

    made = Configured(folder, broker=port, password=password, more=configuration(prefix))
    try:
        await made.begin()
        yield made
    finally:
        await made.end()
