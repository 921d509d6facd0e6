"""The bursts listened to, and the sounder with a program in place of aplay, then with aplay."""

import shutil
import subprocess
import sys
import wave
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from edge_runtime.cli import main
from edge_runtime.events import Priority
from edge_runtime.sinks.audible import AlsaSounder
from edge_runtime.sinks.bursts import BURSTS, RATE_HZ, samples, write_wav

HIGH, MEDIUM, LOW = Priority.HIGH, Priority.MEDIUM, Priority.LOW
Sound = NDArray[np.float64]


def listen(sound: Sound, rate_hz: int = RATE_HZ) -> list[tuple[float, float]]:
    """Start and length in seconds of every pulse that is heard."""
    window = rate_hz // 200
    loud = np.convolve(np.abs(sound), np.ones(window) / window, "same") > 0.05 * np.abs(sound).max()
    edges = np.diff(loud.astype(int), prepend=0, append=0)
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    return [(a / rate_hz, (b - a) / rate_hz) for a, b in zip(starts, ends, strict=True)]


def heard(file: Path) -> Sound:
    with wave.open(str(file), "rb") as opened:
        assert (opened.getnchannels(), opened.getsampwidth()) == (1, 2)
        assert opened.getframerate() == RATE_HZ
        return np.frombuffer(opened.readframes(opened.getnframes()), "<i2").astype(float)


@pytest.mark.parametrize(("priority", "n"), [(HIGH, 10), (MEDIUM, 3), (LOW, 2)])
def test_the_rhythm_is_that_of_the_standard(priority: Priority, n: int, tmp_path: Path) -> None:
    write_wav(tmp_path / "burst.wav", samples(priority))
    pulses = listen(heard(tmp_path / "burst.wav"))
    assert len(pulses) == n
    shortest, longest = (0.075, 0.2) if priority is HIGH else (0.125, 0.25)
    assert all(shortest <= length <= longest for _, length in pulses)
    gaps = [b[0] - a[0] - a[1] for a, b in pairwise(pulses)]
    if priority is not HIGH:
        assert all(0.125 <= gap <= 0.25 for gap in gaps)
        return
    x = [gaps[k] for k in (0, 1, 3, 5, 6, 8)]
    assert all(0.05 <= gap <= 0.135 for gap in x)
    for k in (2, 7):
        assert gaps[k] == pytest.approx(2 * 0.1 + 0.15, abs=0.03)
    assert 0.35 <= gaps[4] <= 1.3


@pytest.mark.parametrize("priority", list(Priority))
def test_the_pitch_has_four_harmonics_within_15_db(priority: Priority) -> None:
    sound = samples(priority).astype(float)
    begin, length = listen(sound)[0]
    pulse = sound[round(begin * RATE_HZ) : round((begin + length) * RATE_HZ)]
    power = np.abs(np.fft.rfft(pulse * np.hanning(len(pulse)))) ** 2
    hz = np.fft.rfftfreq(len(pulse), 1 / RATE_HZ)
    tone = BURSTS[priority].tone_hz
    assert 150 <= tone <= 1000
    levels = [10 * np.log10(power[np.abs(hz - tone * k) < 15].max()) for k in range(1, 6)]
    assert all(300 <= tone * k <= 4000 for k in range(2, 6))
    assert max(levels) - min(levels) <= 15
    assert hz[int(np.argmax(power))] == pytest.approx(tone, abs=10)


def test_the_three_differ_in_pulses_pitch_and_pause() -> None:
    assert len({burst.tone_hz for burst in BURSTS.values()}) == 3
    assert [BURSTS[p].pause_s for p in (HIGH, MEDIUM, LOW)] == sorted(
        burst.pause_s for burst in BURSTS.values()
    )
    assert 2.5 <= BURSTS[HIGH].pause_s <= 15.0
    assert 2.5 <= BURSTS[MEDIUM].pause_s <= 30.0


class Speaker:
    """Starts a small program in place of aplay, and remembers what was asked for."""

    def __init__(self, script: str = "") -> None:
        self.script = script
        self.played: list[str] = []
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self, command: list[str]) -> "subprocess.Popen[bytes]":
        self.played.append(Path(command[-1]).stem)
        assert Path(command[-1]).exists()
        program = [sys.executable, "-c", self.script]
        self.running.append(subprocess.Popen(program, stderr=subprocess.PIPE))
        return self.running[-1]

    def end(self) -> None:
        self.running[-1].wait()


