"""A line on standard error that says how far something long has come."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def file_progress(doing: str) -> Iterator[Callable[[str], None]]:
    """Yields what takes the name of each file as its turn comes. Silent where nobody looks."""
    if not sys.stderr.isatty():
        yield lambda _name: None
        return
    # rich is a tenth of a headless daemon's memory: only who looks at it pays for it.
    from rich.console import Console  # noqa: PLC0415

    with Console(stderr=True).status(doing) as status:
        yield lambda name: status.update(f"{doing} {name}")
