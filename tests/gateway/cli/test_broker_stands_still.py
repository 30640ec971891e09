"""Whoever says something to a broker that stands still is told so."""

import os
import signal
from pathlib import Path

import pytest

from gateway.cli import broker as cli
from gateway.cli.failure import Failure
from gateway.mqtt.mosquitto.provisioning import free_port, private_broker
from gateway.system.mqtt_settings import BrokerSection
from tests.gateway.domain.delivery.shop import make_home


@pytest.mark.slow
async def test_a_stop_that_the_broker_does_not_take_is_said_to_be_in_doubt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "ACKNOWLEDGEMENT_TIMEOUT_S", 0.5)
    broker = BrokerSection(port=free_port(), password_file=tmp_path / "gateway.password")
    house = make_home().model_copy(update={"broker": broker})
    async with private_broker(tmp_path, house) as running, cli.open_session(broker.account("owner"), []) as guest:
        os.kill(running.pid, signal.SIGSTOP)
        try:
            with pytest.raises(Failure, match="does not say within"):
                await cli.publish(guest, "perron/entrance/front/set", b"{}")
        finally:
            os.kill(running.pid, signal.SIGCONT)
