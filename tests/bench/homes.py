"""A box with many entrances for benches, its waiting times as short as they can be, and deliveries for them."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from devices.simulators.sight import CLOCK_REGION
from gateway.config.home import Home
from gateway.domain.delivery.promise import Window
from gateway.domain.now import Now
from gateway.evidence.rollback import load_own_key
from gateway.storage.store import Store
from tests.gateway.domain.delivery.shop import BOX, SECRETS, make_claims, make_offer, sign_claims

ADDRESS = "bench"  # of each camera

# The ringing itself takes no time here; the bell must still be confirmed by the signal, in its own message. A visit
# ends no sooner than its unlock has expired: seconds that nobody measures where only the unlock is awaited.
COMMAND_LIFE_S = 2.0
TIMING: dict[str, float] = {
    "ring": 1e-6, "skew": 0, "never": 10, "stable": 0.02, "relock": 0.02, "post_roll": 0.02,
    "watch": 0.02, "label": 0.02, "merge": 0.02, "by_hand": 0.02, "pre_roll": 2,
}  # fmt: skip


def entrance_id(number: int) -> str:
    """Call the entrances so."""
    return f"gate-{number}"


def device_address(kind: str, number: int) -> str:
    """Return the maker's own name of a lock or a sensor: each entrance has its own devices."""
    return f"bench-{kind}-{number}"


def make_home(
    folder: Path, *, entrances: int, port: int, cameras: Sequence[str] = (), command_life_s: float = COMMAND_LIFE_S
) -> Home:
    """Build it; the entrances have these cameras (URLs) in turn. Without any, nobody may open those that it names."""
    timing = TIMING | {"command_life": command_life_s}
    devices: dict[str, Any] = {}
    sections: dict[str, Any] = {}
    for n in range(entrances):
        devices |= {
            f"lock-{n}": {"kind": "lock", "vendor": "somfy", "address": device_address("lock", n), "guarded": True,
                          "latency": 30},
            f"door-{n}": {"kind": "door", "vendor": "somfy", "address": device_address("door", n)},
            f"scanner-{n}": {"kind": "scanner", "vendor": "scanner"},
            f"signal-{n}": {"kind": "signal", "vendor": "signal"},
            f"camera-{n}": {"kind": "camera", "vendor": "alexa", "address": ADDRESS, "clock_region": CLOCK_REGION,
                            "url": cameras[n % len(cameras)] if cameras else "rtsp://127.0.0.1:1/none"},
        }  # fmt: skip
        sections[entrance_id(n)] = {
            "name": f"Gate {n}", "living_space": False, "way_out_by_hand": True, "courier_proof": False,
            "lock": f"lock-{n}", "door": f"door-{n}", "scanners": [f"scanner-{n}"], "signal": f"signal-{n}",
            "cameras": {"outside": f"camera-{n}"}, "places": {"hall": {"name": "Hall"}}, "timing": timing,
        }  # fmt: skip
    permission = {"state": "granted", "entrances": list(sections), "carriers": ["Colissimo"], "places": ["hall"]}
    shop = {
        "name": "shop",
        "keys": [{"kid": "shop-1", "x": SECRETS["shop"].public.text}],
        "permission": permission,
    }
    return Home.model_validate(
        {
            "box": BOX,
            "name": "Bench",
            "broker": {"port": port, "password_file": str(folder / "gateway.password")},
            "clock": {"source": "host"},
            "storage": {"folder": str(folder / "box"), "reserve_mib": 1},
            "devices": devices,
            "entrances": sections,
            "brands": {"shop": shop},
        }
    )


def write_home(home: Home, file: Path) -> None:
    """JSON is YAML; defaults are left out, so that a file of 200 entrances is not refused as too large."""
    file.write_text(json.dumps(home.model_dump(mode="json", exclude_unset=True)), encoding="utf-8")


def parcel_code(entrance: int, number: int) -> str:
    """The parcel of an entrance's delivery of this number."""
    return f"P{entrance:03}X{number:03}"


async def add_delivery(store: Store, entrance: int, number: int, now: Now, *, begins: timedelta) -> None:
    """Accept one delivery whose window of two hours begins so much later."""
    window = Window(start=now.utc + begins, end=now.utc + begins + timedelta(hours=2))
    name = parcel_code(entrance, number)
    said = make_offer(
        id=name.lower(), entrance=entrance_id(entrance), parcels=(name,), courier_sha256=None, window=window
    )
    message = make_claims(said, now=now)
    answer = await store.deliveries.accept(sign_claims(message), message, now)
    assert answer.result.accepted, answer.result.why


async def fill_store(
    home: Home, *, each: int | Callable[[int], int], begins: timedelta = -timedelta(minutes=1)
) -> None:
    """Open the box's store once and accept `each` deliveries for every entrance; their window is open now."""
    home.storage.folder.mkdir(parents=True, mode=0o700)
    load_own_key(home.storage.folder)  # before the store: a store without its key is in doubt, and nothing opens
    now = Now(utc=datetime.now(UTC).replace(microsecond=0), trusted=True, mono=0)
    store = await Store.open(home.storage.folder / "perron.sqlite3", home=home, now=now)
    try:
        for entrance in range(len(home.entrances)):
            for number in range(each if isinstance(each, int) else each(entrance)):
                await add_delivery(store, entrance, number, now, begins=begins)
    finally:
        await store.close()
