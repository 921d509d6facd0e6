"""The printed Holter summary, read by poppler: its words, its font, its paper."""

import io
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from edge_runtime.cli import main
from edge_runtime.events import BeatClass, BeatClassified, BeatDetected
from edge_runtime.exports.cjk_font import glyphs
from edge_runtime.exports.report_words import WORDS, Language, say
from edge_runtime.exports.strip import LEFT_MM
from tests.edge_runtime.store.making import RATE, Recording, noise

LATIN_1 = 256


@pytest.fixture
def stored(tmp_path: Path) -> tuple[Path, str]:
    """Twenty seconds of signal, and two hours of beats: a ventricular couplet each minute, the
    highest rate where no signal is kept."""
    recording = Recording(tmp_path / "store")
    recording.samples(noise(1, 20 * RATE))
    events: list[BeatDetected | BeatClassified] = []
    for n in range(2 * 3600):
        at = n * RATE
        label = BeatClass.VENTRICULAR if n % 60 in (10, 11) else BeatClass.NORMAL
        bpm = 61.0 if n == 5000 else 60.0
        events += [
            BeatDetected(at=at, decided=at + 20, lead="II", rr_s=1.0, heart_rate_bpm=bpm),
            BeatClassified(at=at, decided=at + 60, label=label, scores={}),
        ]
    recording.events(*events)
    recording.store.close()
    return tmp_path / "store", recording.session.id


def report(stored: tuple[Path, str], *options: str) -> Path:
    directory, session = stored
    file = directory / "report.pdf"
    arguments = ["export", session, str(file), "--format", "holter", "--offset-min", "480"]
    done = CliRunner().invoke(main, [*arguments, "--set", f"store.directory={directory}", *options])
    assert done.exit_code == 0, done.output
    return file


def read(program: str, *arguments: str) -> bytes:
    if shutil.which(program) is None:
        pytest.skip(f"there is no {program} (Debian: poppler-utils)")
    return subprocess.run([program, *arguments], capture_output=True, check=True).stdout


def test_the_font_has_every_character_of_the_words() -> None:
    assert WORDS["zh"].keys() == WORDS["en"].keys()
    used = {one for text in WORDS["zh"].values() for one in text if ord(one) >= LATIN_1}
    assert used == glyphs().keys()


def test_figures_hours_and_places_are_told_in_both_languages(stored: tuple[Path, str]) -> None:
    languages: tuple[Language, ...] = ("en", "zh")
    for language in languages:
        file = report(stored, "--language", language)
        text = read("pdftotext", "-layout", str(file), "-").decode()
        for key in ("title", "warning", "af_unknown", "no_signal"):
            assert say(language, key) in text, key
        assert "7200" in text
        assert say(language, "ectopy_value", n=240, r="120.0", c=120, u=0) in text
        assert "22:13:25" in text  # the couplet's strip, in local time
        assert "2026-09-21 22:00" in text  # the session began at 22:13 of that local time


def test_the_chinese_font_is_embedded_and_the_english_report_does_without(
    stored: tuple[Path, str],
) -> None:
    chinese = read("pdffonts", str(report(stored, "--language", "zh"))).decode()
    row = next(line for line in chinese.splitlines() if "DroidSansFallback" in line)
    assert row.split()[-5:-2] == ["yes", "yes", "yes"]  # embedded, a subset, back to characters
    assert "Droid" not in read("pdffonts", str(report(stored))).decode()


def test_a_place_is_on_paper_true_to_scale(stored: tuple[Path, str]) -> None:
    """The first couplet lies at 10 s: its strip begins 5 s before, and 10 s are 250 mm."""
    dots_per_mm = 4
    file = report(stored)
    last = ["-r", str(25.4 * dots_per_mm), "-f", "3", "-l", "3", "-png", str(file)]
    picture = np.asarray(Image.open(io.BytesIO(read("pdftoppm", *last))).convert("RGB"))
    ink = (picture[:, : 275 * dots_per_mm] < 90).all(axis=2)
    places = np.flatnonzero(ink.sum(axis=0) > 20) / dots_per_mm
    assert places.min() < LEFT_MM
    assert places.max() == pytest.approx(LEFT_MM + 250, abs=1)
