"""Accounts, logins and attempts, without a network."""

from pathlib import Path

import pytest

from edge_runtime.errors import ConfigError
from edge_runtime.web.accounts import FILE_NAME, Accounts
from edge_runtime.web.logins import ATTEMPTS, LASTS_S, WINDOW_S, AttemptLimit, Logins
from tests.edge_runtime.store.making import Hand

PASSWORD = "correct horse battery"


def test_nothing_secret_is_in_the_file_and_nobody_else_reads_it(tmp_path: Path) -> None:
    accounts = Accounts(tmp_path)
    accounts.set_password("nurse", "acknowledge", PASSWORD)
    token = accounts.make_token("diary", "view")
    file = tmp_path / FILE_NAME
    assert file.stat().st_mode & 0o777 == 0o600
    assert PASSWORD not in file.read_text()
    assert token not in file.read_text()
    assert "$argon2id$" in file.read_text()


def test_a_password_opens_its_own_account_alone(tmp_path: Path) -> None:
    accounts = Accounts(tmp_path)
    accounts.set_password("nurse", "acknowledge", PASSWORD)
    found = accounts.by_password("nurse", PASSWORD)
    assert found is not None
    assert found.role == "acknowledge"
    assert accounts.by_password("nurse", "wrong") is None
    assert accounts.by_password("nobody", PASSWORD) is None
    assert accounts.remove("nurse")
    assert accounts.by_password("nurse", PASSWORD) is None


@pytest.mark.parametrize(("role", "password"), [("king", PASSWORD), ("view", "short")])
def test_what_is_no_account_is_refused(tmp_path: Path, role: str, password: str) -> None:
    with pytest.raises(ConfigError):
        Accounts(tmp_path).set_password("nurse", role, password)


def test_a_login_ends_after_a_shift() -> None:
    clock = Hand()
    logins = Logins(clock)
    cookie = logins.begin("nurse")
    clock.now_s = LASTS_S - 1
    assert logins.name(cookie) == "nurse"
    clock.now_s = LASTS_S
    assert logins.name(cookie) is None


def test_attempts_are_counted_by_address_and_in_all() -> None:
    clock = Hand()
    limit = AttemptLimit(clock)
    assert [limit.wait_s("a") for _ in range(ATTEMPTS)] == [0.0] * ATTEMPTS
    assert limit.wait_s("a") == WINDOW_S
    assert limit.wait_s("b") == 0.0
    clock.now_s = WINDOW_S
    assert limit.wait_s("a") == 0.0
    many = [limit.wait_s(f"address {n}") for n in range(40)]
    assert many.count(0.0) < 30
