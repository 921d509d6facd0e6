"""The text of a WFDB header (`.hea`): parsed and written, without touching a disk.

Format: https://wfdb.io/spec/header-files.html . Where published headers bend it (a date in
words before the time), the meaning is taken when it is plain.
"""

import datetime as dt
import re
from dataclasses import replace
from fractions import Fraction

import numpy as np

from firmware_bridge.errors import RecordError
from firmware_bridge.records.header import (
    DEFAULT_FS,
    DEFAULT_GAIN,
    Header,
    Segment,
    SignalSpec,
)

_RECORD_NAME = re.compile(r"[-\w]+", re.ASCII)
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_RATE = re.compile(rf"({_NUMBER})(?:/({_NUMBER})(?:\(({_NUMBER})\))?)?$")
_FORMAT = re.compile(r"(\d+)(?:x(\d+))?(?::(\d+))?(?:\+(\d+))?$")
_GAIN = re.compile(rf"({_NUMBER})(?:\((-?\d+)\))?(?:/(\S+))?$")
_TIME = re.compile(r"(?:(?:(\d{1,2}):)?(\d{1,2}):)?(\d{1,2})(?:\.(\d{1,6}))?$")
_DATE = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})$")
_DATE_IN_WORDS = re.compile(r"(\d{1,2})-([A-Z][a-z]{2})-(\d{4})$")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def parse_header(text: str, source: str = "header") -> Header:
    """Parse a header; `source` names it in errors. Raises `RecordError`.

    The `signals` of a multi-segment record are left empty: they stand in other headers.
    """
    comments: list[str] = []
    lines: list[tuple[str, str]] = []
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if line.startswith("#"):
            comments.append(line.strip(" \t#"))
        elif line:
            lines.append((line, f"{source}, line {number}"))
    if not lines:
        raise RecordError(f"{source}: is empty; a WFDB header begins with a record line")
    header, n_segments = _parse_record_line(*lines[0])
    header = replace(header, comments=tuple(comments))
    wanted, what = (header.n_sig, "signals") if n_segments is None else (n_segments, "segments")
    rest = lines[1 : wanted + 1]
    if len(rest) < wanted:
        raise RecordError(
            f"{source}: announces {wanted} {what} but describes {len(rest)}; "
            "the header is incomplete, get it again"
        )
    if n_segments is None:
        return replace(header, signals=tuple(_parse_signal_line(*x) for x in rest))
    return _with_segments(header, tuple(_parse_segment_line(*x) for x in rest), source)


def _with_segments(header: Header, segments: tuple[Segment, ...], source: str) -> Header:
    total = sum(s.n_samples for s in segments)
    if header.n_samples not in (None, total):
        raise RecordError(
            f"{source}: is {header.n_samples} samples long, but its segments sum to {total}; "
            "correct the length in the record line"
        )
    return replace(header, segments=segments, n_samples=total)


def _parse_record_line(line: str, source: str) -> tuple[Header, int | None]:
    fields = line.split()
    if len(fields) < 2:
        raise RecordError(f"{source}: a record line needs a name and a number of signals")
    name, slash, n_segments = fields[0].partition("/")
    rate = _RATE.match(fields[2]) if len(fields) > 2 else None
    if len(fields) > 2 and rate is None:
        raise RecordError(f"{source}: {fields[2]!r} is no sampling rate")
    fs = Fraction(rate[1]) if rate else DEFAULT_FS
    if fs <= 0:
        raise RecordError(f"{source}: the sampling rate {fs} is not positive; correct the header")
    n_samples = _whole(fields[3], "number of samples", source) if len(fields) > 3 else 0
    base_time, base_date = _parse_start(fields[4:], source)
    header = Header(
        record_name=name,
        fs_fraction=fs,
        n_samples=n_samples or None,
        signals=(),
        base_time=base_time,
        base_date=base_date,
        counter_freq=float(rate[2]) if rate and rate[2] else None,
        base_counter=float(rate[3]) if rate and rate[3] else None,
        n_sig=_whole(fields[1], "number of signals", source),
    )
    if not slash:
        return header, None
    n = _whole(n_segments, "number of segments", source)
    if n < 1:
        raise RecordError(f"{source}: a multi-segment record needs at least one segment")
    return header, n


def _parse_start(fields: list[str], source: str) -> tuple[dt.time | None, dt.date | None]:
    """Time, then date; the Challenge 2020 headers have a date in words, then the time."""
    time: dt.time | None = None
    date: dt.date | None = None
    try:
        for field in fields[:2]:
            if match := _TIME.match(field):
                hour, minute, second, fraction = match.groups()
                micro = int((fraction or "0").ljust(6, "0"))
                time = dt.time(int(hour or 0), int(minute or 0), int(second), micro)
            elif match := _DATE.match(field):
                date = dt.date(int(match[3]), int(match[2]), int(match[1]))
            elif (match := _DATE_IN_WORDS.match(field)) and match[2] in _MONTHS:
                date = dt.date(int(match[3]), _MONTHS.index(match[2]) + 1, int(match[1]))
            else:
                raise RecordError(f"{source}: {field!r} is neither HH:MM:SS nor DD/MM/YYYY")
    except ValueError as error:
        raise RecordError(f"{source}: {' '.join(fields[:2])!r}: {error}") from error
    return time, date


