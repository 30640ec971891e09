"""`perron walk-test`: the page that it shows, and a report that is checked far from the box."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.failure import Failure
from gateway.cli.installing import show_walk_test, verify_report
from gateway.config.home import Home, PagesSection
from gateway.installation import records
from gateway.installation.capability import WalkTestStatus
from gateway.installation.walk import WalkTest, walk_steps
from gateway.installation.walk_test_report import draw_report, sign_walk
from gateway.protocol.keys import BoxKey
from tests.house.door import BOLTED

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("pages", "address"),
    [
        ({"host": "127.0.0.1", "port": 8642}, "http://127.0.0.1:8642"),
        ({"host": "::1"}, "http://[::1]:8642"),
        ({"host": "0.0.0.0", "names": ("perron.home.arpa", "192.0.2.7")}, "https://perron.home.arpa:8642"),  # noqa: S104 - not listened on
    ],
)
def test_the_page_of_the_walk_test_is_shown_with_how_the_test_stands(
    home: Home, pages: dict[str, Any], address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    house = home.model_copy(update={"pages": PagesSection.model_validate(pages), "language": "en"})
    show_walk_test(house, "front")
    shown = capsys.readouterr().out
    assert "The walk test was not made yet" in shown
    assert "perron walk-test" not in shown, "it is what was just typed"
    assert f"{address}/installation/walk/front\n" in shown
    assert "█" in shown


def test_a_house_without_pages_has_no_walk_test(home: Home) -> None:
    with pytest.raises(Failure, match="no pages"):
        show_walk_test(home.model_copy(update={"pages": None}), "front")


def report(home: Home, folder: Path, key: BoxKey) -> Path:
    walk = WalkTest(
        entrance="front",
        steps=walk_steps(home.entrances["front"], BOLTED),
        begun=NOW,
        by="Ida",
        before=WalkTestStatus.NEVER,
    )
    sheet = draw_report(home, walk, {}, {}, made=NOW, box=key.public)
    (folder / records.INSTALLATION_FOLDER).mkdir()
    records.store_report(folder, "front", sheet, sign_walk(home, walk, sheet, key))
    return records.report_files(folder, "front")[0]


def test_a_report_is_checked_offline_and_one_that_was_changed_or_is_another_box_s_does_not_hold(
    home: Home, tmp_path: Path
) -> None:
    key = BoxKey.generate()
    file = report(home, tmp_path, key)
    mine, other = tmp_path / "mine.pem", tmp_path / "other.pem"
    mine.write_bytes(key.public.pem)
    other.write_bytes(BoxKey.generate().public.pem)
    assert "perron-demo" in verify_report(file, mine)
    assert key.public.fingerprint in verify_report(file, None)
    with pytest.raises(Failure, match="signature does not hold"):
        verify_report(file, other)
    file.write_bytes(file.read_bytes() + b"\n")
    with pytest.raises(Failure, match="another than the one that was signed"):
        verify_report(file, mine)
    with pytest.raises(Failure, match="cannot be read"):
        verify_report(tmp_path / "none.pdf", mine)
