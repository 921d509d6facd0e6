"""`edge-runtime account`, and a daemon whose extra is missing."""

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edge_runtime.assembly import build
from edge_runtime.audit import Entry, entries
from edge_runtime.cli import main
from edge_runtime.config import structure
from edge_runtime.errors import ConfigError
from edge_runtime.update.choice import chosen_set
from edge_runtime.web.accounts import Accounts

PASSWORD = "correct horse battery"


def account(directory: Path, *arguments: str, typed: str = "") -> Result:
    at_store = ("--set", f"store.directory={directory}")
    return CliRunner().invoke(main, ["account", *arguments, *at_store], input=typed)


def test_accounts_are_made_listed_and_removed(tmp_path: Path) -> None:
    typed = account(tmp_path, "set", "nurse", typed=f"{PASSWORD}\n{PASSWORD}\n")
    assert typed.exit_code == 0, typed.output
    assert PASSWORD not in typed.output
    piped = account(
        tmp_path, "set", "chief", "--role", "administer", "--password-stdin", typed=f"{PASSWORD}\n"
    )
    assert (piped.exit_code, piped.output) == (0, "")
    made = json.loads(account(tmp_path, "token", "archive", "--role", "view", "--json").stdout)
    found = Accounts(tmp_path).by_token(made["token"])
    assert found is not None
    listed = json.loads(account(tmp_path, "list", "--json").stdout)["accounts"]
    assert [(one["name"], one["role"], one["kind"]) for one in listed] == [
        ("nurse", "acknowledge", "password"),
        ("chief", "administer", "password"),
        ("archive", "view", "token"),
    ]
    assert account(tmp_path, "remove", "nurse").exit_code == 0
    assert account(tmp_path, "remove", "nurse").exit_code == 1
    acts = [(one.act, one.about["account"]) for one in entries(tmp_path) if isinstance(one, Entry)]
    assert acts == [
        ("account set", "nurse"),
        ("account set", "chief"),
        ("account token", "archive"),
        ("account remove", "nurse"),
    ]
    assert Accounts(tmp_path).by_password("nurse", PASSWORD) is None


def test_a_short_password_is_wrong_usage(tmp_path: Path) -> None:
    done = account(tmp_path, "set", "nurse", "--password-stdin", typed="short\n")
    assert done.exit_code == 2
    assert "10 characters" in done.output


def test_a_page_without_its_extra_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("edge_runtime.web.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    loaded = structure({"web": {"enabled": True}, "store": {"directory": str(tmp_path)}})
    with pytest.raises(ConfigError, match=r"uvicorn is not installed; .*ecg-edge\[web\]"):
        build(loaded, chosen_set(loaded), ())
