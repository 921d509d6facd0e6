"""One job: what is called, with what, and the folder that is its memory."""

import importlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Tell = Callable[[str, float], None]
"""What runs now, and the share of the job that is done (0 to 1)."""


@dataclass(frozen=True, slots=True)
class Job:
    """A call of `task` ("module:function") as `function(folder, arguments, tell)`.

    The folder's name is a digest of everything that the result depends on. The task keeps what it
    can go on from in it; `done.json` says that it has ended, and how long it took. `arguments` are
    JSON. `needs` are names of jobs that must have ended before.
    """

    name: str
    folder: Path
    task: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    needs: tuple[str, ...] = ()

    @property
    def log(self) -> Path:
        """What the job's process has said on standard error, of all its turns."""
        return self.folder / "log.txt"

    @property
    def is_done(self) -> bool:
        """Whether it has ended."""
        return (self.folder / "done.json").is_file()

    def spent_s(self) -> float:
        """Time spent so far, pauses left out."""
        path = self.folder / "spent.json"
        return float(json.loads(path.read_text())) if path.is_file() else 0.0

    def add_spent(self, seconds: float) -> None:
        """Count a turn that took so long."""
        (self.folder / "spent.json").write_text(json.dumps(round(self.spent_s() + seconds, 3)))

    def finish(self) -> None:
        """Write down that the job has ended."""
        part = self.folder / "done.part.json"
        part.write_text(json.dumps({"name": self.name, "wall_s": self.spent_s()}))
        part.replace(self.folder / "done.json")

    def call(self, tell: Tell) -> None:
        """Run the task in this process, as far as it goes."""
        module, _, name = self.task.partition(":")
        getattr(importlib.import_module(module), name)(self.folder, dict(self.arguments), tell)

    def as_json(self) -> dict[str, Any]:
        """What a worker needs to know."""
        return {"name": self.name, "task": self.task, "arguments": dict(self.arguments)}
