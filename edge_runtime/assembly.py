"""From a configuration to the parts that the supervisor runs."""

import functools
import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import msgspec

from edge_runtime.accelerating import Accelerating
from edge_runtime.alarms.desk import AlarmDesk
from edge_runtime.alarms.strips import StripStore
from edge_runtime.audit import Audit
from edge_runtime.config import Config, SourceConfig
from edge_runtime.devices import DeviceDesk
from edge_runtime.dropped import Dropped
from edge_runtime.engine import Engine, EngineSettings
from edge_runtime.errands import Errands
from edge_runtime.errors import ConfigError
from edge_runtime.events import AlarmKind, Rhythm
from edge_runtime.inference.bundle import BundleSet
from edge_runtime.integrations.assembly import integrations, phones
from edge_runtime.keeping import Keeping
from edge_runtime.loans import Loans
from edge_runtime.mark_button import MarkButton
from edge_runtime.recording_engine import RecordingEngine
from edge_runtime.reload import Reloader
from edge_runtime.rules.requirements import not_in_force
from edge_runtime.setting_desk import SettingDesk
from edge_runtime.sinks.audible import AlsaSounder
from edge_runtime.site_rules import SiteBook
from edge_runtime.store.database import Provenance
from edge_runtime.store.retention import RetentionSettings
from edge_runtime.store.store import Store
from edge_runtime.supervisor import Inbox, Parts, View
from edge_runtime.update.choice import Chosen
from edge_runtime.update.keeper import Conditions, ModelKeeper
from edge_runtime.update.shadow import Agreement, compare
from edge_runtime.update.shelf import Shelf
from edge_runtime.wearers import Wearers
from firmware_bridge.driver import Driver
from firmware_bridge.drivers import DriverRequest, driver_maker
from firmware_bridge.errors import UsageError
from firmware_bridge.known_devices import FILE_NAME
from firmware_bridge.links.ble import BleSensor
from firmware_bridge.stream import StreamOpened

if TYPE_CHECKING:
    from edge_runtime.integrations.phone import Phone
    from edge_runtime.web.view import WebView

ALARM_STATE_FILE: Final = "alarms.json"

log = logging.getLogger(__name__)


def build(
    config: Config,
    chosen: Chosen,
    views: tuple[View, ...],
    settings: SettingDesk | None = None,
    dropped: Dropped | None = None,
) -> Parts:
    """The parts of a daemon that begins with the `chosen` models; `settings` reads its
    configuration anew and changes it, None where there is none. `dropped` counts what `views` have
    dropped, too.

    Raises ConfigError and StoreError.
    """
    audit = Audit(config.store.directory)
    desk, dropped = _desk(config, audit), dropped or Dropped()

    def told(problem: str) -> None:
        if problem:
            desk.trouble("site_rules", problem, lasts_s=None)
        else:
            desk.trouble_over("site_rules")

    site = None if config.site_rules.file is None else SiteBook(config.site_rules.file, told)

    now = _InForce(config)
    drivers = {source.name: _driver(source) for source in config.source}
    reloader = None
    if settings is not None:
        reloader = Reloader(config, settings.reread, _driver, now.accept)
    inbox, errands = Inbox(dropped), Errands()
    loans = Loans()
    told_phones = phones(config, desk, dropped)
    if config.web.enabled:
        keeping = Keeping(errands, audit, now.wearers, inbox.begin_anew)
        straps = config.store.directory / FILE_NAME
        devices = DeviceDesk(straps, lambda: now.config.source, loans)
        web = _web_view(
            config,
            inbox,
            desk,
            keeping,
            reloader,
            dropped,
            devices,
            lambda: models,
            told_phones,
            settings,
        )
        now.follow.append(web.keep)
        views = (*views, web)
    store = _store(config, provenance(config, chosen.bundles), now.wearers)
    now.retain = store.housekeeping.configure
    dropped.watch(store.dropped)
    errands.are_for(store)
    others = (*integrations(config, desk, dropped), *told_phones)
    if config.button.line is not None:
        others = (*others, MarkButton(config.button, inbox.put))
    now.follow += [view.keep for view in others]
    views = (*views, *others)
    if chosen.bundles.delineation is None:
        log.info("intervals are not measured: the bundle set has no bundle for delineation")
    has_rhythm = chosen.bundles.rhythm is not None
    for rule, needs in not_in_force(rhythm=has_rhythm):
        log.info("rule %s is not in force: it needs %s", rule, needs)

    accelerating = Accelerating(config.accelerator)
    accelerating.runtime_for(chosen.bundles)  # the trial takes its time now, not of a first beat

    def make_engine(bundles: BundleSet, opened: StreamOpened) -> Engine:
        source = now.sources[opened.source]
        chosen_for = replace(engine_settings(now.config, source.lead, source.leads), site=site)
        return Engine.of_bundles(opened, bundles, chosen_for, accelerating.runtime_for(bundles))

    def in_alarm() -> bool:
        shown = desk.board().alarms
        return any(one.holds and one.raised.kind is AlarmKind.PHYSIOLOGICAL for one in shown)

    def beside(old: BundleSet, new: BundleSet, longest_s: float) -> Agreement | None:
        engine = engine_settings(now.config, lead="auto")
        return compare(old, new, config.store.directory, engine, longest_s=longest_s)

    def taken(bundles: BundleSet) -> None:
        store.made_with(provenance(now.config, bundles))

    models = ModelKeeper(
        Shelf(config.store.directory),
        chosen,
        Conditions(make_engine, in_alarm, beside, taken, 60 * config.update.trial_minutes),
    )
    return Parts(
        drivers=drivers,
        make_engine=models.make_engine,
        store=StripStore(store, config.store.directory),
        views=views,
        desk=desk,
        site=site,
        inbox=inbox,
        errands=errands,
        reloader=reloader,
        dropped=dropped,
        models=models,
        loans=loans,
        gathering=accelerating.gathering,
    )


