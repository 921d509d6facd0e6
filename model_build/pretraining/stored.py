"""Dataclasses of arrays in a file, whole or not at all."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np


def save_fields(item: Any, path: Path) -> None:
    """Write every slot of `item` to `path` (.npz)."""
    part = path.with_name(f"{path.stem}.part.npz")
    np.savez_compressed(part, **{name: getattr(item, name) for name in item.__slots__})
    part.replace(path)


def load_fields(path: Path, names: Sequence[str]) -> dict[str, Any]:
    """The fields of these names as `save_fields` wrote them; keys and subjects are tuples."""
    with np.load(path) as stored:
        fields = {name: stored[name] for name in names}
    for name in ("keys", "subjects"):
        fields[name] = tuple(fields[name].tolist())
    return fields
