"""Beats to a report: labels of events, rules of counting, the ledger."""

import json
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from edge_runtime.events import BeatClass, BeatClassified, BeatDetected
from edge_runtime.inference.bundle import load_bundle_set
from edge_runtime.inference.interpreter import find_runtime
from firmware_bridge.records import Annotations
from model_build.cli import main
from model_build.datasets.recording import Group, Recording
from model_build.errors import RecipeError
from model_build.evaluate import report
from model_build.evaluate.beats import Said, Scores, beats_of, pooled, scores_of
from model_build.evaluate.document import to_markdown
from model_build.evaluate.ec57 import compare_beats
from model_build.evaluate.fibrillation import AfErrors
from model_build.evaluate.findings import Findings, Subject
from model_build.evaluate.ledger import begin, commit_of, commit_of_set, complete, openings
from model_build.evaluate.noise_levels import NoiseLevel
from model_build.evaluate.reliability import BINS, Reliability

FS = 360.0


def detected(at: int) -> BeatDetected:
    return BeatDetected(at=at, decided=at + 90, lead="MLII", rr_s=None, heart_rate_bpm=None)


def classified(at: int, label: BeatClass) -> BeatClassified:
    return BeatClassified(at=at, decided=at + 200, label=label, scores={})


def test_a_detected_beat_without_a_class_is_q():
    said = beats_of(
        [detected(100), detected(400), classified(100, BeatClass.VENTRICULAR), detected(800)]
    )
    assert said.sample.tolist() == [100, 400, 800]
    assert said.symbol == ("V", "Q", "Q")


def test_scores_stand_beside_the_beats_and_are_nan_where_there_are_none():
    heard = BeatClassified(at=100, decided=300, label=BeatClass.NORMAL, scores={"N": 0.7, "S": 0.3})
    events = [detected(100), detected(400), heard]
    found = scores_of(events, beats_of(events), ("S", "N"))
    np.testing.assert_array_equal(found, [[0.3, 0.7], [np.nan, np.nan]])


def scores(shift: int = 0, n_beats: int = 1200) -> Scores:
    at = 200 + 300 * np.arange(n_beats)
    symbols = np.full(n_beats, "N")
    symbols[::10], symbols[5::10], symbols[7::50] = "V", "A", "j"
    said = np.where(symbols == "A", "S", np.where(symbols == "j", "N", symbols))
    said[700:720] = "N"
    reference = Annotations.of(at, symbols.tolist())
    test = Annotations.of(at + shift, said.tolist())
    end = int(at[-1]) + 300
    return Scores(
        main=compare_beats(reference, test, FS, end),
        escapes_s=compare_beats(reference, test, FS, end, escapes="s"),
        whole=compare_beats(reference, test, FS, end, learning_s=0.0),
        whole_escapes_s=compare_beats(reference, test, FS, end, learning_s=0.0, escapes="s"),
    )


@pytest.fixture
def subject():
    return Subject(
        title="Beats: DS2, inter-patient", date="2026-11-23", recipe="r", recipe_digest="d" * 64,
        bundle_set="b" * 64, bundle_bytes=60_000, runtime="litert 9.8", mains_hz=60,
        seen_in_training=False,
        credits=["an archive"],
    )  # fmt: skip


def test_the_report_states_every_rule_apart(subject, tmp_path):
    int8 = {"mitdb/100": scores(), "mitdb/232": scores(5)}
    findings = Findings(subject, int8, {"mitdb/100": scores()})
    data, text, page = report.write(tmp_path / "beats", findings)
    found = json.loads(data.read_text())
    main = found["int8"]["main"]
    assert main["escapes"] == "n"
    assert main["learning_s"] == 300.0
    assert found["int8"]["escapes_s"]["escapes"] == "s"
    assert found["int8"]["whole"]["learning_s"] == 0.0
    assert found["int8"]["whole"]["veb"]["tp"] > main["veb"]["tp"]
    assert found["int8"]["escapes_s"]["sveb"]["fn"] > main["sveb"]["fn"]
    assert main["veb"]["fn"] == 2 * found["int8_without_232"]["veb"]["fn"] == 4
    assert set(found["records"]) == set(int8)
    assert found["runtime"] == "litert 9.8"
    words = text.read_text()
    assert "shipped engine on litert 9.8" in words
    for part in (
        "Escape beats (e, j, n) are N", "SVEB without 232", "201", "mitdb/232", "+0.00",
        "escapes as S, from 0:00", "Construe", "Not comparable",
    ):  # fmt: skip
        assert part in words
    drawn = page.read_text()
    assert drawn.count("<svg") == 2
    assert "<script" not in drawn
    assert "http-equiv" not in drawn


