"""Each kind of bad input gives one clear message or event that says what to do, and nothing
recorded before it is lost.

A message asked for here is one a person reads: an event's text or a line on standard error.
"""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_runtime import config
from edge_runtime.assembly import build
from edge_runtime.cli.views import SummaryView
from edge_runtime.config import SHIPPED_BUNDLES
from edge_runtime.supervisor import Supervisor
from edge_runtime.update.choice import chosen_set
from firmware_bridge.errors import LinkError
from firmware_bridge.stream import (
    BytesSkipped,
    ClockAnchor,
    SampleChunk,
    SampleIndex,
    StreamItem,
)
from tests.e2e.processes import raw_record, rows
from tests.edge_runtime.cli.running import edge_runtime, json_lines
from tests.edge_runtime.daemon_parts import ListDriver
from tests.firmware_bridge.records.wfdb_witness import ask_wfdb
from tests.records_on_disk import write_record
from tests.synthetic import chunks, ecg, opened, steady

RATE = 500
GOOD_S = 30
"""Every recording begins with so much good signal, which must be kept."""
Signal = NDArray[np.float32]


def good(duration_s: float = GOOD_S) -> Signal:
    return ecg(steady(72, 0.6, duration_s - 0.3), duration_s, RATE)


@dataclass
class Kept:
    """What a daemon said about a stream, and what its store holds afterwards."""

    notices: list[str]
    said: list[str]
    signal: Signal
    beats: int


