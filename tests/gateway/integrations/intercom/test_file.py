"""intercom.yaml: what is wrong in it, or in the file of its account, is told with what to do."""

import re
from pathlib import Path

import pytest

from gateway.integrations.intercom.file import load_intercom_file
from gateway.system.config_section import ConfigError
from tests.certified import make_certificate
from tests.gateway.integrations.intercom.beside import write_credentials

TEXT = """\
device: street-strike
broker: {username: street-strike, password_file: street-strike.password}
intercom:
  kind: doorbird
  url: https://192.168.1.30
  credentials_file: intercom.credentials
  ca: authority.pem
"""
PIN = ":".join(["ab"] * 32)


def written(folder: Path, old: str = "", new: str = "") -> Path:
    assert old in TEXT
    (folder / "intercom.yaml").write_text(TEXT.replace(old, new, 1) if old else TEXT, encoding="utf-8")
    return folder / "intercom.yaml"


def test_a_whole_file_is_read_and_its_paths_begin_beside_it(tmp_path: Path) -> None:
    file = load_intercom_file(written(tmp_path))
    assert file.intercom.credentials_file == tmp_path / "intercom.credentials"
    assert file.intercom.ca == tmp_path / "authority.pem"
    assert file.broker.password_file == tmp_path / "street-strike.password"
    twon = written(tmp_path, "kind: doorbird", "kind: 2n\n  switch: 2")
    assert load_intercom_file(twon).intercom.kind == "2n"


def test_the_file_that_the_docs_show_is_one(tmp_path: Path) -> None:
    page = (Path(__file__).parents[4] / "docs" / "installer" / "street-door.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```yaml\n# intercom\.yaml\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    (tmp_path / "intercom.yaml").write_text(block, encoding="utf-8")
    assert load_intercom_file(tmp_path / "intercom.yaml").intercom.kind == "doorbird"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("kind: doorbird", "kind: intratone", "must be one of 'doorbird', '2n'"),
        ("  kind: doorbird\n", "", "say what this is: `kind: doorbird` or 2n"),
        ("https://", "http://", "this one shows no certificate"),
        ("https://192.168.1.30", "https://192.168.1.30/bha-api", "write the address of the intercom"),
        ("https://192.168.1.30", "https://user:word@192.168.1.30", "write the address of the intercom"),
        ("ca: authority.pem", f"ca: authority.pem\n  fingerprint: '{PIN}'", "give ca or fingerprint, not both"),
        ("ca: authority.pem", "fingerprint: abc", "a fingerprint is SHA-256"),
        ("kind: doorbird", "kind: doorbird\n  relay: '1&x=2'", "a relay is 1, 2, or the id"),
        ("kind: doorbird", "kind: doorbird\n  switch: 1", "`switch` is not known here"),
        ("{username: street-strike,", "{host: 192.168.1.10, username: street-strike,", "is not this machine"),
        ("{username: street-strike,", "{username: gateway,", "it is its device"),
        ("device: street-strike", "device: bridge", "word of Perron's own topics"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, old: str, new: str, told: str) -> None:
    with pytest.raises(ConfigError, match=r"intercom\.yaml:\d+:\d+: ") as refused:
        load_intercom_file(written(tmp_path, old, new))
    assert told in str(refused.value)


def test_a_password_is_never_sent_as_it_is_over_a_line_that_anybody_can_read(tmp_path: Path) -> None:
    text = TEXT.replace("https://", "http://").replace("  ca: authority.pem\n", "  login: basic\n")
    (tmp_path / "intercom.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="sends the password to whoever listens"):
        load_intercom_file(tmp_path / "intercom.yaml")


def test_an_account_that_others_may_read_is_not_used(tmp_path: Path) -> None:
    section = load_intercom_file(written(tmp_path)).intercom
    with pytest.raises(ConfigError, match="cannot be read"):
        section.credentials()
    file = write_credentials(tmp_path, "ghabcd0001", "a:b")
    assert section.credentials() == ("ghabcd0001", "a:b")
    file.chmod(0o640)
    with pytest.raises(ConfigError, match=r"others on this machine may read it.*chmod 600"):
        section.credentials()
    for text in ("ghabcd0001", ":word", "user:", "user:w\x1bd"):
        file.write_text(text, encoding="utf-8")
        file.chmod(0o600)
        with pytest.raises(ConfigError, match="not one line"):
            section.credentials()


def test_an_authority_that_is_none_is_told(tmp_path: Path) -> None:
    section = load_intercom_file(written(tmp_path)).intercom
    for text in (None, "no certificate"):
        if text is not None:
            (tmp_path / "authority.pem").write_text(text, encoding="utf-8")
        with pytest.raises(ConfigError, match=r"authority\.pem: the authority cannot be read"):
            section.tls()
    make_certificate(tmp_path, "doorbird")
    assert section.tls()
