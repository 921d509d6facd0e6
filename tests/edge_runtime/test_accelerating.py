"""An accelerator helps, or is not there, or goes: beats are classified all the same."""

import dataclasses
import json
import os
import shutil
import subprocess
import weakref
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from edge_runtime.accelerating import (
    Accelerating,
    Timed,
    accelerated,
    faster_from,
    gathered_from,
)
from edge_runtime.cli import main
from edge_runtime.config import load
from edge_runtime.engine import Engine
from edge_runtime.errors import ConfigError
from edge_runtime.events import BeatClassified, Event, Notice
from edge_runtime.gathering import Gathering
from edge_runtime.inference.accelerator import AcceleratorConfig
from edge_runtime.inference.bundle import BundleSet, load_bundle_set
from edge_runtime.inference.interpreter import Kernels, Runtime, find_runtime
from tests.synthetic import chunks, ecg, opened, steady

SOURCE = Path(__file__).parent / "inference" / "delegate"
COMPILER = shutil.which("cc")
FLAGS = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-O1"]
SECONDS = 40

pytestmark = pytest.mark.skipif(
    COMPILER is None and os.environ.get("CI") != "true", reason="there is no C compiler"
)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A delegate on TensorFlow's own headers, compiled now."""
    made = tmp_path_factory.mktemp("delegate") / "one_node.so"
    assert COMPILER is not None
    command = [COMPILER, *FLAGS, f"-I{SOURCE}", "-o", str(made), str(SOURCE / "one_node.c")]
    subprocess.run(command, check=True)
    return str(made)


@pytest.fixture(scope="module")
def bundles() -> BundleSet:
    return load_bundle_set()


def always(library: str, *options: str) -> AcceleratorConfig:
    return AcceleratorConfig(library, options, use="always")


def events(bundles: BundleSet, runtime: Runtime | None) -> Iterator[list[Event]]:
    """Of each second of an ECG."""
    signal = ecg(steady(70, 0.4, SECONDS), SECONDS, 250)
    engine = Engine.of_bundles(opened(Fraction(250)), bundles, runtime=runtime)
    for chunk in chunks(signal, 250):
        yield engine.feed(chunk)
    yield engine.finish()


def gathering_of(runtime: Runtime) -> Gathering:
    assert runtime.accelerator is not None
    assert isinstance(runtime.accelerator.gathering, Gathering)
    return runtime.accelerator.gathering


def beats(told: list[list[Event]]) -> list[BeatClassified]:
    return [event for part in told for event in part if isinstance(event, BeatClassified)]


def lost(told: list[list[Event]]) -> list[str]:
    return [
        event.message
        for part in told
        for event in part
        if isinstance(event, Notice) and event.code == "accelerator_lost"
    ]


def test_an_accelerator_that_passes_through_changes_nothing(
    library: str, bundles: BundleSet
) -> None:
    runtime, trial = accelerated(bundles, always(library), find_runtime())
    assert trial is not None
    assert not trial.problem
    assert runtime.kernels is Kernels.ACCELERATOR
    assert [one.rows for one in trial.timed] == [1, 8, 64]
    told = list(events(bundles, runtime))
    assert beats(told) == beats(list(events(bundles, None)))
    assert len(beats(told)) > SECONDS * 70 / 60 - 5
    assert not lost(told)


def test_a_stick_that_vanishes_is_told_once_and_no_beat_is_lost(
    library: str, bundles: BundleSet
) -> None:
    runtime, _ = accelerated(bundles, always(library), find_runtime())
    assert runtime.accelerator is not None
    # Its trial is passed; it goes some time after that.
    runtime.accelerator._config = always(library, "fail=invoke", "after=40")
    told = list(events(bundles, runtime))
    (words,) = lost(told)
    assert "the stick is gone" in words
    assert "the processor goes on" in words
    assert not lost(told[:2])
    assert beats(told) == beats(list(events(bundles, None)))
    # A stream that begins later asks it no more, and says nothing of it.
    again = list(events(bundles, runtime))
    assert not lost(again)
    assert beats(again) == beats(told)


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("fail=load", "no stick was found"),
        ("fail=prepare", "this graph is not for the stick"),
        ("fail=invoke", "the stick is gone"),
        ("wrong=40", "computes something else"),
    ],
)
def test_what_fails_its_trial_leaves_the_processor(
    library: str, bundles: BundleSet, option: str, words: str
) -> None:
    runtime, trial = accelerated(bundles, always(library, option), find_runtime())
    assert runtime.accelerator is None
    assert trial is not None
    assert words in trial.words
    assert trial.words.endswith("the processor does everything")


