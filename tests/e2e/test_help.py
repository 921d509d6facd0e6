"""Every command of the three programs explains itself."""

import importlib
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

PROGRAMS = {
    "edge-runtime": "edge_runtime.cli",
    "firmware-bridge": "firmware_bridge.cli",
    "model-build": "model_build.cli",
}


def commands(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from commands(inner, (*path, name))


def everything() -> list[tuple[str, ...]]:
    return [
        path
        for program, module in PROGRAMS.items()
        for path in commands(importlib.import_module(module).main, (program,))
    ]


@pytest.mark.parametrize("path", everything(), ids=" ".join)
def test_help_reads_like_documentation(path: tuple[str, ...]) -> None:
    command = importlib.import_module(PROGRAMS[path[0]]).main
    result = CliRunner().invoke(command, [*path[1:], "--help"])
    assert result.exit_code == 0, result.output
    for name in path[1:]:
        command = command.get_command(click.Context(command), name)
    assert command.help
    words = " ".join(result.output.split())
    for parameter in command.params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            assert parameter.opts[0] in result.output
            assert parameter.help, f"{' '.join(path)} {parameter.opts[0]} says nothing"
        elif isinstance(parameter, click.Argument):
            assert parameter.make_metavar(click.Context(command)) in words


def test_the_issue_s_commands_are_there() -> None:
    have = {" ".join(path) for path in everything()}
    assert have >= {
        *(f"edge-runtime {name}" for name in ("run", "demo", "replay", "check", "config")),
        "edge-runtime doctor",
        "firmware-bridge simulate",
        *(f"model-build {name}" for name in ("prepare", "train", "quantize", "evaluate", "export")),
        "model-build score",
    }


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_wrong_option_is_wrong_usage(program: str) -> None:
    command = importlib.import_module(PROGRAMS[program]).main
    assert CliRunner().invoke(command, ["--nonsense"]).exit_code == 2