@pytest.fixture
def _aplay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: "aplay")


@pytest.mark.usefixtures("_aplay")
def test_it_tests_itself_first_and_repeats_bursts_while_an_alarm_lasts() -> None:
    speaker = Speaker()
    sounder = AlsaSounder(start=speaker.start)
    assert sounder.sound(None, 0.0) is None
    assert speaker.played == ["low"]
    speaker.end()
    assert sounder.sound(None, 1.0) is None
    assert sounder.sound(HIGH, 2.0) is None
    speaker.end()
    assert speaker.played == ["low"]  # its pause is not over
    sounder.sound(HIGH, 30.0)
    speaker.end()
    sounder.sound(HIGH, 31.0)
    sounder.sound(HIGH, 38.5)
    assert speaker.played == ["low", "high", "high"]
    sounder.close()


@pytest.mark.usefixtures("_aplay")
def test_a_more_urgent_alarm_does_not_wait_and_silence_is_at_once() -> None:
    speaker = Speaker("import time; time.sleep(60)")
    sounder = AlsaSounder(start=speaker.start)
    sounder.sound(LOW, 0.0)
    sounder.sound(HIGH, 0.25)
    assert speaker.played == ["low", "high"]
    assert speaker.running[0].returncode is not None
    sounder._tested = True
    sounder.sound(None, 0.5)
    assert speaker.running[1].returncode is not None
    sounder.close()


@pytest.mark.usefixtures("_aplay")
def test_what_aplay_says_is_the_problem_and_it_tries_again() -> None:
    speaker = Speaker("import sys; sys.exit('audio open error: No such device')")
    sounder = AlsaSounder(start=speaker.start)
    sounder.sound(None, 0.0)
    speaker.end()
    problem = sounder.sound(None, 0.25)
    assert problem == "alarms cannot be heard: audio open error: No such device"
    assert sounder.sound(HIGH, 5.0) == problem
    speaker.script = ""
    sounder.sound(HIGH, 10.5)
    speaker.end()
    assert sounder.sound(HIGH, 10.75) is None
    sounder.close()


@pytest.mark.usefixtures("_aplay")
def test_a_sound_card_that_hangs_is_a_problem() -> None:
    speaker = Speaker("import time; time.sleep(60)")
    sounder = AlsaSounder(start=speaker.start)
    sounder.sound(HIGH, 0.0)
    assert sounder.sound(HIGH, 5.0) is None
    assert "does not take the sound" in (sounder.sound(HIGH, 10.0) or "")
    assert speaker.running[0].returncode is not None
    sounder.close()


def test_without_aplay_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    sounder = AlsaSounder()
    assert "alsa-utils" in (sounder.sound(None, 0.0) or "")
    sounder.close()


def test_the_command_writes_what_would_be_heard(tmp_path: Path) -> None:
    file = tmp_path / "alarms.wav"
    result = CliRunner().invoke(main, ["sound", "--to", str(file)])
    assert result.exit_code == 0
    assert len(listen(heard(file))) == 2 + 3 + 10
    wrong = CliRunner().invoke(main, ["sound", "--to", str(tmp_path / "none" / "x.wav")])
    assert wrong.exit_code == 1


@pytest.mark.skipif(shutil.which("aplay") is None, reason="needs aplay (alsa-utils)")
def test_aplay_plays_a_burst_into_alsas_file_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    played = tmp_path / "played.raw"
    configuration = tmp_path / "asound.conf"
    configuration.write_text(
        f'pcm.heard {{ type file file "{played}" format raw slave.pcm {{ type null }} }}\n'
    )
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(configuration))
    sounder, processes = AlsaSounder("heard"), list[subprocess.Popen[bytes]]()
    start = sounder._start

    def remember(command: list[str]) -> "subprocess.Popen[bytes]":
        processes.append(start(command))
        return processes[-1]

    sounder._start = remember
    sounder.sound(HIGH, 0.0)
    assert processes[0].wait(30) == 0
    assert sounder.sound(HIGH, 1.0) is None
    sounder.close()
    sound = np.fromfile(played, "<i2").astype(float)
    assert len(listen(sound)) == 10