def test_a_library_that_is_none_is_named(bundles: BundleSet, tmp_path: Path) -> None:
    absent = str(tmp_path / "libedgetpu.so.1")
    _, trial = accelerated(bundles, always(absent), find_runtime())
    assert trial is not None
    assert absent in trial.problem


def test_the_slower_one_is_not_taken(library: str, bundles: BundleSet) -> None:
    slow = AcceleratorConfig(library, ("slow=500",))
    runtime, trial = accelerated(bundles, slow, find_runtime())
    assert trial is not None
    assert runtime.accelerator is None
    assert trial.from_rows is None
    assert all(one.accelerator_us > one.processor_us + 500 for one in trial.timed)
    assert "the processor is faster" in trial.words
    never = AcceleratorConfig(library, use="never")
    assert accelerated(bundles, never, find_runtime())[1] is None


def timed(*accelerator_us: float) -> tuple[Timed, ...]:
    return tuple(
        Timed(rows, 100.0, one) for rows, one in zip((1, 8, 64), accelerator_us, strict=True)
    )


def test_it_takes_over_from_where_it_is_faster() -> None:
    assert faster_from(timed(50, 40, 30)) == 1
    assert faster_from(timed(300, 85, 30)) == 8
    assert faster_from(timed(300, 95, 30)) == 64
    assert faster_from(timed(300, 200, 100)) is None
    assert faster_from(timed(20, 20, 200)) is None


def test_calls_of_many_rows_go_to_it_and_those_of_few_do_not(
    library: str, bundles: BundleSet
) -> None:
    runtime, _ = accelerated(bundles, always(library, "wrong=1"), find_runtime())
    assert runtime.accelerator is not None
    runtime.accelerator.from_rows = 8
    graph, plain = bundles.beats.open_encoder(runtime), bundles.beats.open_encoder()
    for rows, same in ((7, True), (8, False)):
        random = np.random.default_rng(rows)
        values = {
            role: random.integers(-128, 128, (rows, *graph.shape(role)), dtype=np.int8)
            for role in ("window", "template", "features")
        }
        found = np.empty((2, rows, *graph.shape("cam")), np.int8)
        graph.run(values, "cam", found[0])
        plain.run(values, "cam", found[1])
        assert np.array_equal(*found) is same


def test_patients_are_gathered_where_that_beats_a_row_at_a_time() -> None:
    by_rows = timed(90, 40, 30)  # the processor takes 100 for a row
    assert gathered_from(by_rows, Timed(8, 100.0, 80.0), 1) == 8
    assert gathered_from(by_rows, Timed(8, 100.0, 85.0), 1) is None
    assert gathered_from(by_rows, Timed(8, 100.0, 85.0), 8) == 8
    # Eight rows are not its part, or nothing is.
    assert gathered_from(by_rows, Timed(8, 100.0, 20.0), 64) is None
    assert gathered_from(by_rows, Timed(8, 100.0, 20.0), None) is None


def test_rows_of_several_patients_are_a_call_of_many(library: str, bundles: BundleSet) -> None:
    runtime, _ = accelerated(bundles, always(library, "wrong=1"), find_runtime())
    gathering = gathering_of(runtime)
    assert runtime.accelerator is not None
    runtime.accelerator.from_rows = 8
    plain = bundles.beats.open_encoder()
    random = np.random.default_rng(1)
    values = {
        role: random.integers(-128, 128, (1, *plain.shape(role)), dtype=np.int8)
        for role in ("window", "template", "features")
    }
    expected = np.empty((1, *plain.shape("cam")), np.int8)
    plain.run(values, "cam", expected)
    for patients, same in ((7, True), (8, False)):
        found = np.empty((patients, *expected.shape), np.int8)
        graphs = [bundles.beats.open_encoder(runtime) for _ in range(patients)]
        works = [
            partial(graph.run, values, "cam", into)
            for graph, into in zip(graphs, found, strict=True)
        ]
        list(gathering.together(works))
        assert all(np.array_equal(one, expected) is same for one in found)