def test_float_is_held_against_int8_without_the_rhythm_model(subject):
    gated, alone = {"mitdb/100": scores(9)}, {"mitdb/100": scores()}
    findings = Findings(subject, gated, {"mitdb/100": scores()}, alone=alone)
    words = to_markdown(report.compose(findings))
    assert "| beats alone, without the rhythm model | INT8 % | float % | points |" in words
    assert words.count("+0.00") == 3
    assert "int8_without_rhythm" in findings.as_json()


def test_pooling_adds_and_can_leave_out():
    both = {"a": scores(), "b": scores()}
    assert pooled(both).main.veb.tp == 2 * pooled(both, ["a"]).main.veb.tp


def test_records_that_were_trained_on_are_called_so(subject):
    seen = Findings(replace(subject, seen_in_training=True), {"mitdb/101": scores()})
    words = to_markdown(report.compose(seen))
    assert "not of accuracy" in words
    assert "Construe" not in words


def _git(folder, *arguments):
    subprocess.run(
        ["git", "-c", "user.name=n", "-c", "user.email=e@example.org", *arguments],
        cwd=folder,
        check=True,
        capture_output=True,
    )


def test_only_a_committed_recipe_opens_the_test(tmp_path):
    recipe = tmp_path / "r.toml"
    recipe.write_text("name = 'r'\n")
    with pytest.raises(RecipeError, match="no git repository"):
        commit_of(recipe)
    _git(tmp_path, "init", "-q")
    with pytest.raises(RecipeError, match="not committed"):
        commit_of(recipe)
    _git(tmp_path, "add", "r.toml")
    _git(tmp_path, "commit", "-qm", "Add")
    assert len(commit_of(recipe)) == 40
    upon = tmp_path / "upon.toml"
    upon.write_text(f"name = 'upon'\nbase = '{recipe}'\n")
    _git(tmp_path, "add", "upon.toml")
    _git(tmp_path, "commit", "-qm", "Add another")
    assert commit_of(upon) != commit_of(recipe)
    recipe.write_text("name = 'changed'\n")
    for one in (recipe, upon):
        with pytest.raises(RecipeError, match=r"r\.toml is not committed"):
            commit_of(one)


def test_a_bundle_set_that_no_commit_holds_is_told_apart(tmp_path):
    folder = tmp_path / "sets" / "one"
    folder.mkdir(parents=True)
    (folder / "set.toml").write_text("schema = 1\n")
    assert commit_of_set(folder) is None
    _git(tmp_path, "init", "-q")
    assert commit_of_set(folder) is None
    _git(tmp_path, "add", "sets")
    _git(tmp_path, "commit", "-qm", "Add")
    assert len(commit_of_set(folder)) == 40
    (folder / "encoder.tflite").write_bytes(b"other")
    assert commit_of_set(folder) is None
    (tmp_path / ".gitignore").write_text("*.tflite\n")
    assert commit_of_set(folder) is None


def test_every_opening_stays_written_down(tmp_path):
    ledger = tmp_path / "openings.jsonl"
    assert openings(ledger) == []
    first, second = (begin({"recipe": f"r{k}"}, ledger) for k in range(2))
    complete(first, {"macro_f1_nsv": 0.7}, ledger)
    assert openings(ledger) == [
        {"id": first, "recipe": "r0", "results": {"macro_f1_nsv": 0.7}},
        {"id": second, "recipe": "r1", "results": None},
    ]
    assert first != second


def test_the_committed_ledger_can_be_read():
    found = openings()
    assert len(found) >= 2
    assert all(one["results"]["veb"]["se"] > 0.9 for one in found[:2])


@pytest.fixture
def ledger(tmp_path, monkeypatch):
    """`model-build evaluate` on a made-up test half, with a ledger of its own."""
    path = tmp_path / "openings.jsonl"
    monkeypatch.setattr("model_build.evaluate.ledger.LEDGER", path)
    monkeypatch.setattr("model_build.evaluate.ledger.commit_of", lambda _: "c" * 40)
    monkeypatch.setattr("model_build.commands.evaluate._require_made_by", lambda *_: None)
    made_up = Recording("mitdb", "232", "mitdb/232", tmp_path / "232", Group.BEATS, "atr")
    other = replace(made_up, record="100", subject="mitdb/100")
    monkeypatch.setattr("model_build.datasets.mitdb.test", lambda _: [other, made_up])
    return path


