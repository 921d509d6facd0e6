"""A digest of the code that a result depends on: what a module imports, and what that imports.

Comments, docstrings and layout do not count, so that a corrected word does not void a training.
Imports are read from the source, also those inside functions; nothing is imported.
"""

import ast
import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).parents[1]
_PACKAGES: Final = ("model_build", "edge_runtime", "firmware_bridge")


def digest_of(modules: Iterable[str], files: Iterable[Path] = ()) -> str:
    """SHA-256 over the closure of `modules` (dotted names) and the bytes of other `files`."""
    whole = hashlib.sha256()
    for name in closure(modules):
        whole.update(f"{name}\0{_meaning(name)}\0".encode())
    for file in files:
        whole.update(f"{file.name}\0".encode() + file.read_bytes())
    return whole.hexdigest()


def closure(modules: Iterable[str]) -> list[str]:
    """Names of the own modules that `modules` import, themselves included, sorted."""
    found: set[str] = set()
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _imports(name)
    return sorted(found)


def _file(name: str) -> Path | None:
    path = _ROOT.joinpath(*name.split("."))
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.is_file():
            return file
    return None


@cache
def _tree(name: str) -> ast.Module:
    file = _file(name)
    if file is None:
        raise LookupError(f"{name} is no module of this project")
    return ast.parse(file.read_text("utf-8"))


@cache
def _imports(name: str) -> tuple[str, ...]:
    wanted: list[str] = []
    for node in ast.walk(_tree(name)):
        if isinstance(node, ast.Import):
            wanted += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            # `from package import module` names a module; `from module import name` does not.
            wanted += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    own = [word for word in wanted if word.split(".")[0] in _PACKAGES]
    return tuple(word for word in own if _file(word) is not None)


@cache
def _meaning(name: str) -> str:
    tree = _tree(name)
    for node in ast.walk(tree):
        documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        if isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
    return ast.dump(tree)
