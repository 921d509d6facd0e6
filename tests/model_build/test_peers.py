"""Published methods in the harness: their features, their learning, their cells."""

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from edge_runtime.signal.windows import R_AT, STEP_S
from firmware_bridge.records import Annotations
from model_build.datasets.recording import CLASSES, Group, Recording, Target
from model_build.errors import RecipeError
from model_build.evaluate.ec57 import compare_beats
from model_build.evaluate.labels import emitted
from model_build.peers.beats import LEARNT, UNKNOWN, PeerBeats, peer_beats, resampled
from tests.model_build.made_up_classes import made_up

FS = 360.0


def beats(n: int = 400, seed: int = 0) -> PeerBeats:
    return peer_beats(made_up("a", n, seed), FS)


def test_intervals_look_back_and_ahead():
    one = replace(made_up("a", 12), at=np.cumsum(np.r_[360, np.full(10, 360), 720]))
    found = peer_beats(one, FS)
    np.testing.assert_allclose(found.pre_s, [*np.ones(11), 2.0])
    np.testing.assert_allclose(found.post_s, [*np.ones(10), 2.0, 2.0])
    assert found.local_s[-1] == pytest.approx(1.1)
    assert found.past_s[-1] == pytest.approx(13 / 12)
    assert found.record_s[0] == pytest.approx(13 / 12)


def test_tentative_peaks_are_no_beats_and_end_no_interval():
    one = replace(made_up("a", 4), at=np.array([0, 360, 540, 720]))
    found = peer_beats(replace(one, tentative=np.array([False, False, True, False])), FS)
    np.testing.assert_allclose(found.pre_s, [1.0, 1.0, 1.0])
    assert len(found.window) == 3


def test_a_beat_of_several_or_of_no_classes_is_not_learnt():
    one = made_up("a", 6)
    target = np.array([Target.N, Target.S, Target.NOT_S, Target.IGNORE, Target.V, Target.F])
    found = peer_beats(replace(one, target=target.astype(np.uint8)), FS)
    names = [CLASSES[k] if k != UNKNOWN else "" for k in found.number]
    assert names == ["N", "S", "", "", "V", "F"]
    unreadable = replace(one, valid=np.zeros(6, bool))
    assert len(peer_beats(unreadable, FS).learnable) == 0
    assert len(found.learnable) == 4


def test_a_resampled_window_is_the_same_curve():
    t = (np.arange(160) - R_AT) * STEP_S
    window = np.cos(2 * np.pi * 3.0 * t)[None].astype(np.float32)
    wanted = np.arange(-90, 91) / 360.0
    np.testing.assert_allclose(
        resampled(window, 360.0, 90, 90)[0], np.cos(2 * np.pi * 3.0 * wanted), atol=1e-3
    )


def test_the_first_and_last_beat_of_a_short_record():
    for n in (1, 2):
        found = peer_beats(replace(made_up("a", n), starts=np.array([0])), FS)
        assert np.isfinite(np.column_stack([found.pre_s, found.post_s, found.past_s])).all()


def test_chazals_features_measure_the_beat():
    from model_build.peers.chazal import features, has_p_wave, qrs_bounds

    rows = features(beats())
    assert rows.shape == (400, 26)
    assert np.isfinite(rows).all()
    t = (np.arange(160) - R_AT) * STEP_S
    qrs, wide = (np.exp(-((t / width) ** 2)) for width in (0.02, 0.04))
    onset, offset = qrs_bounds(np.array([qrs, wide]))
    np.testing.assert_allclose(offset - onset, [10, 20], atol=2)
    with_p = qrs + 0.15 * np.exp(-(((t + 0.16) / 0.02) ** 2))
    assert has_p_wave(np.array([qrs, with_p])).tolist() == [False, True]


def test_every_class_counts_alike_in_the_discriminant():
    from model_build.peers.chazal import LinearDiscriminant

    random = np.random.default_rng(0)
    classes = np.repeat([0, 1], [2000, 20])
    rows = random.normal(size=(2020, 2))
    rows[classes == 1, 0] += 3.0
    discriminant = LinearDiscriminant()
    discriminant.fit(rows, classes)
    middle = (rows[classes == 0].mean(axis=0) + rows[classes == 1].mean(axis=0)) / 2
    scores = discriminant.scores(middle[None])
    assert scores[0, 0] == pytest.approx(scores[0, 1], abs=1e-6)


