"""Commands in this process, as a shell would see them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from edge_runtime.cli import main


def edge_runtime(*arguments: str | Path) -> Result:
    """The outcome of `edge-runtime ARGUMENTS`. A traceback fails the test that asked."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def json_lines(text: str) -> Sequence[Any]:
    """Every line, decoded."""
    return [json.loads(line) for line in text.splitlines()]
