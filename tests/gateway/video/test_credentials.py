"""The file of a camera's account: private, one line, and never repeated."""

import os
from pathlib import Path

import pytest

from gateway.video.credentials import Login, LoginUnusable, file_version, read_login

SECRET = "n0bodyKnows"  # noqa: S105 - what must not be seen in any error


def written(folder: Path, text: bytes, mode: int = 0o600) -> Path:
    file = folder / "doorbell.login"
    file.write_bytes(text)
    file.chmod(mode)
    return file


@pytest.mark.parametrize(
    ("text", "user", "password"),
    [
        (b"admin:1234", "admin", "1234"),
        (b"admin:1234\n", "admin", "1234"),
        (b"admin:1234\r\n", "admin", "1234"),
        (b"admin: with:colons @and/spaces ", "admin", " with:colons @and/spaces "),
        ("kamera:straße".encode(), "kamera", "straße"),
    ],
)
def test_an_account_is_one_line(tmp_path: Path, text: bytes, user: str, password: str) -> None:
    assert read_login(written(tmp_path, text)) == Login(user, password)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o602, 0o644, 0o610])
def test_a_file_that_others_can_read_or_write_is_refused_and_says_how_to_mend_it(tmp_path: Path, mode: int) -> None:
    file = written(tmp_path, f"admin:{SECRET}".encode(), mode)
    with pytest.raises(LoginUnusable, match=f"chmod 600 {file}"):
        read_login(file)


@pytest.mark.parametrize(
    "text",
    [b"", b"\n", b"admin", f":{SECRET}".encode(), b"admin:", f"admin\n{SECRET}".encode(),
     f"admin:{SECRET}\nroot:{SECRET}".encode(), f"admin:\x1b{SECRET}".encode(), b"admin:\xff" + SECRET.encode(),
     b"admin:" + SECRET.encode() * 60],
)  # fmt: skip
def test_what_is_no_account_is_said_without_repeating_it(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(LoginUnusable, match="user:password") as refused:
        read_login(written(tmp_path, text))
    assert SECRET not in str(refused.value)


def test_a_file_that_is_not_there_and_a_folder_are_refused(tmp_path: Path) -> None:
    for file in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(LoginUnusable, match=str(file)):
            read_login(file)


def test_a_pipe_that_nobody_writes_to_holds_no_camera(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "login", 0o600)
    with pytest.raises(LoginUnusable, match="is no file"):
        read_login(tmp_path / "login")


def test_an_account_that_is_printed_shows_nothing_of_itself() -> None:
    assert repr(Login("admin", SECRET)) == "Login()"


@pytest.mark.parametrize(
    ("url", "whole"),
    [
        ("rtsp://h:554/s", "rtsp://a%40b:p%2Fw%3A%C3%B6@h:554/s"),
        ("rtsp://h/user={user}&password={password}&channel=1", "rtsp://h/user=a%40b&password=p%2Fw%3A%C3%B6&channel=1"),
    ],
)
def test_an_account_goes_before_the_host_or_where_its_maker_wants_it(url: str, whole: str) -> None:
    assert Login("a@b", "p/w:ö").insert_into(url) == whole


def test_a_file_that_was_written_anew_is_noticed(tmp_path: Path) -> None:
    file = written(tmp_path, b"admin:1")
    before = file_version(file)
    file.write_bytes(b"admin:2")
    assert file_version(file) != before
    assert file_version(None) is None
    assert file_version(tmp_path / "nowhere") is None
