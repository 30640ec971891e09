"""An operator's day with commands only: upgrade, backup, suspend, limit, certificate, a dead database, a full disk."""

import contextlib
import http.client
import json
import sqlite3
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from gateway.cli.failure import ExitCode
from gateway.mqtt.mosquitto.provisioning import free_port
from tests.certified import make_certificate
from tests.gateway.cli.terminal import RunningCommand, run_perron, start_command
from tests.smalldisk import fill, small_disk

pytestmark = pytest.mark.slow

OLD = Path(__file__).parents[1] / "hub" / "databases" / "2d30ab9.sqlite.sql"
SECONDS = 30.0


class Day:
    """The operator's machine: a hub's file, its folder, a retailer's key."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file, self.port = folder, folder / "hub.yaml", free_port()
        sql = OLD.read_text(encoding="utf-8")
        self.token = sql.partition("\n")[0].removeprefix("-- ")
        self.file.write_text(
            f"url: https://127.0.0.1:{self.port}\nfolder: hub\n"
            f"listen: {{port: {self.port}, certificate: hub.pem, key: hub.key}}\n"
        )
        (folder / "hub").mkdir(mode=0o700)
        self.database = folder / "hub" / "hub.sqlite3"
        with contextlib.closing(sqlite3.connect(self.database)) as connection:
            connection.executescript(sql)

    def certify(self, name: str) -> None:
        """Put a new certificate in place."""
        (self.folder / name).mkdir()
        _, chain, key = make_certificate(self.folder / name, name)
        (self.folder / "hub.pem").write_bytes(chain.read_bytes())
        (self.folder / "hub.key").write_bytes(key.read_bytes())

    def says(self, *words: str | Path, code: ExitCode = ExitCode.DONE) -> str:
        """Give a command about this hub; what it prints."""
        done = run_perron("hub", *words, "--config", self.file)
        assert done.returncode == code, (done.stdout, done.stderr)
        return done.stdout + done.stderr

    def asks(self, path: str = "/v1/api_keys") -> tuple[int, http.client.HTTPMessage, str]:
        """Ask the hub with the retailer's key: status, headers, body."""
        trusting = ssl.create_default_context()
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
        line = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=SECONDS, context=trusting)
        with contextlib.closing(line):
            line.request("GET", path, headers={"Authorization": f"Bearer {self.token}"})
            answer = line.getresponse()
            return answer.status, answer.headers, answer.read().decode()

    def certificate(self) -> str:
        """The name in the certificate that the hub shows now."""
        pem = ssl.get_server_certificate(("127.0.0.1", self.port), timeout=SECONDS)
        (name,) = x509.load_pem_x509_certificate(pem.encode()).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return str(name.value)

    @contextlib.contextmanager
    def running(self) -> Iterator[RunningCommand]:
        """Run the hub, ready, until left."""
        with start_command("hub", "--config", self.file) as hub:
            until(lambda: self._is_ready(hub), hub)
            yield hub

    def _is_ready(self, hub: RunningCommand) -> bool:
        assert hub.process.returncode is None, hub.text
        with contextlib.suppress(OSError):
            return self.asks("/readyz")[0] == 200
        return False


def until(fits: Callable[[], bool], hub: RunningCommand, *, seconds: float = SECONDS) -> None:
    end = time.monotonic() + seconds
    while not fits():
        assert time.monotonic() < end, hub.text
        time.sleep(0.2)  # a retailer's own limits hold for this question too


def test_an_operators_day(tmp_path: Path) -> None:
    day = Day(tmp_path)
    day.certify("morning")

    before = tmp_path / "before.tar"  # upgrade: a backup of the old database by the new command changes nothing in it
    day.says("backup", before)
    with contextlib.closing(sqlite3.connect(day.database)) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'revocations'").fetchone() == (0,)
    with day.running() as hub:
        assert day.asks()[0] == 200, "the key of the old database counts"

        listed = json.loads(day.says("retailer", "list", "--json"))
        keys = {one["id"]: json.loads(day.says("key", "list", one["id"], "--json")) for one in listed}
        own = day.token.partition("_")[0]
        retailer = next(id_ for id_, of in keys.items() if own in {key["id"] for key in of})
        day.says("retailer", "suspend", retailer)
        until(lambda: day.asks()[0] == 403, hub, seconds=5)
        assert json.loads(day.asks()[2])["code"] == "retailer_suspended"
        assert f"{retailer}" in day.says("retailer", "list")
        day.says("retailer", "resume", retailer)
        day.says("retailer", "limit", retailer, "--reads", "7")
        until(lambda: day.asks()[1].get("RateLimit-Policy") == '"reads";q=7;w=1', hub, seconds=5)

        noon = tmp_path / "noon.tar"
        assert "private keys" in day.says("backup", noon)
        assert "Whole" in day.says("restore", noon, "--check")
        day.says("key", "revoke", day.token)
        until(lambda: day.asks()[0] == 401, hub, seconds=5)
        assert "uses" in day.says("restore", noon, "--replace", code=ExitCode.NO_ANSWER)

        assert day.certificate() == "morning"
        day.certify("evening")
        until(lambda: day.certificate() == "evening", hub)
        assert hub.end(15) == 0

    day.database.write_bytes(b"the disk forgot it")  # a dead database
    with start_command("hub", "--config", day.file) as dead:
        assert dead.process.wait_at_most(SECONDS) == ExitCode.INVALID
    assert "not empty" in day.says("restore", noon, code=ExitCode.NEGATIVE)
    told = day.says("restore", noon, "--replace")
    assert "Revoked again: " in told
    with day.running():
        assert day.asks()[0] == 401, "the key that was revoked after the backup"
        token = day.says("key", "add", retailer).strip().splitlines()[-1]
        day.token = token
        status, headers, _ = day.asks()
        assert (status, headers["RateLimit-Policy"]) == (200, '"reads";q=7;w=1')

    with small_disk(tmp_path / "small", "1m") as place:  # a full disk
        ballast = fill(place)
        assert "Make room" in day.says("backup", place / "night.tar", code=ExitCode.NO_ANSWER)
        assert [path.name for path in place.iterdir()] == [ballast.name]


def test_the_hubs_file_may_stand_before_the_command_and_what_is_not_there_is_said(tmp_path: Path) -> None:
    file = tmp_path / "hub.yaml"
    file.write_text("url: http://127.0.0.1:8643\nfolder: hub\n")
    added = run_perron("hub", "--config", file, "retailer", "add", "Maison Lune")
    assert (added.returncode, "only now" in added.stdout) == (0, True), added.stderr
    listed = run_perron("hub", "--config", file, "retailer", "list")
    assert listed.stdout.split()[:3] == ["id", "name", "state"]
    assert "Maison Lune" in listed.stdout
    for words, said in (
        (("retailer", "suspend", "ret-x"), "no retailer 'ret-x'"), (("key", "revoke", "key-x"), "no API key 'key-x'"),
        (("brand", "free", "lune"), "no brand 'lune'"), (("home", "show", "home-x"), "no home 'home-x'"),
    ):  # fmt: skip
        told = run_perron("hub", *words, "--config", file)
        assert (told.returncode, said in told.stderr) == (ExitCode.INVALID, True), told.stderr
    assert run_perron("hub", "restore", file, "--config", file).returncode == ExitCode.INVALID