def build_recording(config: Config, views: tuple[View, ...], why: str) -> Parts:
    """The parts of a daemon in its safe mode: it keeps the signal, and says `why` no more.

    Raises ConfigError and StoreError.
    """
    drivers = {source.name: _driver(source) for source in config.source}
    desk = _desk(config, Audit(config.store.directory))
    desk.trouble("safe_mode", why, lasts_s=None)
    store = _store(config, provenance(config, None), _InForce(config).wearers)
    return Parts(
        drivers=drivers,
        make_engine=RecordingEngine,
        store=StripStore(store, config.store.directory),
        views=views,
        desk=desk,
    )


def _desk(config: Config, audit: Audit) -> AlarmDesk:
    sounder = AlsaSounder(config.sound.device) if config.sound.output == "alsa" else None
    state_file = config.store.directory / ALARM_STATE_FILE
    return AlarmDesk(config.alarms, state_file, sounder, audit=audit)


def _store(config: Config, provenance: Provenance, wearers: Wearers) -> Store:
    """The store, once what the last run left open is finished. Raises StoreError."""
    store = Store(
        config.store.directory,
        provenance,
        wearers,
        durability_s=config.store.durability_s,
        keep_raw=config.store.raw,
        retention=config.retention,
    )
    for name in store.recovery.sessions:
        log.warning("session %s was cut off and is now complete and readable", name)
    for problem in store.recovery.problems:
        log.error("a session that was cut off could not be finished: %s", problem)
    return store


class _InForce:
    """The configuration in force, for those parts that look it up when a stream begins."""

    def __init__(self, config: Config) -> None:
        self.wearers = Wearers(config.store.directory, {})
        self.follow: list[Callable[[Sequence[str]], None]] = []
        self.retain: Callable[[RetentionSettings], None] = lambda _settings: None
        self.accept(config)

    def accept(self, config: Config) -> None:
        """From now on."""
        self.config = config
        self.sources = {source.name: source for source in config.source}
        self.wearers.configure({source.name: source.subject for source in config.source})
        self.retain(config.retention)
        for keep in self.follow:
            keep(list(self.sources))


def _web_view(
    config: Config,
    inbox: Inbox,
    desk: AlarmDesk,
    keeping: Keeping,
    reloader: Reloader | None,
    dropped: Dropped,
    devices: DeviceDesk,
    models: Callable[[], ModelKeeper | None],
    told_phones: Sequence["Phone"],
    settings: SettingDesk | None,
) -> "WebView":
    try:
        # Starlette and uvicorn are an extra, and memory that only a daemon with a page pays for.
        from edge_runtime.web.view import WebView  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"web.enabled: {error.name} is not installed; pip install 'ecg-edge[web]', or set it "
            "to false"
        ) from error
    sources = [source.name for source in config.source]
    return WebView(
        config.web,
        config.store.directory,
        sources,
        inbox.put,
        desk,
        keeping,
        reloader,
        dropped,
        devices,
        models,
        told_phones,
        settings,
    )


def engine_settings(config: Config, lead: str | int, leads: int = 2) -> EngineSettings:
    """The part of the configuration that an engine knows.

    `lead` is a name, a number or "auto"; beats are classified on at most so many `leads`.
    """
    return EngineSettings(
        rules=config.rules,
        lead=None if lead == "auto" else lead,
        leads=leads,
        mains_hz=config.signal.mains_hz or None,
        ring_minutes=config.signal.ring_minutes,
    )


def provenance(config: Config, bundles: BundleSet | None) -> Provenance:
    """What a session was made with, as hashes that tell two set-ups apart, and the rhythms that are
    looked for; `bundles` are None in safe mode."""
    hears = bundles is not None and bundles.rhythm is not None
    return Provenance(
        bundle_set=bundles.fingerprint if bundles else "",
        configuration=_hash(config),
        rules=_hash(config.rules),
        rhythms=(Rhythm.ATRIAL_FIBRILLATION.value,) if hears else (),
    )


def _driver(source: SourceConfig) -> Callable[[], Driver]:
    """A maker of single-use drivers. Raises ConfigError where its extra is not installed."""
    try:
        return _strap(source) if source.driver == "ble" else _named(source)
    except ModuleNotFoundError as error:
        extra = source.driver if source.driver in ("ble", "lsl") else "serial"
        raise ConfigError(
            f"source {source.name}: {error.name} is missing; pip install 'ecg-edge[{extra}]'"
        ) from error
    except UsageError as error:
        raise ConfigError(f"source {source.name}: {error}") from error


def _named(source: SourceConfig) -> Callable[[], Driver]:
    asked = DriverRequest(
        source.name,
        source.port,
        source.baud or None,
        source.rate_hz or None,
        source.counts_per_mv or None,
    )
    return functools.partial(driver_maker(source.driver), asked)


def _strap(source: SourceConfig) -> Callable[[], Driver]:
    from firmware_bridge.links.bleak_radio import BleakRadio  # noqa: PLC0415 - an extra

    return functools.partial(
        BleSensor,
        source.name,
        source.port,
        BleakRadio(source.adapter),
        family=source.family,
        serial=source.serial,
        rate_hz=source.rate_hz or None,
        accelerometer_hz=source.accelerometer_hz or None,
    )


def _hash(settings: object) -> str:
    text = msgspec.json.encode(settings, order="deterministic", enc_hook=str)
    return hashlib.sha256(text).hexdigest()
