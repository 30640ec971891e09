"""Let the gateway in a folder answer messages, as its own program: `python -I answer.py FOLDER`.

Standard input is JSON: `home`, the house file; `seconds`, the time; `tokens`, messages at the house's broker;
`hub_tokens`, messages that the hub signed, and `hub_key`; `events`, what a box says to a hub, and `box_key`. Standard
output is JSON: the results and what a hub of this release understands of the events; with `--modules` also the files
of the gateway that were needed. It uses names of the release in the folder only.
"""

import asyncio
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

FOLDER = sys.argv[1]
sys.path.insert(0, FOLDER)

import gateway  # noqa: E402 - found in the folder
from gateway.config.home import Home  # noqa: E402 - as above
from gateway.domain.now import Now  # noqa: E402 - as above
from gateway.protocol.box_hub import BoxEvent, verify_by_box  # noqa: E402 - as above
from gateway.protocol.delivery_message import HubClaims, verify_delivery, verify_hub_delivery  # noqa: E402 - as above
from gateway.protocol.ed25519 import PublicKey  # noqa: E402 - as above
from gateway.storage.store import Store  # noqa: E402 - as above

assert str(gateway.__file__).startswith(FOLDER), gateway.__file__


async def answers(asked: dict[str, object]) -> list[object]:
    """Answer each message, in a store of its own."""
    now = Now(utc=datetime.fromtimestamp(float(str(asked["seconds"])), UTC), trusted=True, mono=0.0)
    home = Home.model_validate(asked["home"], strict=False)
    hub = PublicKey.from_text(str(asked["hub_key"]))
    found: list[object] = []
    with TemporaryDirectory() as folder:
        store = await Store.open(Path(folder) / "perron.sqlite3", home=home, now=now)
        for name in ("tokens", "hub_tokens"):
            for text in asked[name]:  # type: ignore[attr-defined] # a list of JSON
                token = text.encode()
                if name == "tokens":
                    verified = verify_delivery(token, store.brands.keys, box=home.box, now=now)
                else:
                    verified = verify_hub_delivery(token, hub, box=home.box, now=now)
                    assert not isinstance(verified, HubClaims)
                answer = await store.deliveries.accept(token, verified, now)
                found.append(json.loads(answer.result.model_dump_json(exclude_none=True)))
        await store.close()
    return found


def heard(asked: dict[str, object]) -> list[object]:
    """Read each event as a hub does: its content, or why it is refused."""
    key = PublicKey.from_text(str(asked["box_key"]))
    events = [verify_by_box(BoxEvent, text.encode(), key) for text in asked["events"]]  # type: ignore[attr-defined] # a list of JSON
    return [
        json.loads(one.model_dump_json(exclude_none=True)) if isinstance(one, BoxEvent) else str(one) for one in events
    ]


def modules() -> list[str]:
    """Return the files of the gateway that were imported, below the folder."""
    files = [str(one.__file__) for one in sys.modules.values() if getattr(one, "__file__", None)]
    return sorted(file.removeprefix(f"{FOLDER}/") for file in files if file.startswith(f"{FOLDER}/"))


if __name__ == "__main__":
    said = json.load(sys.stdin)
    done: dict[str, object] = {"results": asyncio.run(answers(said)), "events": heard(said)}
    if "--modules" in sys.argv:
        done["modules"] = modules()
    print(json.dumps(done))  # noqa: T201 - the answer
