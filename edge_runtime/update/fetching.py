"""Where a repository's files come from: HTTPS, or a folder (`file://`), as on a USB stick.

What is fetched is believed for nothing until TUF has checked it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from tuf.api.exceptions import DownloadError, DownloadHTTPError
from tuf.ngclient.fetcher import FetcherInterface
from tuf.ngclient.urllib3_fetcher import Urllib3Fetcher

_BLOCK_BYTES: Final = 1 << 16
_NOT_FOUND: Final = 404


def fetcher_for(url: str) -> FetcherInterface:
    """What fetches from `url`, an address that the configuration has let pass."""
    if url.startswith("file:"):
        return _FolderFetcher()
    return Urllib3Fetcher(app_user_agent="ecg-edge")


class _FolderFetcher(FetcherInterface):
    def _fetch(self, url: str) -> Iterator[bytes]:
        file = Path(unquote(urlsplit(url).path))
        try:
            source = file.open("rb")
        except (FileNotFoundError, NotADirectoryError) as error:
            raise DownloadHTTPError(f"{file} is not there", _NOT_FOUND) from error
        except OSError as error:
            raise DownloadError(f"{file}: {error.strerror}") from error
        with source:
            while block := source.read(_BLOCK_BYTES):
                yield block
