"""A site's own rules: a TOML file, checked when it is loaded, replaced while the daemon runs.

    [[rule]]
    name = "fast_with_pvcs"
    when = "heart_rate_bpm > 110 and pvcs_per_minute > 5"
    text = "Fast with many PVCs"
    priority = "medium"      # low, medium or high
    for_s = 10               # so long it must hold
    refractory_s = 60

Expressions are those of the rule-engine package (extra `site-rules`) over `rules.site.VALUES`:
unknown names and types that do not fit are refused at load, and so is whatever could take long
(regular expressions, functions, comprehensions, powers). A file with any mistake changes nothing:
the last good one stays in force.
"""

import asyncio
import importlib
import logging
import re
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from edge_runtime.errors import ConfigError
from edge_runtime.events import Priority
from edge_runtime.rules.site import VALUES, SiteRule, SiteRuleFailedError, SiteSet, Value

log = logging.getLogger(__name__)

LONGEST: Final = 500
"""Characters of an expression."""
BUDGET_NS: Final = 1_000_000
"""An evaluation may take 1 ms of this thread's own time; what else the machine does is not its
fault."""
_LOOK_EVERY_S: Final = 1.0
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
_ALLOWED: Final = frozenset(
    {
        "AddExpression",
        "ArithmeticComparisonExpression",
        "ArithmeticExpression",
        "ArrayExpression",
        "BooleanExpression",
        "ComparisonExpression",
        "ContainsExpression",
        "FloatExpression",
        "LogicExpression",
        "StringExpression",
        "SubtractExpression",
        "SymbolExpression",
        "TernaryExpression",
        "UnaryExpression",
    }
)
"""Kinds of expressions whose time is bounded by their length."""
_REFUSED: Final = ("=~", "!~", "**", "<<", ">>", "$", "~")
"""Refused before they are parsed: the parser already works out constants."""


