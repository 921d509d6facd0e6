"""What people do to alarms, through the API: the alarm desk's own words."""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

from edge_runtime.alarms.desk import AlarmDesk
from edge_runtime.web.answers import answer
from edge_runtime.web.bodies import taken
from edge_runtime.web.endpoints import Endpoint, RefusedError
from edge_runtime.web.feed import LiveFeed
from edge_runtime.web.guard import name_of
from edge_runtime.web.roles import Role
from edge_runtime.web.shapes import AlarmAction, AlarmBoard, AlarmsOff, AudioPause, Done


def alarm_endpoints(desk: AlarmDesk, feed: LiveFeed) -> tuple[Endpoint, ...]:
    """Acknowledge, reset, audio pause, alarms off."""

    async def board(_request: Request) -> Response:
        return answer(feed.board())

    async def acknowledge(request: Request) -> Response:
        asked = await taken(request, AlarmAction)
        by = name_of(request)
        return _done(lambda: desk.acknowledge(asked.session, asked.alarm, by), "no such alarm")

    async def reset(request: Request) -> Response:
        return _done(lambda: desk.reset(name_of(request)), "no alarm is latched")

    async def audio(request: Request) -> Response:
        asked = await taken(request, AudioPause)
        act = desk.pause_audio if asked.paused else desk.resume_audio
        return _done(lambda: act(name_of(request)), "it is so already")

    async def off(request: Request) -> Response:
        asked = await taken(request, AlarmsOff)
        act = desk.switch_off if asked.off else desk.switch_on
        return _done(lambda: act(name_of(request)), "it is so already")

    ack = Role.ACKNOWLEDGE
    return (
        Endpoint("GET", "/alarms/board", "What holds for all alarms", board, AlarmBoard),
        Endpoint(
            "POST",
            "/alarms/acknowledge",
            "A person has seen this alarm: no sound for it until its condition ends",
            acknowledge,
            Done,
            takes=AlarmAction,
            role=ack,
            refusals=(409,),
        ),
        Endpoint(
            "POST",
            "/alarms/reset",
            "End the latched alarms whose condition is over",
            reset,
            Done,
            role=ack,
            refusals=(409,),
        ),
        Endpoint(
            "POST",
            "/alarms/audio",
            "Pause the sound, or end the pause",
            audio,
            Done,
            takes=AudioPause,
            role=ack,
            refusals=(409,),
        ),
        Endpoint(
            "POST",
            "/alarms/off",
            "Switch the sound of all alarms off, or on again",
            off,
            Done,
            takes=AlarmsOff,
            role=Role.ADMINISTER,
            refusals=(409,),
        ),
    )


def _done(act: Callable[[], bool], otherwise: str) -> Response:
    if not act():
        raise RefusedError(409, otherwise)
    return answer(Done())
