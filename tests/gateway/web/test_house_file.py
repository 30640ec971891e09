"""What came of reading the house file anew is shown to those who may mend it."""

from pathlib import Path

import pytest

from gateway.runtime.maintenance import reload
from gateway.runtime.maintenance.backup import make_backup
from gateway.web.auth.roles import Role
from tests.shell.box import box, run_box
from tests.shell.house import make_home
from tests.shell.site import serve_site

ENGLISH = {"Accept-Language": "en"}
WRONG, VISIT = ("home.yaml:3:1: `naem` is not known here.",), (reload.BusyEntrance(entrance="front", what="visit"),)
REPORTS = [
    (reload.ReloadReport(id="1", said="refused", problems=WRONG), "goes on with the old one"),
    (reload.ReloadReport(id="2", said="waiting", busy=VISIT), "once nothing happens"),
    (reload.ReloadReport(id="3", said="applied"), "Read anew and applied"),
]


async def test_the_owner_is_told_when_the_last_backup_was_made(tmp_path: Path) -> None:
    file = tmp_path / "home.yaml"
    (tmp_path / "box").mkdir()
    async with box(tmp_path / "box", make_home(tmp_path / "box")) as made, run_box(made), serve_site(made) as site:
        file.write_text("box: box-1", encoding="utf-8")
        for told in ("There is none", "The last one is of"):
            async with site.client(site.owner) as client, client.get("/settings", headers=ENGLISH) as answer:
                assert told in await answer.text()
            make_backup(made.home, file, tmp_path / f"{len(told)}.tar", made.clock.now(), films=True)


@pytest.mark.parametrize(("report", "told"), REPORTS, ids=lambda one: getattr(one, "said", None))
async def test_a_reload_is_told_to_owner_and_installer_and_to_nobody_else(
    tmp_path: Path, report: reload.ReloadReport, told: str
) -> None:
    async with box(tmp_path, make_home(tmp_path)) as made, run_box(made), serve_site(made) as site:
        guests = {role: await site.guest(role, role.value) for role in (Role.INSTALLER, Role.HOUSEHOLD)}
        reload.write_report(tmp_path, report)
        for who, sees in ((site.owner, True), (guests[Role.INSTALLER], True), (guests[Role.HOUSEHOLD], False)):
            async with site.client(who) as client, client.get("/settings", headers=ENGLISH) as answer:
                text = await answer.text()
            assert (answer.status, told in text) == (200, sees)
            assert all((problem in text) is sees for problem in report.problems)