def test_mondejars_descriptors_have_the_papers_sizes():
    pytest.importorskip("pywt")
    from model_build.peers.mondejar import DESCRIPTORS, patterns

    found = beats(30)
    rows = [describe(found) for describe in DESCRIPTORS]
    assert [r.shape for r in rows] == [(30, 8), (30, 23), (30, 10), (30, 59), (30, 4)]
    assert all(np.isfinite(r).all() for r in rows)
    # 180 samples less four at either end, each in one bin.
    assert (patterns(found).sum(axis=1) == 172).all()


def test_uniform_patterns_fill_58_bins():
    from model_build.peers.mondejar import _uniform_bins

    bins = _uniform_bins()
    assert np.bincount(bins).tolist() == [1] * 58 + [256 - 58]


def test_descriptors_of_a_flat_beat_are_finite():
    pytest.importorskip("pywt")
    from model_build.peers.chazal import features
    from model_build.peers.mondejar import DESCRIPTORS

    found = beats(3)
    flat = replace(found, window=np.zeros_like(found.window))
    assert all(np.isfinite(describe(flat)).all() for describe in (*DESCRIPTORS, features))


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", ["chazal", "mondejar"])
def test_a_classical_peer_learns_what_can_be_told_apart(name):
    pytest.importorskip("sklearn")
    from model_build.peers.peer import new_peer

    peer, described = new_peer(name)
    peer.fit(beats(600, seed=1), 1)
    test = beats(300, seed=2)
    said = peer.scores(test)
    assert said.shape == (300, len(CLASSES))
    for name_of_class in "SV":
        own = test.number == CLASSES.index(name_of_class)
        assert (said.argmax(axis=1)[own] == test.number[own]).mean() > 0.8
    assert described.citation
    again, _ = new_peer(name)
    again.fit(beats(600, seed=1), 1)
    np.testing.assert_array_equal(again.scores(test), said)


@pytest.mark.tensorflow
def test_networks_have_the_printed_shapes():
    from model_build.peers import acharya, article_cnn, article_lstm

    n = len(LEARNT)
    cnn = article_cnn.build()
    assert [tuple(layer.output.shape[1:]) for layer in cnn.layers] == [
        (121, 32), (60, 32), (26, 64), (13, 64), (832,), (n,),
    ]  # fmt: skip
    lengths = [layer.output.shape[1] for layer in acharya.build().layers if "pool" in layer.name]
    assert lengths == [129, 63, 30]
    names = [layer.__class__.__name__ for layer in article_lstm.build(16).layers]
    assert names.count("Bidirectional") == 2


@pytest.mark.tensorflow
def test_a_network_learns_and_repeats_itself():
    from model_build.peers import acharya
    from model_build.peers.network import NetworkPeer, Training

    said = []
    for _ in range(2):
        peer = NetworkPeer(acharya.build, acharya.beat, Training(30, 512, 5e-3))
        peer.fit(beats(600, seed=1), 1)
        said.append(peer.scores(beats(300, seed=2)))
    np.testing.assert_array_equal(said[0], said[1])
    number = beats(300, seed=2).number
    wide = number == CLASSES.index("V")
    assert (said[0].argmax(axis=1)[wide] == number[wide]).mean() > 0.8


def test_an_unknown_peer_is_refused():
    from model_build.peers.peer import new_peer

    with pytest.raises(RecipeError, match="chazal"):
        new_peer("chazel")


@pytest.fixture
def in_folds(monkeypatch):
    """Recordings "x/0" to "x/4" in the folds of their numbers, without files."""
    pytest.importorskip("keras")
    from model_build.peers import cells

    monkeypatch.setattr(cells, "fold_of", lambda who: int(who[-1]))
    monkeypatch.setattr(cells, "_rates", lambda recordings: {r.key: FS for r in recordings})

    def score(recording, one, labels, matrices):
        symbols = [CLASSES[k] for k in peer_beats(one, FS).number]
        reference, test = Annotations.of(one.at, symbols), emitted(one.at, labels)
        end = int(one.at[-1]) + 1
        matrices[recording.key] = compare_beats(reference, test, FS, end, learning_s=0.0)

    monkeypatch.setattr(cells, "score_recording", score)
    keys = [f"x/{k}" for k in range(5)]
    recordings = [Recording("x", k[-1], k, None, Group.BEATS, None) for k in keys]
    return recordings, [made_up(key, 300, k) for k, key in enumerate(keys)]


