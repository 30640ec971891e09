"""What the guard still knows after a power cut."""

import os
from pathlib import Path

import pytest

from gateway.integrations.lock_guard.ledger import LEDGER_FILE, InvalidLedger, Ledger, LedgerState


def test_what_is_kept_is_there_at_the_next_start(tmp_path: Path) -> None:
    ledger = Ledger.open(tmp_path)
    assert ledger.state == LedgerState(boots=1)
    ledger.write(LedgerState(boots=1, counter=7, intents=("v1",), owes=True))
    ledger.close()
    assert Ledger.open(tmp_path).state == LedgerState(boots=2, counter=7, intents=("v1",), owes=True)


def test_two_guards_never_share_a_ledger(tmp_path: Path) -> None:
    ledger = Ledger.open(tmp_path)
    with pytest.raises(InvalidLedger, match="Another guard"):
        Ledger.open(tmp_path)
    ledger.close()
    Ledger.open(tmp_path).close()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"counter":-1}', '{"counter":1,"more":2}', '{"counter":"1"}'])
def test_a_damaged_ledger_is_not_begun_anew_in_silence(tmp_path: Path, text: str) -> None:
    (tmp_path / LEDGER_FILE).write_text(text)
    with pytest.raises(InvalidLedger, match="damaged"):
        Ledger.open(tmp_path)


def test_a_write_that_fails_leaves_what_stood_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger.open(tmp_path)

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        ledger.write(LedgerState(boots=1, counter=9))
    assert ledger.state.counter == 0
    ledger.close()
    monkeypatch.undo()
    assert Ledger.open(tmp_path).state == LedgerState(boots=2)


def test_only_its_own_user_can_read_it(tmp_path: Path) -> None:
    Ledger.open(tmp_path / "ledger").close()
    assert (
        (tmp_path / "ledger" / LEDGER_FILE).stat().st_mode & 0o777,
        (tmp_path / "ledger").stat().st_mode & 0o777,
    ) == (
        0o600,
        0o700,
    )