def evaluate(tmp_path, *more):
    words = ["evaluate", "--open-test", "--work", str(tmp_path), "--json", *more]
    return CliRunner().invoke(main, words)


def test_an_opening_that_breaks_off_is_in_the_ledger(ledger, tmp_path, monkeypatch):
    def power_cut(_recording):
        (line,) = ledger.read_text().splitlines()
        assert json.loads(line)["what"] == "opened"
        raise KeyError("power cut")

    monkeypatch.setattr("model_build.evaluate.beats.engine_says", lambda *_: power_cut)
    assert isinstance(evaluate(tmp_path).exception, KeyError)
    (one,) = openings(ledger)
    assert one["results"] is None
    assert (one["recipe"], one["recipe_commit"]) == ("beats", "c" * 40)
    assert one["bundle_set"] == load_bundle_set().fingerprint
    assert one["bundle_set_commit"] == commit_of_set(load_bundle_set().where)
    runtime = find_runtime()
    assert one["runtime"] == f"{runtime.name} {runtime.version}"


@pytest.fixture
def judged(tmp_path, monkeypatch):
    """Every recording is scored alike, without being read."""
    said = Said(Annotations.of([], []), np.zeros((0, 4)))
    none = Reliability(("N", "S", "V", "F"), np.zeros((5, BINS, 3)))
    noise = [NoiseLevel("ma", 6, scores().main)]
    monkeypatch.setattr("model_build.evaluate.beats.engine_says", lambda *_: lambda _: said)
    monkeypatch.setattr("model_build.evaluate.beats.score", lambda *_: scores())
    monkeypatch.setattr("model_build.evaluate.truth.calibration_of", lambda *_: none)
    monkeypatch.setattr("model_build.evaluate.truth.errors_in_af", lambda *_: AfErrors(100, 3))
    monkeypatch.setattr("model_build.commands.evaluate._in_noise", lambda *_: noise)
    monkeypatch.setattr("model_build.evaluate.worst_beats.strips_of", lambda *_: [])


def test_an_opening_that_ends_has_its_results(ledger, judged, tmp_path):
    result = evaluate(tmp_path)
    assert result.exit_code == 0, result.output
    (one,) = openings(ledger)
    assert one["results"]["veb"]["se"] == pytest.approx(scores().main.veb.se)
    found = json.loads(result.stdout)
    assert one["runtime"] == found["runtime"]
    assert found["af"] == {"beats": 200, "false_s_per_1000": 30.0}
    assert found["noise"][0]["level_db"] == 6


def test_peers_learn_before_the_opening_and_are_scored_in_it(ledger, judged, tmp_path, monkeypatch):
    pytest.importorskip("keras")
    learnt = []

    def fit(name, recordings, prepared, seed):
        assert openings(ledger) == []
        learnt.append(name)

    monkeypatch.setattr("model_build.commands.evaluate.load_training", lambda *_: ([], []))
    monkeypatch.setattr("model_build.peers.cells.fit_peer", fit)
    monkeypatch.setattr("model_build.peers.speaking.peer_speaks", lambda *_: lambda _: None)
    result = evaluate(tmp_path, "--peers", "chazal,acharya", "--report", str(tmp_path / "report"))
    assert result.exit_code == 0, result.output
    assert learnt == ["chazal", "acharya"]
    (one,) = openings(ledger)
    assert one["results"]["acharya_veb_f1"] == one["results"]["veb"]["f1"]
    assert set(json.loads(result.stdout)["peers"]) == set(learnt)
    assert set(json.loads((tmp_path / "report.peers.json").read_text())) == set(learnt)
    assert evaluate(tmp_path, "--peers", "chazel").exit_code == 2


def test_a_refused_recipe_opens_nothing(ledger, tmp_path, monkeypatch):
    def refuse(_):
        raise RecipeError("not committed")

    monkeypatch.setattr("model_build.evaluate.ledger.commit_of", refuse)
    result = evaluate(tmp_path)
    assert (result.exit_code, "not committed" in result.output) == (1, True)
    assert openings(ledger) == []
