"""The support dump holds nothing of a person: secrets are planted wherever one could be."""

import getpass
import json
import socket
from dataclasses import replace
from pathlib import Path

import msgspec

from edge_runtime.audit import Audit
from edge_runtime.events import GapRecorded, Notice, UserMarked
from edge_runtime.publication import Session
from edge_runtime.store.reviews import Review, Subject, Verdict
from edge_runtime.store.store import Store
from edge_runtime.wearers import Identity, Wearers, identify
from edge_runtime.web.accounts import Accounts
from tests.edge_runtime.cli.running import edge_runtime
from tests.edge_runtime.store.making import (
    PROVENANCE,
    START_NS,
    Recording,
    alarm,
    beat,
    noise,
    opened,
)

SECRETS = (
    "C4:A1:B2:C3:D4:E5", "planted-source", "planted-subject", "planted-wearer", "planted-name",
    "planted-born", "planted-mark", "planted-account", "planted-model", "planted-firmware",
    "planted-comment", "planted-reason", "planted-text", "planted-notice", "planted-rule",
    "planted-host", "planted-folder", "planted-lead", "planted-actor", "planted-cert",
)  # fmt: skip


def test_no_planted_string_comes_out(tmp_path: Path) -> None:
    directory = tmp_path / "planted-folder" / "store"
    stream = replace(
        opened(), source="planted-source", model="planted-model", firmware="planted-firmware"
    )
    store = Store(directory, PROVENANCE, {"planted-source": "planted-subject"})
    run = Recording(directory, session=Session(stream, START_NS, 0), store=store)
    run.samples(noise(1, 500))
    raised = msgspec.structs.replace(alarm(200), rule="planted-rule", text="planted-text")
    run.events(
        *beat(100),
        raised,
        UserMarked(at=300, decided=300, text="planted-mark"),
        Notice(at=300, decided=300, code="planted-notice", message="planted-notice"),
        GapRecorded(at=400, decided=400, n_missing=1, exact=True, reason="planted-reason"),
    )
    store.review(
        Review(
            session=run.session.id,
            subject=Subject.ALARM,
            target=1,
            verdict=Verdict.FALSE,
            comment="planted-comment",
            by="planted-actor",
        )
    )
    store.end(run.session.id, "planted-reason: C4:A1:B2:C3:D4:E5")
    store.close()
    Wearers(directory, {}).change("planted-source", "planted-wearer")
    identify(directory, "planted-wearer", Identity(name="planted-name", born="planted-born"))
    token = Accounts(directory).make_token("planted-account", "view")
    audit = Audit(directory)
    audit.record("planted-actor", "delete", session=run.session.id)
    audit.record("planted-actor", "planted-actor", what="planted-actor")
    file = tmp_path / "config.toml"
    file.write_text(
        "[[source]]\nname = 'planted-source'\ndriver = 'ble'\nport = 'C4:A1:B2:C3:D4:E5'\n"
        "lead = 'planted-lead'\nsubject = 'planted-subject'\n"
        "[web]\nhosts = ['planted-host']\ncertificate = 'planted-cert'\nkey = 'planted-cert'\n"
        f"[store]\ndirectory = '{directory}'\ndurability_s = 7.5\n"
    )
    output = tmp_path / "support.json"
    done = edge_runtime("support", output, "--config", file)
    assert done.exit_code == 0, done.output
    text = output.read_text()
    user, host = getpass.getuser(), socket.gethostname()
    for secret in (*SECRETS, token, run.session.id, str(tmp_path), f'"{user}"', f'"{host}"'):
        assert secret not in text, secret

    told = json.loads(text)
    keys = {one["key"]: one for one in told["configuration"]}
    assert keys["store.durability_s"] == {"key": "store.durability_s", "value": 7.5, "set": True}
    assert keys["source.0.driver"]["value"] == "ble"
    assert keys["source.0.port"] == {"key": "source.0.port", "value": "(text)", "set": True}
    assert told["store"]["rows"]["beat"] == 1
    assert told["store"]["alarms"]["physiological high"] == 1
    assert told["store"]["whole"] is True
    (session,) = told["store"]["latest_sessions"]
    assert (session["beats"], session["signals"][0]["leads"]) == (1, 2)
    assert told["acts"] == {"damaged lines": 0, "other": 1, "delete": 1}


def test_a_machine_without_a_store_is_told_as_well(tmp_path: Path) -> None:
    done = edge_runtime("support", "-", "--set", f"store.directory={tmp_path / 'none'}")
    told = json.loads(done.stdout)
    assert told["place"] == {"exists": False}
    assert told["store"] == {"cannot be read": "StoreError"}
    assert told["program"]["packages"]["numpy"] != "absent"