def test_engines_that_work_together_say_what_each_says_alone(
    library: str, bundles: BundleSet
) -> None:
    # Where another network's weights have to be loaded first, gathering shares that.
    config = always(library, "load=2000")
    mine = Accelerating(config)
    assert mine.gathering() is None
    runtime = mine.runtime_for(bundles)
    gathering = mine.gathering()
    assert gathering is not None
    assert gathering.from_patients == 8
    rates = [50 + 5 * k for k in range(8)]
    streams = [list(chunks(ecg(steady(rate, 0.4, 20), 20, 250), 250)) for rate in rates]
    engines = [Engine.of_bundles(opened(Fraction(250)), bundles, runtime=runtime) for _ in rates]
    told: list[list[Event]] = [[] for _ in rates]
    for second in zip(*streams, strict=True):
        works = [partial(engine.feed, chunk) for engine, chunk in zip(engines, second, strict=True)]
        for so_far, said in zip(told, gathering.together(works), strict=True):
            so_far.extend(said)
    for engine, stream, said in zip(engines, streams, told, strict=True):
        alone = Engine.of_bundles(opened(Fraction(250)), bundles)
        assert said == [event for chunk in stream for event in alone.feed(chunk)]
        assert beats([said])
        assert engine.finish() == alone.finish()


def test_a_stick_that_vanishes_in_a_gathered_call_loses_nothing(
    library: str, bundles: BundleSet
) -> None:
    runtime, _ = accelerated(bundles, always(library), find_runtime())
    assert runtime.accelerator is not None
    runtime.accelerator._config = always(library, "fail=invoke", "after=0")
    signal = list(chunks(ecg(steady(70, 0.4, 10), 10, 250), 250))
    engines = [Engine.of_bundles(opened(Fraction(250)), bundles, runtime=runtime) for _ in range(3)]
    together = gathering_of(runtime).together
    told = [list(together([partial(one.feed, chunk) for one in engines])) for chunk in signal]
    alone = Engine.of_bundles(opened(Fraction(250)), bundles)
    expected = [beats([alone.feed(chunk)]) for chunk in signal]
    for k in range(3):
        assert [beats([said[k]]) for said in told] == expected
    assert len(lost([part for said in told for part in said])) == 1


def test_a_compiled_graph_lies_beside_under_its_compilers_name(
    library: str, bundles: BundleSet, tmp_path: Path
) -> None:
    compiled = tmp_path / "encoder_edgetpu.tflite"
    config = dataclasses.replace(always(library), graphs=tmp_path)
    compiled.write_bytes(b"TFL3 of another set")
    _, trial = accelerated(bundles, config, find_runtime())
    assert trial is not None
    assert trial.problem
    compiled.write_bytes(bundles.beats.encoder)
    runtime, trial = accelerated(bundles, config, find_runtime())
    assert trial is not None
    assert not trial.problem
    assert runtime.accelerator is not None


def test_each_set_is_tried_once(
    library: str, bundles: BundleSet, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    mine = Accelerating(always(library))
    assert mine.runtime_for(bundles) is mine.runtime_for(bundles)
    assert caplog.text.count("the accelerator does everything") == 1
    assert Accelerating(AcceleratorConfig()).runtime_for(bundles).accelerator is None


def test_a_set_that_is_taken_back_leaves_those_before_it_as_they_were(
    library: str, bundles: BundleSet, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    mine = Accelerating(always(library))
    sets = [dataclasses.replace(bundles, fingerprint=name) for name in ("old", "new", "newer")]

    def used(one: BundleSet) -> Gathering | None:
        gathering_of(mine.runtime_for(one)).from_patients = 8  # as if it had won
        return mine.gathering()

    old, new = used(sets[0]), used(sets[1])
    assert old is not new
    assert used(sets[0]) is old
    assert used(sets[1]) is new
    assert caplog.text.count("the accelerator does everything") == 2
    # Of those that come and go for years nothing stays.
    gone = weakref.ref(old)
    del old
    used(sets[2])
    assert gone() is None
    assert used(sets[1]) is new


def test_doctor_prints_both(library: str, tmp_path: Path) -> None:
    asked = ["doctor", "--accelerator", "--json", "--set", f"store.directory={tmp_path}"]
    done = CliRunner().invoke(main, [*asked, "--set", f"accelerator.library={library}"])
    findings = {one["subject"]: one for one in json.loads(done.stdout)}
    found = findings[f"accelerator {library}"]
    assert found["verdict"] == "good"
    assert "accelerator against processor" in found["words"]
    without = json.loads(CliRunner().invoke(main, asked).stdout)
    assert [one["verdict"] for one in without if one["subject"] == "accelerator"] == ["warning"]


def test_an_option_without_a_value_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[accelerator]\noptions = ["usb"]\n')
    with pytest.raises(ConfigError, match="no KEY=VALUE"):
        load(file, ())
