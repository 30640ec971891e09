"""The `run_perron` command as a person meets it: what it says, and the number it ends with."""

import asyncio
import contextlib
import inspect
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextvars import ContextVar
from hashlib import sha256
from pathlib import Path

import pytest

from gateway.cli import keys
from gateway.cli.delivery import announce, read_claims
from gateway.cli.failure import ExitCode, Failure, resolve_entrance
from gateway.cli.lines import DEFAULT_HOME, expand_commands, program_name
from gateway.cli.owner import stop_entrance
from gateway.config.home import Home
from gateway.config.loader import load_home_file
from gateway.config.topics import OFFER_TOPIC, RESULT_TOPIC
from gateway.domain.delivery.promise import Offer
from gateway.protocol.delivery_message import verify_delivery
from gateway.protocol.ed25519 import SigningKey
from gateway.protocol.jws import RejectedMessage
from gateway.system.clock import Clock
from gateway.system.clock_settings import ClockSection
from tests.gateway.cli.terminal import (
    DELIVERY_YAML,
    ROOT,
    TIMEOUT_S,
    account_session,
    every_command,
    next_message,
    run_perron,
)
from tests.gateway.domain.delivery.shop import enrolled_keys

# ---- the command itself ---------------------------------------------------------------------------------------------

COMMANDS = (
    "new", "run", "simulate", "retailer", "scan", "stop", "pause", "verify", "report", "door-notice", "doctor",
    "schema", "broker-config", "claim-code", "hands",
)  # fmt: skip


@pytest.mark.slow
def test_the_help_names_every_command_and_the_exit_codes() -> None:
    told = run_perron("--help")
    assert told.returncode == 0
    assert all(f" {command} " in told.stdout for command in (*COMMANDS, "demo"))
    assert "Exit codes" in told.stdout
    assert f"$ {program_name()} new var/mine" in told.stdout, "it can be typed as it stands"


@pytest.mark.slow
@pytest.mark.parametrize("command", [*COMMANDS, "demo"])
def test_each_command_has_help_with_examples(command: str) -> None:
    told = run_perron(command, "--help")
    assert told.returncode == 0
    assert f"$ {program_name()} {command}" in told.stdout.partition("Examples")[2]


