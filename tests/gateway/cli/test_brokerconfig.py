"""`perron broker-config`, as an installer types it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.cli.broker import explain_error
from gateway.cli.brokerconfig import broker_config, check_base_topic
from gateway.cli.failure import ExitCode, Failure
from gateway.config.loader import load_home_file
from gateway.mqtt.mosquitto.provisioning import write_house
from gateway.system.mqtt_settings import BrokerSection, BrokerTls
from gateway.system.pki.broker import broker_certificate
from tests.gateway.cli.terminal import run_perron


@pytest.mark.slow
def test_the_radios_broker_is_written_without_a_house_file_and_says_how_it_is_started(tmp_path: Path) -> None:
    folder = tmp_path / "radio"
    told = run_perron("broker-config", folder, "--radio", "--base", "home/zigbee", "--port", "1999")
    assert told.returncode == 0, told.stderr
    assert f"mosquitto -c {folder}/mosquitto.conf" in told.stdout
    assert "listener 1999 127.0.0.1" in (folder / "mosquitto.conf").read_text()
    assert "topic readwrite home/zigbee/#" in (folder / "access").read_text()
    assert {f.name for f in folder.glob("*.password")} == {"guard.password", "bridge.password"}
    assert folder.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("base", ["#", "zigbee2mqtt/+", "perron", "/", "a b", "$SYS", ""])
def test_a_base_topic_that_would_let_more_in_is_refused_with_what_to_write(base: str) -> None:
    with pytest.raises(Failure, match="is not the base topic of a radio") as refused:
        check_base_topic(base)
    assert "zigbee2mqtt" in refused.value.todo
    assert refused.value.code == ExitCode.INVALID


def test_a_broker_that_is_not_believed_is_told_with_what_to_do() -> None:
    broker = BrokerSection(
        host="box", tls=BrokerTls(ca=Path("authority.pem")), password_file=Path("/srv/gateway.password")
    )
    for told, said in [
        ("its certificate has expired", "broker-config /srv --renew"),
        ("its certificate is another name's", "broker-config /srv --name box"),
        ("its certificate comes from another authority than broker.tls.ca", "Copy authority.pem anew"),
        ("it does not speak TLS", "correct broker.port"),
        ("its certificate is not good yet: one of the two clocks is wrong", "Set the clock"),
    ]:
        assert explain_error(told, broker)[0] == told
        assert said in explain_error(told, broker)[1]
    assert "does not speak TLS" in explain_error("[Errno 104] Connection reset by peer", broker)[0]


@pytest.mark.slow
@pytest.mark.parametrize(("option", "host"), [("--listen", "300.1.1.1"), ("--name", "nonsense..x")])
def test_an_address_that_is_none_is_refused_before_anything_is_written(
    option: str, host: str, tmp_path: Path, home_file: Path
) -> None:
    folder = tmp_path / "broker"
    told = run_perron("broker-config", folder, option, host, home=home_file)
    assert told.returncode == ExitCode.INVALID
    assert f"{option} {host}: this is neither an address nor a host name" in told.stderr
    assert not folder.exists()


@pytest.mark.slow
def test_the_broker_of_other_machines_is_written_with_its_certificate_and_renewed_by_the_same_command(
    home_file: Path,
) -> None:
    folder = home_file.parent / "accounts"
    told = run_perron("broker-config", folder, "--listen", "0.0.0.0", home=home_file)  # noqa: S104 - it is refused
    assert told.returncode == ExitCode.INVALID
    assert "--name perron.home.arpa" in told.stderr
    told = run_perron("broker-config", folder, "--listen", "0.0.0.0", "--name", "box.home.arpa", home=home_file)  # noqa: S104 - by TLS
    assert told.returncode == 0, told.stderr
    assert "The certificate is for 127.0.0.1, box.home.arpa, localhost, until" in told.stdout
    conf = (folder / "mosquitto.conf").read_text()
    assert conf.index("listener 8883 0.0.0.0") < conf.index("certfile")
    before = conf
    told = run_perron("broker-config", folder, home=home_file)
    assert "box.home.arpa" in told.stdout, "what was said once holds until something else is said"
    assert (folder / "mosquitto.conf").read_text() == before
    told = run_perron("broker-config", folder, "--renew", home=home_file)
    assert "it is not time yet" in told.stdout
    broker_certificate(folder, box="x", names=("box.home.arpa",), now=datetime.now(UTC) - timedelta(days=20))
    told = run_perron("broker-config", folder, "--renew", home=home_file)
    assert "Renewed: good until" in told.stdout
    assert "let yours read them (SIGHUP)" in told.stdout
    assert run_perron("broker-config", folder, "--afresh", home=home_file).returncode == 0
    assert "8883" not in (folder / "mosquitto.conf").read_text()
    (folder / "authority" / "authority.key").write_text("?")
    told = run_perron("broker-config", folder, "--renew", home=home_file)
    assert told.returncode == ExitCode.INVALID
    assert "Move that file away" in told.stderr


@pytest.mark.slow
def test_a_weak_folder_is_not_written_to_and_every_reason_is_told_at_once(home_file: Path) -> None:
    folder = home_file.parent / "accounts"
    assert run_perron("broker-config", folder, home=home_file).returncode == 0
    told = run_perron("broker-config", folder, "--check", home=home_file)
    assert (told.returncode, told.stdout) == (0, f"Nothing is weak in {folder}.\n")
    (folder / "doorbell.password").write_text("doorbell\n")
    (folder / "passwords").chmod(0o644)
    (folder / "mosquitto.conf").write_text("listener 1883\nallow_anonymous true\n")
    told = run_perron("broker-config", folder, home=home_file)
    assert told.returncode == ExitCode.INVALID
    for said in ("doorbell.password holds a password that can be guessed", "passwords can be read", "mode 644",
                 "was not written by Perron", "Nothing was written."):  # fmt: skip
        assert said in told.stderr
    assert (folder / "mosquitto.conf").read_text() == "listener 1883\nallow_anonymous true\n"
    told = run_perron("broker-config", folder, "--check", home=home_file)
    assert told.returncode == ExitCode.NEGATIVE
    assert "mosquitto.conf was not written by Perron" in told.stdout


def test_a_user_whom_this_machine_does_not_know_is_refused(tmp_path: Path, home_file: Path) -> None:
    with pytest.raises(Failure, match="knows no user 'nobody-at-all'"):
        broker_config(tmp_path / "accounts", home=home_file, user="nobody-at-all")
    assert not (tmp_path / "accounts").exists()


@pytest.mark.slow
def test_a_gateway_that_cannot_read_what_the_broker_asks_of_it_says_so_in_words(home_file: Path) -> None:
    text = home_file.read_text().replace("  username: gateway\n",
                                         "  username: gateway\n  tls: {ca: accounts/authority.pem}\n")  # fmt: skip
    home_file.write_text(text)
    home = load_home_file(home_file)
    write_house(home_file.parent / "accounts", home, host="127.0.0.1", port=home.broker.port)
    for missing, said in (("authority.pem", "authority"), ("gateway.password", "password")):
        (home_file.parent / "accounts" / missing).unlink()
        told = run_perron("run", home=home_file)
        assert told.returncode == ExitCode.INVALID
        assert f"accounts/{missing}: the {said} of" in told.stderr
        assert "broker-config" in told.stderr
        assert "Traceback" not in told.stderr
