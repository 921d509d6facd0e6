"""The page as one of the daemon's views: it starts with them and stops with them."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from edge_runtime.alarms.desk import AlarmDesk
from edge_runtime.config import WebConfig
from edge_runtime.devices import DeviceDesk
from edge_runtime.dropped import Dropped
from edge_runtime.keeping import Keeping
from edge_runtime.publication import Published
from edge_runtime.reload import Reloader
from edge_runtime.setting_desk import SettingDesk
from edge_runtime.threads import InQueue
from edge_runtime.update.keeper import ModelKeeper
from edge_runtime.web.accounts import Accounts
from edge_runtime.web.api import Behind
from edge_runtime.web.app import application
from edge_runtime.web.entry import Entry, Invitations
from edge_runtime.web.exporting import forget_unsent
from edge_runtime.web.feed import LiveFeed
from edge_runtime.web.guard import Door, allowed_hosts
from edge_runtime.web.lan import fingerprint, made_certificate, own_names
from edge_runtime.web.logins import AttemptLimit, Logins
from edge_runtime.web.phones import Tried
from edge_runtime.web.serving import listen, listen_locally, serve
from firmware_bridge.stream import UserMark

log = logging.getLogger(__name__)

_TRY_AGAIN_S: Final = 10.0


class WebView:
    """Serves page and API over HTTP, and the same application on the command socket.

    A port that is taken is told and tried again: the monitoring does not depend on it. Raises
    ConfigError for a certificate that is of no use.
    """

    def __init__(
        self,
        settings: WebConfig,
        directory: Path,
        sources: Sequence[str],
        mark: Callable[[str, UserMark], None],
        desk: AlarmDesk,
        keeping: Keeping,
        reloader: Reloader | None = None,
        dropped: Dropped | None = None,
        devices: DeviceDesk | None = None,
        models: Callable[[], ModelKeeper | None] = lambda: None,
        phones: Sequence[Tried] = (),
        setting_desk: SettingDesk | None = None,
    ) -> None:
        self._settings = settings
        self._directory = directory
        self._certificate = _certificate(settings, directory)
        self._feed = LiveFeed(sources, desk, dropped)
        now_s = time.monotonic
        self._behind = Behind(
            self._feed,
            directory,
            Accounts(directory),
            mark,
            Logins(now_s),
            AttemptLimit(now_s),
            desk,
            keeping,
            reloader,
            devices,
            models,
            phones,
            setting_desk,
            Entry(
                Invitations(now_s),
                settings.address,
                "" if self._certificate is None else fingerprint(self._certificate[0]),
            ),
        )

    def keep(self, sources: Sequence[str]) -> None:
        """Only these are configured from now on, in this order."""
        self._feed.keep(sources)

    def see(self, source: str, item: InQueue, published: Sequence[Published]) -> None:
        """Keep what pages may want to show."""
        self._feed.see(source, item, published)

    def say(self, source: str, message: str) -> None:
        """A line on the page."""
        self._feed.say(source, message)

    async def run(self) -> None:
        """Serve until cancelled."""
        forget_unsent(self._directory)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._feed.run())
                tasks.create_task(self._serve_page())
                tasks.create_task(self._serve_commands())
        except ExceptionGroup as group:
            raise group.exceptions[0] from None

    async def _serve_page(self) -> None:
        settings = self._settings
        own = own_names() if settings.lan else ()
        hosts = allowed_hosts(settings.listens_on, (*settings.hosts, *own))
        door = Door(hosts, everybody_reads=settings.is_loopback, addresses=settings.lan)
        app = application(self._behind, door)
        while True:
            try:
                listening = listen(settings.listens_on, settings.port)
            except OSError as error:
                log.error("the page cannot listen on %s: %s", settings.address, error.strerror)
                await asyncio.sleep(_TRY_AGAIN_S)
            else:
                log.info("the page is at %s", settings.address)
                await serve(app, listening, self._feed.close, self._certificate)

    async def _serve_commands(self) -> None:
        app = application(self._behind, Door(None, everybody_reads=True))
        try:
            listening = listen_locally(self._directory)
        except OSError as error:
            log.error("no command socket in %s: %s", self._directory, error.strerror)
            return
        await serve(app, listening, self._feed.close)


def _certificate(settings: WebConfig, directory: Path) -> tuple[Path, Path] | None:
    """Files of the certificate and its key: those configured, or made for the local network."""
    if settings.certificate is not None and settings.key is not None:
        return settings.certificate, settings.key
    return made_certificate(directory, own_names()) if settings.lan else None