def _parse_signal_line(line: str, source: str) -> SignalSpec:
    fields = line.split(maxsplit=8)
    form = _FORMAT.match(fields[1]) if len(fields) > 1 else None
    if form is None:
        raise RecordError(f"{source}: a signal line needs a file name and a format")
    gain = _GAIN.match(fields[2]) if len(fields) > 2 else None
    if len(fields) > 2 and gain is None:
        raise RecordError(f"{source}: {fields[2]!r} is no gain(baseline)/units")
    names = ("ADC resolution", "ADC zero", "initial value", "checksum", "block size")
    numbers = [_whole(x, what, source, signed=True) for what, x in zip(names, fields[3:8])]  # noqa: B905
    res, zero, init, checksum, block = [*numbers, None, None, None, None, None][:5]
    adc_gain = float(gain[1]) if gain else 0.0
    return SignalSpec(
        name=fields[8].strip() if len(fields) > 8 else "",
        file_name=fields[0],
        fmt=int(form[1]),
        adc_gain=adc_gain or DEFAULT_GAIN,
        # The baseline is the ADC zero unless it is given (header(5)).
        baseline=int(gain[2]) if gain and gain[2] else zero or 0,
        units=gain[3] if gain and gain[3] else "mV",
        adc_res=res,
        adc_zero=zero,
        init_value=init,
        checksum=checksum,
        block_size=block,
        samples_per_frame=int(form[2] or 1) or 1,
        skew=int(form[3] or 0),
        byte_offset=int(form[4] or 0),
        calibrated=adc_gain != 0.0,
    )


def _parse_segment_line(line: str, source: str) -> Segment:
    fields = line.split()
    if len(fields) < 2:
        raise RecordError(f"{source}: a segment line needs a name and a number of samples")
    return Segment(fields[0], _whole(fields[1], "segment length", source))


def _whole(field: str, what: str, source: str, signed: bool = False) -> int:
    digits = field[1:] if signed and field[:1] in ("-", "+") else field
    if not (digits.isascii() and digits.isdigit()):
        raise RecordError(f"{source}: {field!r} is no {what}; correct or replace the header")
    return int(field)


def format_header(header: Header) -> str:
    """The text of a header, fit for `parse_header`. Raises `RecordError` for what cannot be.

    Fields are positional, so one that is None before one that is given becomes 0.
    """
    n_segments = f"/{len(header.segments)}" if header.is_multi_segment else ""
    if not _RECORD_NAME.fullmatch(header.record_name):
        raise RecordError(
            f"record name {header.record_name!r}: use letters, digits, hyphen and underscore only"
        )
    lines = [f"{header.record_name}{n_segments} {header.n_sig} {_format_rate(header)}"]
    lines[0] += f" {header.n_samples or 0}{_format_start(header)}"
    if header.is_multi_segment:
        lines += [f"{s.name} {s.n_samples}" for s in header.segments]
    else:
        lines += [_format_signal(s) for s in header.signals]
    for comment in header.comments:
        if "\n" in comment or "\r" in comment:
            raise RecordError(f"comment {comment!r} has more than one line; give one per line")
        lines.append(f"# {comment}".rstrip())
    return "\n".join(lines) + "\n"


def plain_number(value: float | Fraction) -> str:
    """The shortest decimal that reads as the same float, without exponent or needless point."""
    return np.format_float_positional(float(value), trim="-")


def _format_rate(header: Header) -> str:
    text = plain_number(header.fs_fraction)
    if header.counter_freq is not None:
        text += f"/{plain_number(header.counter_freq)}"
        if header.base_counter is not None:
            text += f"({plain_number(header.base_counter)})"
    return text


def _format_start(header: Header) -> str:
    """Time and date; a date alone, which the format does not know, gets midnight."""
    time = header.base_time
    if header.base_date is not None and time is None:
        time = dt.time()
    text = "" if time is None else f" {time.isoformat()}"
    return text if header.base_date is None else f"{text} {header.base_date:%d/%m/%Y}"


def _format_signal(signal: SignalSpec) -> str:
    for what, text in (("name", signal.name), ("units", signal.units), ("file", signal.file_name)):
        if not text.isprintable() or (what != "name" and (not text or " " in text)):
            raise RecordError(f"signal {what} {text!r} cannot stand in a header; choose another")
    if not (np.isfinite(signal.adc_gain) and signal.adc_gain):
        raise RecordError(f"signal {signal.name}: a gain of {signal.adc_gain} means nothing")
    fmt = f"{signal.fmt}"
    fmt += f"x{signal.samples_per_frame}" if signal.samples_per_frame != 1 else ""
    fmt += f":{signal.skew}" if signal.skew else ""
    fmt += f"+{signal.byte_offset}" if signal.byte_offset else ""
    gain = plain_number(signal.adc_gain) if signal.calibrated else "0"
    fields = [signal.adc_res, signal.adc_zero, signal.init_value, signal.checksum]
    fields.append(signal.block_size)
    while fields and fields[-1] is None and not signal.name:
        fields.pop()
    numbers = [str(x or 0) for x in fields]
    words = [signal.file_name, fmt, f"{gain}({signal.baseline})/{signal.units}", *numbers]
    return " ".join([*words, signal.name]).rstrip()