class _Row(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    name: str
    when: str
    text: str
    priority: Priority
    for_s: float = 0.0
    refractory_s: float = 60.0


class _File(msgspec.Struct, forbid_unknown_fields=True):
    rule: list[_Row] = []


class SiteBook:
    """The site's rules in force. Raises ConfigError where the first file is not good.

    `told` is called with what is wrong with a later one, and with "" once it is good again.
    """

    def __init__(self, file: Path, told: Callable[[str], None] = lambda _problem: None) -> None:
        self._file = file
        self._told = told
        self._seen = self._stamp()
        self._set = SiteSet(1, load(file))

    def current(self) -> SiteSet:
        """The last good set."""
        return self._set

    def look(self) -> None:
        """Load the file if it has changed; log the difference, or why the old one stays."""
        stamp = self._stamp()
        if stamp == self._seen:
            return
        self._seen = stamp
        try:
            rules = load(self._file)
        except ConfigError as error:
            message = f"{error}; the rules loaded before stay in force"
            log.error("%s", message)
            self._told(message)
            return
        for line in difference(self._set.rules, rules):
            log.warning("site rules: %s", line)
        self._set = SiteSet(self._set.version + 1, rules)
        self._told("")

    async def run(self) -> None:
        """Look once a second until cancelled."""
        while True:
            await asyncio.to_thread(self.look)
            await asyncio.sleep(_LOOK_EVERY_S)

    def _stamp(self) -> tuple[int, int] | None:
        try:
            stat = self._file.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_size


def load(file: Path) -> tuple[SiteRule, ...]:
    """The rules of a file. Raises ConfigError that names every one that is refused, and why."""
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
        rows = msgspec.convert(table, _File).rule
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{file}: cannot be read: {error}") from error
    except msgspec.ValidationError as error:
        raise ConfigError(f"{file}: {error}") from error
    problems: list[str] = []
    rules: list[SiteRule] = []
    for row in rows:
        try:
            rules.append(_compiled(row, {rule.name for rule in rules}))
        except ConfigError as error:
            problems.append(f"{file}: rule {row.name!r}: {error}")
    if problems:
        raise ConfigError("\n".join(problems))
    return tuple(rules)


def difference(before: Sequence[SiteRule], now: Sequence[SiteRule]) -> Iterator[str]:
    """What a new set adds, changes and removes, a line each."""
    old, new = ({rule.name: _plain(rule) for rule in rules} for rules in (before, now))
    for name in sorted(old.keys() | new.keys()):
        if name not in new:
            yield f"{name} removed"
        elif name not in old:
            yield f"{name} added: {new[name]}"
        elif old[name] != new[name]:
            yield f"{name} changed from {old[name]} to {new[name]}"


def _plain(rule: SiteRule) -> str:
    return (
        f"{rule.priority.value} {rule.text!r} when {rule.when} for {rule.for_s:g} s, "
        f"refractory {rule.refractory_s:g} s"
    )


def _compiled(row: _Row, taken: set[str]) -> SiteRule:
    if not _NAME.fullmatch(row.name):
        raise ConfigError("a name is small letters, digits and _, at most 40 of them")
    if row.name in taken:
        raise ConfigError("there is another of this name")
    if not 0 <= row.for_s <= 3600 or not 0 <= row.refractory_s <= 3600:
        raise ConfigError("for_s and refractory_s are 0 to 3600 s")
    if not row.text:
        raise ConfigError("text is empty")
    expression = _expression(row.when)
    names = set(_names(expression.statement.expression))
    return SiteRule(
        name=row.name,
        text=row.text,
        priority=row.priority,
        when=row.when,
        needs=frozenset(names),
        holds=_timed(expression),
        for_s=row.for_s,
        refractory_s=row.refractory_s,
    )


def _expression(when: str) -> Any:
    """The parsed expression. Raises ConfigError."""
    if len(when) > LONGEST:
        raise ConfigError(f"{len(when)} characters; at most {LONGEST} are allowed")
    refused = [sign for sign in _REFUSED if sign in when]
    if refused:
        raise ConfigError(f"{refused[0]} is not allowed in an expression")
    engine = _engine()
    kinds = {
        float: engine.DataType.FLOAT,
        str: engine.DataType.STRING,
        bool: engine.DataType.BOOLEAN,
    }
    types = {name: kinds[kind] for name, (kind, _) in VALUES.items()}
    context = engine.Context(type_resolver=engine.type_resolver_from_dict(types))
    try:
        rule = engine.Rule(when, context=context)
    except engine.errors.EngineError as error:
        raise ConfigError(getattr(error, "message", str(error))) from error
    for node in _nodes(rule.statement.expression):
        if type(node).__name__ not in _ALLOWED:
            raise ConfigError(f"{type(node).__name__} is not allowed in an expression")
    if rule.statement.expression.result_type != engine.DataType.BOOLEAN:
        raise ConfigError("the expression is neither true nor false; compare something")
    return rule


def _engine() -> Any:
    """The rule-engine package: 13 MB that only a site with rules of its own pays for."""
    try:
        return importlib.import_module("rule_engine")
    except ImportError:
        raise ConfigError(
            "site rules need the package rule-engine: pip install 'ecg-edge[site-rules]'"
        ) from None


def _nodes(node: Any) -> Iterator[Any]:
    yield node
    names = {name for kind in type(node).__mro__ for name in getattr(kind, "__slots__", ())}
    for name in names | set(getattr(node, "__dict__", ())):
        value = getattr(node, name, None)
        for child in value if isinstance(value, list | tuple) else (value,):
            if type(child).__name__.endswith("Expression"):
                yield from _nodes(child)


def _names(node: Any) -> Iterator[str]:
    for one in _nodes(node):
        if type(one).__name__ == "SymbolExpression":
            yield one.name


def _timed(expression: Any) -> Callable[[Mapping[str, Value]], bool]:
    errors = _engine().errors

    def holds(values: Mapping[str, Value]) -> bool:
        began_ns = time.thread_time_ns()
        try:
            result = bool(expression.matches(values))
        except (errors.EngineError, ArithmeticError) as error:
            raise SiteRuleFailedError(getattr(error, "message", str(error))) from error
        took_ns = time.thread_time_ns() - began_ns
        if took_ns > BUDGET_NS:
            raise SiteRuleFailedError(f"it took {took_ns / 1e6:.1f} ms; 1 ms is allowed")
        return result

    return holds