@pytest.mark.slow
@pytest.mark.parametrize(
    "module",
    ["tests.soak", "tests.bench", "tests.mutants", "tests.pictures", "tests.house.trace", "devices.simulators"],
)
def test_each_tool_of_the_workshop_has_help_with_examples(module: str) -> None:
    command = [sys.executable, "-m", module, "--help"]
    told = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=True)
    assert f"python -m {module} " in told.stdout.partition("Examples:")[2]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["claim-code"], ExitCode.NO_ANSWER, "There is no code: the box has an owner already, or it does not run"),
        (["stop", "--home", "nowhere.yaml"], ExitCode.INVALID, "nowhere.yaml: this file cannot be read"),
        (["stop", "cellar"], ExitCode.INVALID, "no entrance 'cellar'. Known: front."),
        (["stop"], ExitCode.NO_ANSWER, "The broker cannot be used"),
        (["scan", "8L20524752032"], ExitCode.NO_ANSWER, "The broker cannot be used"),
        (["scan", "x", "--scanner", "doorbell"], ExitCode.INVALID, "The house has: front-scanner."),
        (["announce"], ExitCode.INVALID, "Which delivery?"),
        (["announce", "delivery.yaml"], ExitCode.INVALID, "holds no private key of cdiscount or la-ferme-du-coin"),
        (["announce", "--new-key", "../../evil"], ExitCode.INVALID, "no key's name"),
        (["verify", "nowhere"], ExitCode.INVALID, "nowhere is not there: nothing was checked"),
        (
            ["verify", "README.md"],
            ExitCode.INVALID,
            "README.md: neither a retailer's proof nor a guest's statement can be read (not JSON)",
        ),
        (["verify", "docs"], ExitCode.NEGATIVE, "no manifest.json"),
        (
            ["verify", "docs", "--checkpoint", "nowhere.jsonl"],
            ExitCode.INVALID,
            "nowhere.jsonl: no checkpoint can be read",
        ),
        (["verify", "docs", "--checkpoint", "README.md"], ExitCode.INVALID, "line 1: not a checkpoint"),
        (["verify", "docs", "--checkpoint", "gateway/__init__.py"], ExitCode.INVALID, "it is empty"),
        (["verify", "nowhere", "--key", "nowhere.pem"], ExitCode.INVALID, "no public key can be read"),
        (["report", "nowhere", "out.pdf"], ExitCode.INVALID, "nowhere is not there: nothing was checked"),
        (["report", "docs", "/proc/out.pdf"], ExitCode.INVALID, "/proc/out.pdf cannot be written"),
        (["door-notice", "/proc/out.pdf"], ExitCode.INVALID, "/proc/out.pdf cannot be written"),
        (["door-notice", "out.pdf", "--entrance", "cellar"], ExitCode.INVALID, "no entrance 'cellar'. Known: front."),
        (
            ["door-notice", "out.pdf", "--pages", "javascript:alert(1)"],
            ExitCode.INVALID,
            "is not the address of a page",
        ),
        (["door-notice", "out.pdf", "--contact", "x" * 81], ExitCode.INVALID, "81 characters, 80 at most"),
        (["simulate", "--house", "nowhere.yaml"], ExitCode.INVALID, "this house file does not exist"),
        (["dance"], 2, "No such command"),
    ],
)
def test_a_mistake_is_told_in_words_with_a_remedy_and_never_with_a_traceback(
    home_file: Path, arguments: list[str], code: int, said: str
) -> None:
    (home_file.parent / "accounts").mkdir()
    for account in ("owner", "installer"):
        (home_file.parent / "accounts" / f"{account}.password").write_text("secret\n")
    told = run_perron(*arguments, home=home_file)
    assert told.returncode == code, told.stderr
    assert said in told.stderr + told.stdout
    assert "Traceback" not in told.stderr
    assert len((told.stderr + told.stdout).strip().splitlines()) >= 2  # what is wrong, and what to do


@pytest.mark.slow
def test_a_file_that_is_no_proof_is_refused_in_a_line_and_nothing_of_it_is_quoted(tmp_path: Path) -> None:
    (tmp_path / "sandbox.json").write_text('{"api_key": "key-s3cret"}')
    told = run_perron("verify", tmp_path / "sandbox.json")
    assert told.returncode == ExitCode.INVALID, told.stderr
    assert "can be read (it is JSON of another kind)" in told.stderr
    assert "s3cret" not in told.stderr + told.stdout


@pytest.mark.slow
def test_a_phone_that_cannot_be_understood_is_told_with_its_line_and_without_its_secret(home_file: Path) -> None:
    (home_file.parent / "accounts").mkdir()
    (home_file.parent / "accounts" / "gateway.password").write_text("secret\n")
    (home_file.parent / "phones.txt").write_text("# mine\ntk-s3cret\n")
    text = home_file.read_text(encoding="utf-8")
    home_file.write_text(f"{text}\nmessages:\n  file: phones.txt\n", encoding="utf-8")
    told = run_perron("run", home=home_file)
    assert told.returncode == ExitCode.INVALID, told.stderr
    assert "phones.txt:2: this is no URL" in told.stderr
    assert "Traceback" not in told.stderr
    assert "tk-s3cret" not in told.stderr + told.stdout


@pytest.mark.slow
def test_the_commands_come_quickly_because_they_load_only_what_they_need() -> None:
    heavy = ("av", "aiomqtt", "pydantic", "joserfc", "fpdf")
    code = f"import sys, gateway.__main__; print([m for m in {heavy} if m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, check=True)
    assert loaded.stdout.strip() == "[]"


