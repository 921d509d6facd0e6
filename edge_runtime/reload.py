"""Reading the configuration again while the daemon runs.

Two steps, so that a mistake changes nothing: `Reloader.plan` reads and checks, off the loop; the
supervisor applies what it planned. Keys that wait for the next start are told, and wait.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from edge_runtime.alarms.signals import AlarmSettings
from edge_runtime.config import Config, SourceConfig
from edge_runtime.config_effects import Change, Effect, changes
from edge_runtime.errors import ConfigError
from edge_runtime.followers import MakeDriver
from edge_runtime.rules.settings import RuleSettings


@dataclass(frozen=True, slots=True)
class Plan:
    """What a reload brings. `ended`: sources to let go of; `begun`: makers of drivers of those to
    follow then; `rules`, `alarms`: None where they are the same."""

    config: Config
    changes: tuple[Change, ...]
    ended: tuple[str, ...]
    begun: dict[str, MakeDriver]
    rules: RuleSettings | None
    alarms: AlarmSettings | None


class Reloader:
    """The configuration in force, and how to read it again.

    Args:
        config: what the daemon was started with.
        read: reads it anew. Raises ConfigError.
        make_driver: from one source to a maker of its drivers. Raises ConfigError.
        accepted: is told what is in force from now on.
    """

    def __init__(
        self,
        config: Config,
        read: Callable[[], Config],
        make_driver: Callable[[SourceConfig], MakeDriver],
        accepted: Callable[[Config], None],
    ) -> None:
        self._config = config
        self._read, self._make_driver, self._accepted = read, make_driver, accepted
        self._apply: Callable[[], Awaitable[tuple[Change, ...]]] | None = None

    def plan(self) -> Plan:
        """What would change. Raises ConfigError that lists every mistake."""
        new = self._read()
        if not new.source:
            raise ConfigError("no source is configured; a daemon without one monitors nobody")
        found = changes(self._config, new)
        old = {source.name: source for source in self._config.source}
        every = any(c.effect is Effect.SOURCE and not c.key.startswith("source.") for c in found)
        begun = [source for source in new.source if every or old.get(source.name) != source]
        names = {source.name for source in new.source}
        return Plan(
            config=new,
            changes=found,
            ended=tuple({name for name in old if name not in names} | {s.name for s in begun}),
            begun={source.name: self._make_driver(source) for source in begun},
            rules=None if new.rules == self._config.rules else new.rules,
            alarms=None if new.alarms == self._config.alarms else new.alarms,
        )

    def accept(self, plan: Plan) -> None:
        """It is in force."""
        self._config = plan.config
        self._accepted(plan.config)

    def connect(self, apply: Callable[[], Awaitable[tuple[Change, ...]]]) -> None:
        """How the daemon, from now on running, reloads."""
        self._apply = apply

    async def reload(self) -> tuple[Change, ...]:
        """Reload now; what changed. Raises ConfigError, and then everything is as before."""
        if self._apply is None:
            raise ConfigError("the daemon is only starting")
        return await self._apply()
