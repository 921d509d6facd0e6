"""Annotation files: round trips, wfdb-python as witness, and what cannot be."""

import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wfdb_witness import annotation_differences, ask_wfdb

from firmware_bridge.errors import RecordError
from firmware_bridge.records import Annotations, Label, read_annotations, write_annotations
from firmware_bridge.records.annotations import SYMBOLS, decode_annotations, encode_annotations

# wfdb-python writes no control characters, and takes a leading "## " for a definition.
_printable = st.characters(min_codepoint=32, max_codepoint=255, exclude_categories=["Cc"])
_text = (st.text(_printable, max_size=12) | st.just("x" * 255)).filter(lambda t: t[:3] != "## ")
# Two processes share a core: no deadline for what calls wfdb-python.
_with_wfdb = settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@st.composite
def annotations(draw: st.DrawFn, sorted_from: int | None = None) -> Annotations:
    n = draw(st.integers(0, 12))

    def ints(low: int, high: int) -> list[int]:
        return draw(st.lists(st.integers(low, high), min_size=n, max_size=n))

    sample = ints(-(2**40) if sorted_from is None else sorted_from, 2**40)
    return Annotations.of(
        sample if sorted_from is None else sorted(sample),
        draw(st.lists(st.sampled_from(sorted(SYMBOLS.values())), min_size=n, max_size=n)),
        draw(st.lists(st.just("") | _text, min_size=n, max_size=n)),
        subtype=ints(-128, 127),
        chan=ints(0, 255),
        num=ints(-128, 127),
    )


def same(a: Annotations, b: Annotations) -> bool:
    arrays = ("sample", "subtype", "chan", "num")
    return all(np.array_equal(getattr(a, f), getattr(b, f)) for f in arrays) and (
        (a.symbol, a.aux, a.fs, a.labels) == (b.symbol, b.aux, b.fs, b.labels)
    )


@given(annotations())
def test_decode_undoes_encode(ours: Annotations) -> None:
    assert same(decode_annotations(encode_annotations(ours)), ours)


@_with_wfdb
@given(ours=annotations(sorted_from=1).filter(len))
def test_wfdb_reads_what_we_write(ours: Annotations, tmp_path: Path) -> None:
    path = tmp_path / "any.edge"
    write_annotations(path, ours)
    assert annotation_differences(path, ours) == []


@_with_wfdb
@given(ours=annotations(sorted_from=1).filter(len))
def test_we_read_what_wfdb_writes(ours: Annotations, tmp_path: Path) -> None:
    ask_wfdb(
        "wrann", "any", "atr", ours.sample, np.array(ours.symbol), write_dir=str(tmp_path),
        subtype=ours.subtype % 2, chan=ours.chan, num=ours.num % 100, aux_note=list(ours.aux),
        fs=360,
    )  # fmt: skip
    read = read_annotations(tmp_path / "any.atr")
    assert read.fs == 360
    assert annotation_differences(tmp_path / "any.atr", read) == []
    assert read.sample.tolist() == ours.sample.tolist()
    assert read.aux == ours.aux


@given(st.binary(max_size=80))
def test_random_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        read = decode_annotations(data)
    except RecordError:
        return
    assert len(read) <= len(data) // 2


@pytest.mark.parametrize("fs", [Fraction(250), Fraction(257, 2), 128.0, 1000])
def test_the_clock_is_written_where_it_is_not_the_records(fs: float, tmp_path: Path) -> None:
    path = tmp_path / "any.edge"
    write_annotations(path, Annotations.of([5, 2000], ["N", "V"]), fs=fs)
    assert read_annotations(path).fs == fs
    theirs = ask_wfdb("rdann", str(tmp_path / "any"), "edge")
    assert (theirs.fs, theirs.sample.tolist()) == (fs, [5, 2000])


def test_samples_are_converted_to_another_rate() -> None:
    ours = Annotations.of([0, 1, 250, 251], list("NNNV"))
    assert ours.at_rate(360) is ours
    timed = decode_annotations(encode_annotations(_at(ours, Fraction(250))))
    converted = timed.at_rate(Fraction(360))
    assert converted.sample.tolist() == [0, 1, 360, 361]
    assert converted.fs == 360


def _at(ours: Annotations, fs: Fraction) -> Annotations:
    return Annotations(
        ours.sample, ours.symbol, ours.subtype, ours.chan, ours.num, ours.aux, fs
    )  # fmt: skip


def test_labels_of_ones_own(tmp_path: Path) -> None:
    plain = Annotations.of([10, 20], ["N", "AL"])
    labels = (Label(42, "AL", "Alarm raised"),)
    ours = Annotations(
        plain.sample, plain.symbol, plain.subtype, plain.chan, plain.num, plain.aux, None, labels
    )
    path = tmp_path / "any.edge"
    write_annotations(path, ours)
    assert same(read_annotations(path), ours)
    assert ask_wfdb("rdann", str(tmp_path / "any"), "edge").symbol == ["N", "AL"]


def test_comments_at_the_start_stay() -> None:
    ours = Annotations.of([0, 0], ['"', "N"], ["started", ""])
    assert same(decode_annotations(encode_annotations(ours)), ours)


def test_a_code_without_a_symbol_keeps_its_number() -> None:
    assert decode_annotations(b"\x05\xac\0\0").symbol == ("[43]",)
    assert encode_annotations(Annotations.of([5], ["[43]"])) == b"\x05\xac\0\0"


@pytest.mark.parametrize(
    ("ours", "message"),
    [
        (Annotations.of([1], ["bogus"]), "'bogus' has no code; use one of WFDB's"),
        (Annotations.of([1], ["N"], ["x" * 256]), "text has 256 bytes; shorten it to 255"),
        (Annotations.of([1], ["N"], ["→"]), "outside Latin-1; replace it"),
        (Annotations.of([1], ["N"], num=128), "num 128 is not in -128..127"),
        (Annotations.of([1], ["N"], chan=-1), "chan -1 is not in 0..255"),
    ],
)
def test_what_the_format_cannot_hold(ours: Annotations, message: str) -> None:
    with pytest.raises(RecordError, match=re.escape(message)):
        encode_annotations(ours)


def test_fields_of_different_length_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="differ in length"):
        Annotations.of([1, 2], ["N"])


@pytest.mark.parametrize("cut", [0, 2, 3, 7])
def test_a_truncated_file(cut: int, tmp_path: Path) -> None:
    whole = encode_annotations(Annotations.of([5000, 6000], ["N", "+"], ["", "(AFIB"]))
    path = tmp_path / "cut.atr"
    path.write_bytes(whole[:cut] if cut else b"")
    with pytest.raises(RecordError, match=r"cut\.atr: has no end mark .* truncated"):
        read_annotations(path)


def test_a_file_that_begins_with_a_modifier() -> None:
    with pytest.raises(RecordError, match="begins with a word that modifies"):
        decode_annotations(b"\x01\xf0\0\0")


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="no such annotation file; give the whole name"):
        read_annotations(tmp_path / "100")


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="cannot be written"):
        write_annotations(tmp_path / "no" / "100.edge", Annotations.of([1], ["N"]))
