"""A daemon's configuration that can be changed: a file, what is saved over it, and its reload."""

from pathlib import Path

from edge_runtime import config
from edge_runtime.config_effects import Change
from edge_runtime.errors import ConfigError
from edge_runtime.reload import Plan, Reloader
from edge_runtime.setting_desk import SettingDesk


class Changeable:
    """A reloader as the supervisor drives it; `refuses`: what is wrong when it applies a plan."""

    def __init__(self, directory: Path) -> None:
        file = directory / "config.toml"
        file.write_text(
            f'[store]\ndirectory = "{directory}"\n[[source]]\nname = "chest"\nport = "/dev/chest"\n'
        )
        self.desk = SettingDesk(lambda saved: config.load(file, (), saved))
        self.reloader = Reloader(
            self.desk.reread(), self.desk.reread, lambda _: lambda: None, lambda _: None
        )  # type: ignore[arg-type, return-value]
        self.reloader.connect(self._apply)
        self.plans: list[Plan] = []
        self.refuses = ""

    async def _apply(self) -> tuple[Change, ...]:
        plan = self.reloader.plan()
        if self.refuses:
            raise ConfigError(self.refuses)
        self.plans.append(plan)
        self.reloader.accept(plan)
        return plan.changes