@pytest.mark.slow
def test_the_schema_is_json_for_editors() -> None:
    assert json.loads(run_perron("schema").stdout)["title"] == "Home"
    assert json.loads(run_perron("schema", "home").stdout)["title"] == "Home"
    assert json.loads(run_perron("schema", "hub").stdout)["properties"]["url"]["title"] == "Address"
    assert run_perron("schema", "guard", "--markdown").stdout.startswith("# `guard.yaml`\n")


@pytest.mark.slow
def test_accounts_writes_what_mosquitto_needs_for_this_house(home_file: Path) -> None:
    folder = home_file.parent / "accounts"
    assert run_perron("broker-config", folder, home=home_file).returncode == 0
    assert {f.name for f in folder.iterdir()} >= {
        "mosquitto.conf",
        "access",
        "passwords",
        "gateway.password",
        "doorbell.password",
    }
    assert run_perron("broker-config", folder / "access", home=home_file).returncode == ExitCode.INVALID


def test_which_entrance_is_meant_is_asked_where_there_are_several(home: Home) -> None:
    assert resolve_entrance(home, None) == "front"
    several = home.model_copy(update={"entrances": {"front": None, "garage": None}})
    with pytest.raises(Failure, match="several entrances: front, garage"):
        resolve_entrance(several, None)
    with pytest.raises(Failure, match="no entrance yet"):
        resolve_entrance(home.model_copy(update={"entrances": {}}), None)


def test_an_example_stands_in_the_help_as_it_is_typed_brackets_too() -> None:
    assert "scanners=[back-scanner]" in run_perron("add", "--help").stdout


# ---- a retailer's part ----------------------------------------------------------------------------------------------


def enrolled(home_file: Path, kid: str = "cdiscount-2027") -> tuple[Home, SigningKey]:
    """Follow what `announce --new-key` says: make a key and put its lines into home.yaml."""
    key = keys.create_key(home_file.parent / "keys", kid)
    text = home_file.read_text()
    at = text.index("    permission:\n      state: granted")
    home_file.write_text(text[:at] + keys.home_yaml_lines(kid, key) + text[at:])
    return load_home_file(home_file), key


@pytest.mark.slow
def test_a_new_key_is_told_as_the_lines_that_home_yaml_needs(home_file: Path) -> None:
    told = run_perron("announce", "--new-key", "cdiscount-2027", home=home_file)
    # The keys lie beside the file that --home names, here by PERRON_HOME.
    assert told.returncode == 0, told.stderr
    file = home_file.parent / "keys" / "cdiscount-2027.jwk"
    assert file.stat().st_mode & 0o077 == 0
    lines = "".join(line + "\n" for line in told.stdout.splitlines() if not line.startswith("#"))
    assert json.loads(file.read_text())["d"] not in told.stdout
    text = home_file.read_text()
    at = text.index("    permission:\n      state: granted")
    home_file.write_text(text[:at] + lines + text[at:])
    assert keys.find_key(load_home_file(home_file), file.parent, None)[:2] == ("cdiscount", "cdiscount-2027")
    again = run_perron("announce", "--new-key", "cdiscount-2027", home=home_file)
    assert (again.returncode, "never written over" in again.stderr) == (ExitCode.INVALID, True)


def test_a_key_that_is_not_the_enrolled_one_is_not_used(home_file: Path) -> None:
    enrolled(home_file)
    (home_file.parent / "keys" / "cdiscount-2027.jwk").unlink()
    keys.create_key(home_file.parent / "keys", "cdiscount-2027")
    with pytest.raises(Failure, match="another key than the one enrolled"):
        keys.find_key(load_home_file(home_file), home_file.parent / "keys", "cdiscount")


def test_a_damaged_key_is_told(home_file: Path) -> None:
    home, _ = enrolled(home_file)
    (home_file.parent / "keys" / "cdiscount-2027.jwk").write_text('{"kty": "OKP"}')
    with pytest.raises(Failure, match="holds no Ed25519 key"):
        keys.find_key(home, home_file.parent / "keys", None)


