"""Make a whole storage folder as a commit's own program wrote it; test_upgrade.py keeps those of released states.

    python -m tests.gateway.databases.boxes COMMIT NAME

The commit's tree is laid out beside, its own gateway delivers in its own simulated house, and its folder is packed into
NAME.tar.xz: one visit that is sealed, one delivery to come, and one visit in whose middle, the courier inside, the
gateway was killed.

    2026-11-issue-2   821ccc1   schema 3. The oldest of this history: issue 2 whole, first pages beside it
    2026-11-issue-3   501a05d   schema 4. The last commit of issue 3
"""

import lzma
import subprocess
import sys
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[3]

PLAY_SCRIPT = """
import asyncio, os, signal, sys
from dataclasses import replace
from pathlib import Path
from tests.whole_house import playing

def brief(plan):  # short films
    fast = {"pre_roll": 0.5, "ring": 1.0, "post_roll": 0.5}
    entrances = {
        name: one.model_copy(update={"timing": one.timing.model_copy(update=fast)})
        for name, one in plan.home.entrances.items()
    }
    return replace(plan, home=plan.home.model_copy(update={"entrances": entrances}))

async def play_it(folder):
    async with playing(folder, brief) as play:
        await play.delivers(await play.promised(id_="sealed", codes=("8L20524752031",)))
        await play.retailer.promise(id_="coming", codes=("8L20524752032",), ends_in=6 * 24 * 3600)
        inside = await play.retailer.promise(id_="inside", codes=("8L20524752033",))
        await play.all_good()
        play.watch.begin()
        await play.gets_in(inside)
        gateway = play.stage.gateway
        gateway._task.cancel()  # nobody starts it again
        await asyncio.wait([gateway._task])
        os.kill(gateway._child.pid, signal.SIGKILL)
        await gateway._child.wait()
        gateway._task = None

asyncio.run(play_it(Path(sys.argv[1])))
"""

KEPT_FILES = ("perron.sqlite3", "perron.sqlite3-wal", "last-checkpoint.json", "key", "visits")


def make_storage(commit: str, name: str) -> Path:
    """Play it with the program of this commit, and keep its folder."""
    kept = Path(__file__).parent / f"{name}.tar.xz"
    with TemporaryDirectory(prefix="perron-") as made:
        tree, run = Path(made) / "tree", Path(made) / "run"
        tree.mkdir()
        archive = subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, capture_output=True).stdout  # noqa: S607 - git is wherever it is
        subprocess.run(["tar", "-x", "-C", str(tree)], input=archive, check=True)  # noqa: S607 - the same
        subprocess.run([sys.executable, "-c", PLAY_SCRIPT, str(run)], cwd=tree, check=True, timeout=300)
        with lzma.open(kept, "wb", preset=9) as out, tarfile.open(fileobj=out, mode="w") as tar:
            for part in KEPT_FILES:
                if (run / "box" / part).exists():
                    tar.add(run / "box" / part, part, filter=_without_owner)
    return kept


def _without_owner(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    return info


if __name__ == "__main__":
    print(make_storage(sys.argv[1], sys.argv[2]).stat().st_size)  # noqa: T201 - what it was run for
