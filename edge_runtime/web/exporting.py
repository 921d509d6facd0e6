"""An export on request: the command line's own, in a process of its own, one at a time."""

import asyncio
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from starlette.background import BackgroundTask
from starlette.responses import FileResponse, Response

from edge_runtime.web.endpoints import SESSION_NAME, RefusedError
from edge_runtime.web.shapes import ExportFormat, ExportOrder

_WITHIN_S: Final = 600.0
_PREFIX: Final = "export-"
_MEDIA_TYPES: Final = {
    ExportFormat.CSV: ("csv", "text/csv"),
    ExportFormat.EDF: ("edf", "application/octet-stream"),
    ExportFormat.PDF: ("pdf", "application/pdf"),
    ExportFormat.HOLTER: ("holter.pdf", "application/pdf"),
    ExportFormat.FHIR_R4: ("json", "application/fhir+json"),
    ExportFormat.FHIR_R5: ("json", "application/fhir+json"),
}


class Exporter:
    """Exports of the store in `directory`. Files live beside it (not in a memory disk) until they
    are sent."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._busy = False

    async def export(self, session: str, order: ExportOrder, by: str) -> Response:
        """The file as an answer; the audit log names `by` as who asked. Raises RefusedError: 404
        for what the store has not, 503 while another export runs, or when this one takes more than
        ten minutes."""
        if not SESSION_NAME.fullmatch(session):
            raise RefusedError(404, "that is no session's name")
        if self._busy:
            raise RefusedError(503, "another export is running; try again when it is done")
        self._busy = True
        folder = TemporaryDirectory(dir=self._directory, prefix=_PREFIX)
        try:
            ending, media_type = _MEDIA_TYPES[order.format]
            file = Path(folder.name) / f"{session}.{ending}"
            await self._run(session, order, file, by)
        except BaseException:
            folder.cleanup()
            raise
        finally:
            self._busy = False
        cleanup = BackgroundTask(folder.cleanup)
        return FileResponse(file, media_type=media_type, filename=file.name, background=cleanup)

    async def _run(self, session: str, order: ExportOrder, file: Path, by: str) -> None:
        arguments = [f"--format={order.format.value}", f"--from={order.from_s}", f"--by={by}"]
        if order.to_s is not None:
            arguments.append(f"--to={order.to_s}")
        if order.format is ExportFormat.HOLTER:
            arguments += [f"--language={order.language}", f"--offset-min={order.offset_min}"]
        setting = f"store.directory={str(self._directory)!r}"
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "edge_runtime", "export", *arguments, "--set", setting,
            "--", session, str(file),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            async with asyncio.timeout(_WITHIN_S):
                _, said = await process.communicate()
        except TimeoutError as error:
            raise RefusedError(503, "that takes too long; use the command line") from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            raise RefusedError(404, said.decode(errors="replace").strip()[-300:])


def forget_unsent(directory: Path) -> None:
    """Remove what a daemon that was killed left of its exports: it is somebody's ECG."""
    for folder in directory.glob(f"{_PREFIX}*"):
        shutil.rmtree(folder, ignore_errors=True)
