"""What is not ours is named, with its licence, and is byte for byte what was looked at."""

import hashlib
import json
import re
from pathlib import Path

STATIC = Path(__file__).parents[3] / "gateway" / "web" / "static"
VENDORED = json.loads((STATIC / "vendored.json").read_text(encoding="utf-8"))
OURS = {
    *(
        f"{name}.js"
        for name in (
            "house",
            "page",
            "link",
            "live",
            "replay",
            "replay_seal",
            "courier",
            "outside",
            "qr",
            "reader",
            "label",
            "parcels",
            "ring",
        )
    ),
    *(
        f"away{part}.js"
        for part in ("", "_brands", "_crypto", "_enrol", "_films", "_keys", "_line", "_orders", "_view", "_worker")
    ),
    "claim.js",
    "ring.js",
    "away.css",
    *(f"perron-{kind}.png" for kind in ("180", "192", "512", "maskable-512", "badge-96")),
    *("worker.js", "offline.js", "install.js", "phones.js", "add.js", "share.js", "setup.js", "found.js"),
    "perron.css",
    "label.css",
    "replay.css",
    "history.css",
    "history.js",
    "claim_box.js",
    "password.js",
    "desk.js",
    "label_camera.js",
    "labels.js",
    "scan.js",
    *("supervisor.js", "supervisor_key.js", "supervisor_keys.js"),
    "perron.svg",
    "vendored.json",
}


def test_each_file_is_ours_or_vendored() -> None:
    assert {path.name for path in STATIC.iterdir()} == OURS | set(VENDORED)


def test_each_vendored_file_is_the_one_that_was_looked_at() -> None:
    for name, source in VENDORED.items():
        assert hashlib.sha256((STATIC / name).read_bytes()).hexdigest() == source["sha256"], name
        assert {"package", "version", "file", "license", "sha256"} == set(source)


def test_the_reader_s_script_and_webassembly_are_of_one_build() -> None:
    (script,) = (name for name in VENDORED if name.startswith("zxing-reader") and name.endswith(".js"))
    asked = re.search(r"ZXING_WASM_SHA256=`([0-9a-f]{64})`", (STATIC / script).read_text(encoding="utf-8"))
    assert asked
    assert asked[1] == VENDORED[script.replace(".js", ".wasm")]["sha256"]
    assert script.removesuffix(".js") in (STATIC / "reader.js").read_text(encoding="utf-8")
    others = [path for path in STATIC.glob("*.js") if path.name not in {"reader.js", *VENDORED}]
    assert [path.name for path in others if "zxing-reader" in path.read_text(encoding="utf-8")] == [], "one loads it"