class Listening(SummaryView):
    """Also keeps what was said without an event."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def say(self, source: str, message: str) -> None:
        self.said.append(message)


def monitored(
    folder: Path, items: list[StreamItem], then: Exception | None = None, *settings: str
) -> Kept:
    """The whole daemon, real store and engine, on `items` in place of a port."""
    store = folder / "store"
    loaded, _ = config.load(None, [f"store.directory={store}", *settings])
    view = Listening()
    parts = build(loaded, chosen_set(loaded), (view,))
    drivers = iter([ListDriver(items, then), ListDriver([])])
    made = replace(parts, drivers={"synthetic": lambda: next(drivers)})
    asyncio.run(Supervisor(made).run())
    ((session,),) = rows(store, "SELECT name FROM session")
    ((beats,),) = rows(store, "SELECT count(detected_number) FROM beat")
    read = ask_wfdb("rdrecord", raw_record(store, session))
    return Kept(list(view.summaries["synthetic"].notices), view.said, read.p_signal[:, 0], beats)


@pytest.fixture(autouse=True)
def _no_system_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "SYSTEM_FILE", Path("/nowhere"))


def stream(signal: Signal) -> list[StreamItem]:
    return [opened(RATE), *chunks(signal, 50)]


def flat_line() -> Signal:
    return np.concatenate([good(), np.full((20 * RATE, 1), 0.1, np.float32)])


def not_a_number() -> Signal:
    bad = np.full((5 * RATE, 1), np.nan, np.float32)
    return np.concatenate([good(), bad, good()])


def saturation() -> Signal:
    """An amplifier driven into its limits: the baseline sways over them twice a second."""
    sway = 3 * np.sin(4 * np.pi * np.arange(20 * RATE) / RATE)[:, None]
    return np.concatenate([good(), np.clip(good(20) + sway, -2, 2).astype(np.float32)])


def stuck() -> Signal:
    return np.concatenate([good(), np.full((20 * RATE, 1), 300.0, np.float32)])


def inverted() -> Signal:
    return -good(90)


SIGNALS: dict[str, tuple[Callable[[], Signal], str]] = {
    "flat line": (flat_line, "lead I shows a flat line; check electrodes and cable"),
    "NaN": (not_a_number, "lead I sends values that are no numbers; update the firmware"),
    "stuck at the rail": (stuck, "lead I shows a flat line; check electrodes and cable"),
    "saturation": (
        saturation,
        (
            "lead I is stuck at the end of the converter's range; press the "
            "electrodes on, or lower "
            "the gain"
        ),
    ),
    "inverted lead": (
        inverted,
        (
            "P, QRS and T of lead I point down, which is rare: the lead may be "
            "inverted; check whether its "
            "two electrodes are swapped"
        ),
    ),
}


@pytest.mark.parametrize("kind", SIGNALS)
def test_a_bad_signal_is_one_notice_and_all_is_kept(tmp_path: Path, kind: str) -> None:
    make, words = SIGNALS[kind]
    signal = make()
    kept = monitored(tmp_path, stream(signal), None, *SOURCE)
    assert kept.notices == [words]
    assert kept.said == []
    assert kept.beats >= GOOD_S * 72 / 60 - 2
    n = GOOD_S * RATE
    np.testing.assert_allclose(kept.signal[:n], signal[:n, 0], atol=0.001)
    assert len(kept.signal) == len(signal)


def test_a_record_without_numbers_on_any_lead_says_so_once(tmp_path: Path) -> None:
    signal = np.concatenate([good(), not_a_number()])
    signal[1000] = np.nan  # too short to be worth words
    both = np.concatenate([signal, signal], axis=1)
    result = edge_runtime("replay", write_record(tmp_path / "rec", both, RATE), "--json")
    assert result.exit_code == 0, result.output
    summary = json_lines(result.stdout)[-1]["summary"]
    (words,) = summary["notices"]
    assert words == (
        "no lead holds numbers for 5.0 s, nothing is monitored there; "
        "check how the signal was recorded or converted"
    )
    assert summary["gaps"] == 2
    assert summary["beats_detected"] >= 3 * GOOD_S * 72 / 60 - 4


SOURCE = ("source.0.name=synthetic", "source.0.port=/dev/nothing")


def wrong_rate_items() -> Iterator[StreamItem]:
    """A device that says 500 Hz and sends 480: its anchors tell."""
    yield opened(RATE)
    for chunk in chunks(good(150), 50):
        if chunk.first % RATE == 0:
            yield ClockAnchor(chunk.first, None, round(chunk.first / 480 * 1e9))
        yield chunk


def test_a_wrong_sampling_rate_is_told_with_both_numbers(tmp_path: Path) -> None:
    kept = monitored(tmp_path, list(wrong_rate_items()), None, *SOURCE)
    assert kept.notices == [
        (
            "the device sends 480.0 samples a second but states 500; rates and "
            "intervals are off by "
            "as much: correct the rate in its firmware or configuration"
        )
    ]
    assert len(kept.signal) == 150 * RATE


def test_a_rate_outside_what_can_be_processed_is_refused(tmp_path: Path) -> None:
    record = write_record(tmp_path / "slow", good()[::10], 50)
    result = edge_runtime("replay", record)
    assert result.exit_code == 1
    assert result.stderr == (
        "edge-runtime: sampling rate 50 Hz is outside 100 to 1000 Hz; check the device's or the "
        "record's stated rate\n"
    )


def test_bytes_that_make_no_sense_are_reported_and_the_rest_is_kept(tmp_path: Path) -> None:
    items = stream(good())
    where = SampleIndex(GOOD_S * RATE)
    items.append(BytesSkipped(where, 12, 345, "bad checksum (12)"))
    kept = monitored(tmp_path, items, None, *SOURCE)
    assert kept.notices == [
        (
            "345 bytes in 12 pieces made no sense and were skipped (bad checksum "
            "(12)); check cable, "
            "port and baud rate"
        )
    ]
    assert len(kept.signal) == GOOD_S * RATE


def test_a_link_that_turns_to_noise_keeps_what_came_before(tmp_path: Path) -> None:
    error = LinkError("/dev/x: 900 bytes arrived, but no greeting of an ecg-edge sensor; check")
    kept = monitored(tmp_path, stream(good()), error, *SOURCE)
    assert kept.said == [str(error)]
    assert len(kept.signal) == GOOD_S * RATE


def test_chunks_out_of_shape_end_the_session_with_words_and_keep_the_rest(tmp_path: Path) -> None:
    items = stream(good())
    two = np.zeros((50, 2), np.float32)
    items.append(SampleChunk("ecg", SampleIndex(GOOD_S * RATE), two))
    kept = monitored(tmp_path, items, None, *SOURCE)
    assert len(kept.said) == 1
    assert "lead" in kept.said[0]
    assert len(kept.signal) == GOOD_S * RATE


def truncated(folder: Path) -> Path:
    record = write_record(folder / "rec", good(), RATE)
    data = folder / "rec.dat"
    data.write_bytes(data.read_bytes()[: GOOD_S * RATE])
    return record


def noise_header(folder: Path) -> Path:
    (folder / "rec.hea").write_bytes(np.random.default_rng(0).bytes(1000))
    return folder / "rec"


def text(folder: Path, content: str) -> Path:
    file = folder / "rec.csv"
    file.write_text(content)
    return file


@pytest.mark.parametrize(
    ("make", "status", "words"),
    [
        (
            lambda f: write_record(f / "rec", np.empty((0, 1), np.float32), RATE),
            1,
            "rec: the record holds no readable sample, nothing to analyse",
        ),
        (
            truncated,
            1,
            (
                "rec.dat: is truncated: it holds 7500 samples per signal, and "
                "its header promises at "
                "least 15000; copy it again, or read no further than it goes "
                "(replay: --to SECONDS)"
            ),
        ),
        (lambda f: f / "none", 1, "none.hea: no such header"),
        (noise_header, 1, "rec.hea, line 1: a record line needs a name"),
        (lambda f: text(f, "I\nhello\n"), 1, "rec.csv, line 2: 'hello' is no number"),
        (lambda f: text(f, ""), 1, "rec.csv: is empty; it needs one row per sample"),
        (
            lambda f: write_record(f / "rec", good(5), RATE, ("PLETH",)),
            2,
            "rec: no signal is an ECG by its name; choose a channel (0 PLETH)",
        ),
    ],
    ids=["empty", "truncated", "absent", "random header", "words", "empty CSV", "no ECG"],
)
def test_a_bad_file_is_one_line(
    tmp_path: Path, make: Callable[[Path], Path], status: int, words: str
) -> None:
    before = tmp_path / "out" / "rec.edge"
    before.parent.mkdir()
    before.write_bytes(b"an earlier result")
    fs = ["--fs", "500"] if make(tmp_path).suffix == ".csv" else []
    result = edge_runtime("replay", make(tmp_path), "--output", before.parent, *fs)
    assert result.exit_code == status
    assert result.stderr.count("\n") == 1
    assert words in result.stderr
    assert result.stdout == ""
    assert before.read_bytes() == b"an earlier result"


@pytest.mark.parametrize(
    ("name", "status"), [("encoder.tflite", 3), ("context.tflite", 3), ("manifest.toml", 3)]
)
def test_a_bundle_with_a_flipped_bit_refuses_to_start_and_leaves_the_store(
    tmp_path: Path, name: str, status: int
) -> None:
    kept = monitored(tmp_path, stream(good(10)), None, *SOURCE)
    bundles = tmp_path / "bundles"
    shutil.copytree(SHIPPED_BUNDLES, bundles)
    file = bundles / "beats" / name
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0x04
    file.write_bytes(content)
    store = tmp_path / "store"
    before = {f: f.read_bytes() for f in store.rglob("*") if f.is_file()}
    settings = (*SOURCE, f"store.directory={store}", f"bundles.directory={bundles}")
    result = edge_runtime("run", "--unsigned", *(word for s in settings for word in ("--set", s)))
    assert result.exit_code == status
    assert f"{name} does not match its hash: the set is damaged or was edited" in result.stderr
    assert "install it again" in result.stderr
    # That it was started is counted: a set that stays damaged ends in the safe mode.
    starts = store / "starts.json"
    assert starts not in before
    starts.unlink()
    assert {f: f.read_bytes() for f in store.rglob("*") if f.is_file()} == before
    assert kept.beats >= 9


def test_an_unknown_key_refuses_to_start_with_a_suggestion(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[store]\ndirectroy = "/data"\n[[source]]\nname = "a"\nport = "/dev/x"\n')
    result = edge_runtime("run", "--config", file)
    assert result.exit_code == 2
    assert result.stderr == (
        "edge-runtime: store.directroy: unknown key; did you mean 'directory'?\n"
    )
