"""Make the databases of older hubs that test_migrations.py keeps: `python -m tests.gateway.hub.databases.make COMMIT`.

The code of that commit opens the database and fills it: a retailer with a key, and one row in each table. What is kept
is the SQL that makes it again, behind the retailer's token: `<commit>.sqlite.sql` and `<commit>.postgresql.sql`.
"""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.postgresql import postgresql

HERE = Path(__file__).parent
GIT = (shutil.which("git") or "git", "-C", str(HERE.parents[3]), "worktree")

OLD_HUB_SCRIPT = """
import asyncio, sys
from datetime import UTC, datetime
from sqlalchemy import Boolean, CheckConstraint, Integer, JSON, LargeBinary, String, BigInteger, insert
try:
    from gateway.hub.admin import create_retailer
except ImportError:  # until 28 November
    from gateway.hub.operator import let_in as create_retailer
try:
    from gateway.hub.database import store as stores, tables
except ImportError:  # until 28 November
    from gateway.hub import store as stores, tables
Store = getattr(stores, "HubStore", None) or stores.Store
Instant = getattr(tables, "InstantColumn", None) or tables.Instant
metadata = tables.metadata

NOW = datetime(2026, 11, 25, 19, 0, tzinfo=UTC)

def value(table, column, ids):
    for key in column.foreign_keys:
        return False if key.column.name == "sandbox" else ids[key.column.table.name]
    if table.name == "endpoints" and column.name == "secret":
        return "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU="
    if column.name == "id":
        checks = [c for c in column.constraints if isinstance(c, CheckConstraint) and "LIKE" in str(c.sqltext)]
        return str(checks[0].sqltext).split("'")[1].rstrip("%") + "old" if checks else table.name + "-old"
    if isinstance(column.type, Instant): return NOW
    if isinstance(column.type, Boolean): return False
    if isinstance(column.type, (Integer, BigInteger)): return 7
    if isinstance(column.type, JSON): return {}
    if isinstance(column.type, LargeBinary): return b"7" * (column.type.length or 8)
    return "active" if column.name == "state" else column.name[:8]

async def main(url):
    store = await Store.open(url)
    _, token = await create_retailer(store, "Maison Lune", now=NOW)
    print(token)
    ids = {}
    async with store.writing() as tx:
        for table in metadata.sorted_tables:
            if table.name == "about": continue
            row = {}
            for column in table.columns:
                if column.nullable and not column.foreign_keys: continue
                if table.name == "events" and column.name == "number": continue
                row[column.name] = value(table, column, ids)
            await tx.execute(insert(table).values(**row))
            ids[table.name] = row.get("id", "old")
    await store.close()

asyncio.run(main(sys.argv[1]))
"""


def make_databases(commit: str) -> None:
    """Run that commit's own code on both databases; what it made is written beside this file."""
    with tempfile.TemporaryDirectory() as folder, postgresql() as server:
        tree = Path(folder) / "tree"
        subprocess.run([*GIT, "add", "-q", "--detach", tree, commit], check=True)
        try:
            file = Path(folder) / "hub.sqlite3"
            token = _fill(tree, f"sqlite+aiosqlite:///{file}")
            with sqlite3.connect(file) as connection:
                sql = "\n".join(connection.iterdump())
            (HERE / f"{commit}.sqlite.sql").write_text(f"-- {token}\n{sql}\n")
            token = _fill(tree, server.database("old"))
            asked = ["pg_dump", "--inserts", "--no-owner", "-h", str(server.folder), "-U", "perron", "old"]
            dumped = subprocess.run(asked, check=True, capture_output=True, text=True).stdout
            noise = ("--", "\\", "SET ", "SELECT pg_catalog.set_config")
            kept = [line for line in dumped.splitlines() if line and not line.startswith(noise)]
            (HERE / f"{commit}.postgresql.sql").write_text("\n".join((f"-- {token}", *kept, "")))
        finally:
            subprocess.run([*GIT, "remove", "--force", tree], check=True)


def _fill(tree: Path, url: str) -> str:
    """The retailer's token."""
    env = {**os.environ, "PYTHONPATH": str(tree)}
    filled = [sys.executable, "-c", OLD_HUB_SCRIPT, url]
    return subprocess.run(filled, check=True, cwd=tree, env=env, stdout=subprocess.PIPE, text=True).stdout.strip()


if __name__ == "__main__":
    for name in sys.argv[1:]:
        make_databases(name)
