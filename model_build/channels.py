"""The student's channels: which layers share them, what one costs, and a student with fewer.

A group is a set of channels that come and go together: those between two layers, or all of the
context network, whose blocks are joined by sums.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model_build.models.student import StudentConfig, StudentModels, build_student
from model_build.models.wiring import chains

Kept = Mapping[str, NDArray[np.int64]]
"""The channels of each group that stay, in order."""

_BYTES_PER_CHANNEL: Final = 12
"""Of a layer's output, in the INT8 file: int32 bias, its scale, and the weights' scale."""


@dataclass(frozen=True, slots=True)
class Wired:
    """A layer with weights: what its input channels are (groups, or a fixed number of others)
    and which group its output channels are, None if they stay."""

    layer: str
    rows: tuple[str | int, ...]
    columns: str | None
    positions: int = 1
    """Kernel elements of one pair of input and output channel (of one channel, depthwise)."""
    depthwise: bool = False
    width: int = 0
    """Output channels where `columns` is None."""


def wiring(config: StudentConfig) -> list[Wired]:
    """All layers with weights of a student, encoder first."""
    wired = [Wired("stem", (2,), "stem", config.stem_kernel)]
    before = "stem"
    for number in range(1, len(config.blocks) + 1):
        block = f"block{number}"
        wired += [
            Wired(f"{block}_depth", (before,), before, config.kernel, depthwise=True),
            Wired(f"{block}_point", (before,), block),
        ]
        before = block
    wired += [
        Wired("evidence_map", (before,), None, width=config.n_classes),
        Wired("feature_dense", (config.n_features,), "features"),
        Wired("embedding_dense", (before, "features"), "embedding"),
        Wired("context_in", ("embedding", 1), "context"),
    ]
    for dilation in config.dilations:
        block = f"context{dilation}"
        wired += [
            Wired(f"{block}_depth", ("context",), "context", config.context_kernel, depthwise=True),
            Wired(f"{block}_point", ("context",), "context"),
        ]
    return [*wired, Wired("head", ("context",), None, width=config.n_classes)]


def gates(config: StudentConfig) -> dict[str, str]:
    """The activations by which a group enters what is lost with it: activation to group.

    Behind a depthwise layer rather than before it: without its channel the layer after it loses
    the input altogether, not only the part that varies.
    """
    n, last = len(config.blocks), config.dilations[-1]
    between = {f"block{k + 1}_depth_relu": f"block{k}" if k else "stem" for k in range(n)}
    context = {f"context{d}_depth_relu": "context" for d in config.dilations}
    return {
        **between,
        f"block{n}_point_relu": f"block{n}",
        "feature_dense_relu": "features",
        "embedding_relu": "embedding",
        **context,
        f"context{last}_relu": "context",
    }


def widths(config: StudentConfig) -> dict[str, int]:
    """Channels of every group."""
    blocks = {f"block{k}": c for k, (c, _) in enumerate(config.blocks, start=1)}
    return {
        "stem": config.stem,
        **blocks,
        "features": config.feature_units,
        "embedding": config.embedding,
        "context": config.context_channels,
    }


def with_widths(config: StudentConfig, width: Mapping[str, int]) -> StudentConfig:
    """The config with other numbers of channels, and without outputs that only train."""
    strides = [stride for _, stride in config.blocks]
    return replace(
        config,
        p_wave=False,
        stem=width["stem"],
        blocks=tuple((width[f"block{k}"], stride) for k, stride in enumerate(strides, start=1)),
        feature_units=width["features"],
        embedding=width["embedding"],
        context_channels=width["context"],
    )


def payload_bytes(config: StudentConfig, width: Mapping[str, int] | None = None) -> int:
    """Bytes of both INT8 graphs that hold weights, biases and scales; the rest is structure."""
    width = width or widths(config)
    total = 0
    for wired in wiring(config):
        rows = sum(r if isinstance(r, int) else width[r] for r in wired.rows)
        columns = wired.width if wired.columns is None else width[wired.columns]
        kernel = wired.positions * columns * (1 if wired.depthwise else rows)
        total += kernel + _BYTES_PER_CHANNEL * columns
    return total


def narrowed(student: StudentModels, kept: Kept) -> StudentModels:
    """A student of the kept channels only, with their weights."""
    config = student.config
    made = build_student(with_widths(config, {name: len(k) for name, k in kept.items()}))
    old = {**chains(student.beat), **chains(student.sequence)}
    new = {**chains(made.beat), **chains(made.sequence)}
    before = widths(config)
    for wired in wiring(config):
        columns = None if wired.columns is None else kept[wired.columns]
        chain, narrow = old[wired.layer], new[wired.layer]
        rows = _rows(wired, kept, before)
        kernel, *bias = chain.layer.get_weights()
        if wired.depthwise:
            kernel = kernel[..., columns, :]
        else:
            kernel = kernel[..., rows, :]
            kernel = kernel if columns is None else kernel[..., columns]
        narrow.layer.set_weights([kernel, *bias])
        if chain.norm is not None and narrow.norm is not None:
            narrow.norm.set_weights([w[columns] for w in chain.norm.get_weights()])
    return made


def _rows(wired: Wired, kept: Kept, before: Mapping[str, int]) -> NDArray[np.int64]:
    found, offset = [], 0
    for part in wired.rows:
        if isinstance(part, int):
            found.append(np.arange(offset, offset + part))
            offset += part
        else:
            found.append(offset + kept[part])
            offset += before[part]
    return np.concatenate(found)
