"""Annotations: what was said about a record at which sample, and the files that hold it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from firmware_bridge.errors import RecordError
from firmware_bridge.records import annotation_codec as codec
from firmware_bridge.records.header_text import plain_number
from firmware_bridge.records.writing import replace_file

_NOTE = 22
# The symbols of codes 0 to 41 in order; a blank is a code without one.
SYMBOLS = {
    code: symbol
    for code, symbol in enumerate(' NLRaVFJASEj/Q~ | sT*D"=pB^t+u?![]en@xf()r')
    if symbol != " "
}
"""WFDB's annotation codes and their symbols."""
_RESOLUTION = re.compile(r"## time resolution: (\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)$")
_DEFINITIONS, _END_OF_DEFINITIONS = "## annotation type definitions", "## end of definitions"
_DEFINITION = re.compile(r"(\d+) (\S+) (.+)$")


@dataclass(frozen=True, slots=True)
class Label:
    """A kind of annotation that a file defines for itself; `code` is 1 to 49."""

    code: int
    symbol: str
    description: str


@dataclass(frozen=True, slots=True, eq=False)
class Annotations:
    """Annotations in file order; every field has one entry per annotation.

    `sample` counts the record's frames, or ticks of `fs` where the file names its own time
    resolution (`at_rate` converts). A code without a symbol reads as `[code]`. `aux` is text
    of at most 255 Latin-1 characters; NULs at its end, which old files carry, are dropped.
    """

    sample: NDArray[np.int64]
    symbol: tuple[str, ...]
    subtype: NDArray[np.int64]
    chan: NDArray[np.int64]
    num: NDArray[np.int64]
    aux: tuple[str, ...]
    fs: Fraction | None = None
    labels: tuple[Label, ...] = ()

    def __post_init__(self) -> None:
        arrays = (self.sample, self.subtype, self.chan, self.num)
        lengths = {len(x) for x in (*arrays, self.symbol, self.aux)}
        if len(lengths) != 1:
            raise ValueError(f"annotation fields differ in length: {sorted(lengths)}")
        for array in arrays:
            array.flags.writeable = False

    @classmethod
    def of(
        cls,
        sample: ArrayLike,
        symbol: Sequence[str],
        aux: Sequence[str] | None = None,
        *,
        subtype: ArrayLike = 0,
        chan: ArrayLike = 0,
        num: ArrayLike = 0,
    ) -> "Annotations":
        """Build from the fields that matter; the others are 0 or empty."""
        at = np.array(sample, np.int64).reshape(-1)

        def full(values: ArrayLike) -> NDArray[np.int64]:
            return np.array(np.broadcast_to(np.asarray(values, np.int64), at.shape))

        texts = ("",) * len(at) if aux is None else tuple(aux)
        return cls(at, tuple(symbol), full(subtype), full(chan), full(num), texts)

    def __len__(self) -> int:
        return len(self.sample)

    def at_rate(self, fs: Fraction | int) -> "Annotations":
        """The same, counted at `fs` (Hz): samples rescaled and rounded if the file's differ."""
        if self.fs is None or self.fs == fs:
            return self
        ratio = Fraction(fs) / self.fs
        doubled = 2 * self.sample * ratio.numerator + ratio.denominator
        return replace(self, sample=doubled // (2 * ratio.denominator), fs=Fraction(fs))


def read_annotations(path: Path | str) -> Annotations:
    """Read an annotation file, ending included: `DIR/100.atr`. Raises `RecordError`."""
    file = Path(path)
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        raise RecordError(
            f"{file}: no such annotation file; give the whole name, ending included (100.atr)"
        ) from None
    except OSError as error:
        raise RecordError(f"{file}: cannot be read ({error.strerror})") from error
    return decode_annotations(data, source=str(file))


def write_annotations(
    path: Path | str, annotations: Annotations, fs: Fraction | float | None = None
) -> None:
    """Write an annotation file, whole or not at all (renamed into place).

    `fs` is the clock of `annotations.sample` in Hz; given when it is not the record's frame
    rate, and then the file says so. None takes `annotations.fs`. Raises `RecordError`.
    """
    if fs is not None:
        annotations = replace(annotations, fs=Fraction(fs).limit_denominator(10**6))
    data = encode_annotations(annotations)
    replace_file(Path(path), data)


def decode_annotations(data: bytes, source: str = "annotations") -> Annotations:
    """Decode the bytes of an annotation file; `source` names it in errors."""
    coded = codec.decode(data, source)
    aux = tuple(text.rstrip(b"\0").decode("latin-1") for text in coded.aux)
    n_head, fs, labels = _read_definitions(coded, aux, source)
    symbols = {**SYMBOLS, **{x.code: x.symbol for x in labels}}
    return Annotations(
        sample=coded.sample[n_head:],
        symbol=tuple(symbols.get(c, f"[{c}]") for c in coded.code[n_head:].tolist()),
        subtype=coded.subtype[n_head:],
        chan=coded.chan[n_head:],
        num=coded.num[n_head:],
        aux=aux[n_head:],
        fs=fs,
        labels=labels,
    )


def encode_annotations(annotations: Annotations) -> bytes:
    """Encode as the bytes of an annotation file. Raises `RecordError` for what cannot be."""
    head = _definition_notes(annotations)
    zeros = np.zeros(len(head), np.int64)
    codes = _codes(annotations)
    coded = codec.Coded(
        code=np.concatenate((zeros + _NOTE, codes)),
        sample=np.concatenate((zeros, annotations.sample)),
        subtype=np.concatenate((zeros, annotations.subtype)),
        chan=np.concatenate((zeros, annotations.chan)),
        num=np.concatenate((zeros, annotations.num)),
        aux=tuple(_bytes(text) for text in (*head, *annotations.aux)),
    )
    codec.check(coded)
    return codec.encode(coded)


def _read_definitions(
    coded: codec.Coded, aux: tuple[str, ...], source: str
) -> tuple[int, Fraction | None, tuple[Label, ...]]:
    """The notes at sample 0 that speak of the file itself: (their number, fs, labels)."""
    fs: Fraction | None = None
    labels: list[Label] = []
    inside = False
    for i, text in enumerate(aux):
        if coded.code[i] != _NOTE or coded.sample[i] != 0:
            return i, fs, tuple(labels)
        if match := _RESOLUTION.match(text):
            fs = Fraction(match[1])
            if fs == 0:
                raise RecordError(f"{source}: its time resolution is 0 Hz; it is damaged")
        elif text == _DEFINITIONS:
            inside = True
        elif text == _END_OF_DEFINITIONS:
            inside = False
        elif inside and (match := _DEFINITION.match(text)):
            labels.append(Label(int(match[1]), match[2], match[3]))
        else:
            return i, fs, tuple(labels)
    return len(aux), fs, tuple(labels)


def _definition_notes(annotations: Annotations) -> list[str]:
    notes = (
        [] if annotations.fs is None else [f"## time resolution: {plain_number(annotations.fs)}"]
    )
    if annotations.labels:
        defined = [f"{x.code} {x.symbol} {x.description}" for x in annotations.labels]
        notes += [_DEFINITIONS, *defined, _END_OF_DEFINITIONS]
    return notes


def _codes(annotations: Annotations) -> NDArray[np.int64]:
    known = {symbol: code for code, symbol in SYMBOLS.items()}
    known |= {f"[{code}]": code for code in range(1, 50) if code not in SYMBOLS}
    known |= {x.symbol: x.code for x in annotations.labels}
    unknown = sorted(set(annotations.symbol) - set(known))
    if unknown:
        raise RecordError(
            f"annotation symbol {unknown[0]!r} has no code; use one of WFDB's "
            f"({' '.join(SYMBOLS.values())}) or define it as a Label"
        )
    return np.array([known[s] for s in annotations.symbol], np.int64)


def _bytes(text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        raise RecordError(
            f"annotation text {text!r} holds a character outside Latin-1; replace it"
        ) from None