def test_a_window_may_be_written_from_now_on(tmp_path: Path) -> None:
    file = tmp_path / "delivery.yaml"
    file.write_text(DELIVERY_YAML)
    now = Clock(ClockSection(source="host"), floor=None, keep_floor=lambda _: None).now()
    claims = read_claims(file, brand="cdiscount", box="perron-demo", utc=now.utc)
    assert isinstance(claims.delivery, Offer)
    window = claims.delivery.window
    assert (window.end - window.start).total_seconds() == 7200
    assert abs((window.start - now.utc).total_seconds()) <= 1


def test_a_delivery_without_an_id_is_a_new_one_each_time(tmp_path: Path) -> None:
    file = tmp_path / "delivery.yaml"
    file.write_text(DELIVERY_YAML.replace("id: order-1\n", ""))
    now = Clock(ClockSection(source="host"), floor=None, keep_floor=lambda _: None).now()
    made = [read_claims(file, brand="cdiscount", box="perron-demo", utc=now.utc).delivery.id for _ in range(2)]
    assert made[0] != made[1]


def test_the_couriers_code_travels_as_its_hash_only(tmp_path: Path) -> None:
    file = tmp_path / "delivery.yaml"
    file.write_text(DELIVERY_YAML)
    now = Clock(ClockSection(source="host"), floor=None, keep_floor=lambda _: None).now()
    claims = read_claims(file, brand="cdiscount", box="perron-demo", utc=now.utc, courier=b"0123456789abcdef")
    assert isinstance(claims.delivery, Offer)
    assert claims.delivery.courier_sha256 == sha256(b"0123456789abcdef").hexdigest()
    assert "0123456789abcdef" not in claims.model_dump_json().replace(claims.delivery.courier_sha256, "")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (DELIVERY_YAML.replace("place: hall\n", ""), "place: Field required"),
        (DELIVERY_YAML.replace("+2h", "tomorrow"), "window.end: a time is RFC 3339 text"),
        (DELIVERY_YAML + "colour: red\n", "colour"),
        (DELIVERY_YAML.replace("8L20524752032", "8L20524752032, 8L20524752032"), "the same parcel twice"),
        ("[", "delivery.yaml:1"),
        ("", "no delivery in it"),
    ],
)
def test_a_delivery_that_is_none_is_told_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "delivery.yaml"
    file.write_text(text)
    now = Clock(ClockSection(source="host"), floor=None, keep_floor=lambda _: None).now()
    with pytest.raises(Failure) as caught:
        read_claims(file, brand="cdiscount", box="perron-demo", utc=now.utc)
    assert told in str(caught.value)


@pytest.mark.slow
@pytest.mark.usefixtures("broker")
async def test_an_announced_delivery_is_signed_as_enrolled_and_its_answer_is_returned(home_file: Path) -> None:
    home, key = enrolled(home_file)
    file = home_file.parent / "delivery.yaml"
    file.write_text(DELIVERY_YAML)
    async with account_session(home, "gateway", OFFER_TOPIC) as box:
        asking = asyncio.create_task(announce(home, file, brand="cdiscount", kid="cdiscount-2027", key=key))
        offer = await next_message(box)
        clock = Clock(ClockSection(source="host"), floor=None, keep_floor=lambda _: None)
        claims = verify_delivery(offer.payload, enrolled_keys(home), box=home.box, now=clock.now())
        assert not isinstance(claims, RejectedMessage)
        stranger = {"box": home.box, "at": "2026-11-24T12:00:00Z", "answers": "another-message-00", "accepted": False}
        ours = {
            "box": home.box,
            "at": "2026-11-24T12:00:00Z",
            "token_sha256": sha256(offer.payload).hexdigest(),
            "accepted": True,
        }
        for answer in (b"no json", json.dumps(stranger).encode(), json.dumps(ours).encode()):
            box.publish(RESULT_TOPIC, answer)
        async with asyncio.timeout(TIMEOUT_S):
            result = await asking
    assert result.accepted
    assert claims.iss == "cdiscount"
    assert key.public.text in {k.x for k in home.brands["cdiscount"].keys}