def test_a_cell_never_learns_from_its_fold(in_folds, monkeypatch):
    from model_build.peers import cells

    recordings, prepared = in_folds
    learnt = []
    genuine = cells.fit_peer

    def spy(name, recordings, inside, seed):
        learnt.append([one.key for one in inside])
        return genuine(name, recordings, inside, seed)

    monkeypatch.setattr(cells, "fit_peer", spy)
    result = cells.run_cell("chazal", recordings, prepared, 2, 1)
    assert learnt == [["x/0", "x/1", "x/3", "x/4"]]
    assert list(result.matrices) == ["x/2"]
    assert result.total.veb.f1 > 0.8
    with pytest.raises(RecipeError, match="two classes"):
        genuine("chazal", recordings, [replace(prepared[0], target=np.zeros(300, np.uint8))], 1)


def test_a_cell_survives_the_disk_and_folds_are_joined(in_folds, tmp_path):
    from model_build.peers.cells import cell_name, joined, read_cell, run_cell, write_cell
    from model_build.recipe import read_recipe
    from model_build.recipe_files import recipe_path

    recordings, prepared = in_folds
    recipe = read_recipe(recipe_path("beats-first"))
    names = [cell_name("chazal", fold, 1, recipe) for fold in (0, 1)]
    assert names[0].path(tmp_path) != names[1].path(tmp_path)
    kept = []
    for name in names:
        found = run_cell("chazal", recordings, prepared, name.fold, 1)
        write_cell(name.path(tmp_path), name, found)
        again = read_cell(name.path(tmp_path))
        assert again.total.as_json() == found.total.as_json()
        assert again.af == found.af
        kept.append(again)
    stored = json.loads(names[0].path(tmp_path).read_text())
    assert stored["recipe"] == recipe.digest
    assert set(joined(kept).matrices) == {"x/0", "x/1"}


@pytest.mark.tensorflow
def test_the_command_goes_on_where_it_stood(in_folds, tmp_path, monkeypatch):
    from model_build.cli import main
    from model_build.commands import peers
    from model_build.peers import cells
    from model_build.training import loop

    recordings, prepared = in_folds
    monkeypatch.setattr(loop, "one_thread", lambda: None)
    monkeypatch.setattr(peers, "load_training", lambda *_: (recordings, prepared))
    words = ["peers", "--peers", "chazal", "--folds", "0,1", "--work", str(tmp_path)]
    shown = CliRunner().invoke(main, words)
    assert shown.exit_code == 0, shown.output
    assert "De Chazal 2004" in shown.output
    monkeypatch.setattr(cells, "run_cell", None)
    again = CliRunner().invoke(main, [*words, "--json"])
    assert json.loads(again.stdout)["peers"]["chazal"]["total"]["veb"]["f1"] > 0.8
    assert CliRunner().invoke(main, [*words, "--peers", "chazel"]).exit_code == 2


@pytest.mark.tensorflow
def test_a_peer_speaks_at_the_paths_own_peaks(monkeypatch, tmp_path):
    from types import SimpleNamespace

    from model_build.peers import speaking
    from model_build.peers.chazal import Chazal

    one = made_up("mitdb/101", 200, 3)
    one = replace(one, valid=np.arange(200) != 5, tentative=np.arange(200) == 7)
    monkeypatch.setattr(speaking, "tapped_beats", lambda *_: one)
    monkeypatch.setattr(speaking, "read_header", lambda _: SimpleNamespace(fs_fraction=FS))
    peer = Chazal()
    peer.fit(beats(600, seed=1), 1)
    recording = Recording("mitdb", "101", "mitdb/101", tmp_path / "101", Group.BEATS, "atr")
    said = speaking.peer_speaks(peer, 60)(recording)
    np.testing.assert_array_equal(said.sample, np.delete(one.at, 7))
    assert said.symbol[5] == "Q"
    assert set(said.symbol) <= set("NSVFQ")