@pytest.mark.slow
@pytest.mark.usefixtures("broker")
async def test_an_offer_that_nobody_hears_is_not_called_sent(home_file: Path) -> None:
    home, key = enrolled(home_file)
    file = home_file.parent / "delivery.yaml"
    file.write_text(DELIVERY_YAML)
    with pytest.raises(Failure, match="Nobody listens") as caught:
        await announce(home, file, brand="cdiscount", kid="cdiscount-2027", key=key)
    assert (caught.value.code, "perron run" in caught.value.todo) == (ExitCode.NO_ANSWER, True)


# ---- the owner's part -----------------------------------------------------------------------------------------------


async def obeying(home: Home, *, stopped: bool) -> None:
    """Stand in for the gateway: does what the owner says, and says so."""
    async with account_session(home, "gateway", "perron/entrance/front/set") as box:
        box.publish(
            "perron/entrance/front/state", json.dumps({"stopped": stopped, "phase": "ready"}).encode(), retain=True
        )
        while True:
            wish = json.loads((await box.receive()).payload)
            stopped = wish["do"] == "stop"
            box.publish(
                "perron/entrance/front/state", json.dumps({"stopped": stopped, "phase": "ready"}).encode(), retain=True
            )


@contextlib.asynccontextmanager
async def standing_in(home: Home, *, stopped: bool = False) -> AsyncIterator[None]:
    task = asyncio.create_task(obeying(home, stopped=stopped))
    async with account_session(home, "observer", "perron/entrance/front/state") as observer:
        await next_message(observer)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@pytest.mark.slow
@pytest.mark.usefixtures("broker")
async def test_stop_returns_once_the_entrance_itself_says_that_it_has_stopped(home: Home) -> None:
    async with standing_in(home):
        assert await stop_entrance(home, "front", lift=False) == "front: stopped; phase ready"
        assert await stop_entrance(home, "front", lift=False) == "front: stopped already"
        assert await stop_entrance(home, "front", lift=True) == "front: the stop is lifted; phase ready"


@pytest.mark.slow
@pytest.mark.usefixtures("broker")
async def test_a_stop_that_no_gateway_hears_is_no_stop_even_if_an_old_state_says_so(home: Home) -> None:
    async with account_session(home, "gateway") as box:
        box.publish("perron/entrance/front/state", b'{"stopped":true}', retain=True)
        with pytest.raises(Failure, match="Nobody listens"):
            await stop_entrance(home, "front", lift=False)


def test_every_command_looks_for_the_house_file_at_the_same_place() -> None:
    """But `report`, which needs none: it takes that one where it is there."""
    cli = every_command()
    groups = [cli, *(group.typer_instance for group in cli.registered_groups if group.typer_instance is not None)]
    defaults = {
        str(command.name or command.callback.__name__): inspect.signature(command.callback).parameters["home"].default
        for group in groups
        for command in group.registered_commands
        if command.callback is not None and "home" in inspect.signature(command.callback).parameters
    }
    assert len(defaults) > 20
    assert {name: home for name, home in defaults.items() if home != DEFAULT_HOME} == {"report": None}


@pytest.mark.slow
def test_a_command_in_a_sentence_can_be_typed_as_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    # an earlier test's command may have set it
    monkeypatch.setattr("gateway.cli.lines._current_home", ContextVar("home", default=None))
    assert expand_commands("Look: `perron doctor` tells.") == f"Look: `{program_name()} doctor` tells."
    assert expand_commands("perron/bridge/state and `perron`") == "perron/bridge/state and `perron`"
    told = run_perron("doctor", "--home", "/nowhere/home.yaml")
    assert f"`{program_name()} schema --markdown`" in told.stderr
