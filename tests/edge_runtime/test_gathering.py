"""Calls of several patients are made together, and each gets its own answer."""

import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from edge_runtime.gathering import MOST, Gathering
from edge_runtime.inference.calls import Call


@dataclass
class Doubling:
    """A network that doubles what comes, and writes down of how large a call each was part."""

    model: bytes = b"doubling"
    made: list[tuple[list[int], int]] = field(default_factory=list)
    refuses: int | None = None

    def make(self, call: Call, rows: int) -> None:
        values = call.inputs["x"]
        self.made.append((values, rows))
        if self.refuses in values:
            raise ValueError("not this one")
        call.outputs["y"][:] = [2 * value for value in values]


def ask(gathering: Gathering, network: Doubling, values: list[int]) -> list[int]:
    """As `Graph.run_all` does."""
    answer: dict[str, list[int]] = {"y": [0] * len(values)}
    call = Call(network, {"x": values}, answer)
    if not gathering.takes(call):
        network.make(call, call.rows)
    return answer["y"]


def test_who_works_alone_calls_alone() -> None:
    network = Doubling()
    assert ask(Gathering(), network, [1, 2]) == [2, 4]
    assert network.made == [([1, 2], 2)]


def test_calls_of_one_network_are_made_as_one() -> None:
    gathering, networks = Gathering(), [Doubling() for _ in range(5)]
    works = [partial(ask, gathering, one, [k, k + 10]) for k, one in enumerate(networks)]
    assert list(gathering.together(works)) == [[2 * k, 2 * k + 20] for k in range(5)]
    # By the first one's interpreter, in order, as parts of a call of ten rows.
    assert networks[0].made == [([k, k + 10], 10) for k in range(5)]
    assert not any(one.made for one in networks[1:])


def test_who_calls_less_is_done_earlier_and_other_networks_are_other_calls() -> None:
    gathering = Gathering()
    first, second = Doubling(b"first"), Doubling(b"second")
    order: list[str] = []

    def both(name: str) -> list[int]:
        order.append(f"{name} begins")
        once = ask(gathering, first, [1])
        order.append(f"{name} goes on")
        return ask(gathering, second, once)

    def silent() -> list[int]:
        order.append("silent")
        return []

    works: list[Callable[[], list[int]]] = [
        partial(both, "a"),
        silent,
        partial(ask, gathering, second, [7]),
    ]
    said = list(gathering.together(works))
    assert said == [[4], [], [14]]
    # One at a time, in their order: nobody goes on before everybody stands.
    assert order == ["a begins", "silent", "a goes on"]
    assert [rows for _, rows in first.made + second.made] == [1, 1, 1]


def test_a_call_that_fails_fails_where_it_was_made() -> None:
    gathering, network = Gathering(), Doubling(refuses=3)

    def careful(value: int) -> list[int]:
        try:
            return ask(gathering, network, [value])
        except ValueError:
            return ask(gathering, network, [value + 100])

    assert list(gathering.together([partial(careful, k) for k in (2, 3, 4)])) == [[4], [206], [8]]


def test_an_error_of_a_work_is_raised_in_its_place_when_all_are_over() -> None:
    gathering, network = Gathering(), Doubling()
    over: list[int] = []

    def work(k: int) -> None:
        ask(gathering, network, [k])
        if k:
            raise RuntimeError(f"work {k}")
        over.append(k)

    results = gathering.together([partial(work, k) for k in (0, 1, 0, 2)])
    assert over == [0, 0]
    assert next(results) is None
    with pytest.raises(RuntimeError, match="work 1"):
        next(results)
    assert list(gathering.together([partial(ask, gathering, network, [5])])) == [[10]]


def test_as_many_as_there_are_threads_and_again() -> None:
    gathering, network = Gathering(), Doubling()
    for _ in range(3):
        works: list[Callable[[], Any]] = [
            partial(ask, gathering, network, [k]) for k in range(MOST)
        ]
        assert list(gathering.together(works)) == [[2 * k] for k in range(MOST)]
    assert list(gathering.together([])) == []


HANGS = """
class Hangs:
    model = b""

    def make(self, call, rows):
        entered.set()
        threading.Event().wait()

gathering, entered = Gathering(), threading.Event()
works = [partial(gathering.takes, Call(Hangs(), {}, {"y": [0]}))] * 3
threading.Thread(target=lambda: gathering.together(works), daemon=True).start()
assert entered.wait(20)
"""

NO_MORE_THREADS = """
start, left = threading.Thread.start, [2]

def start_one_of_two(thread):
    left[0] -= 1
    if left[0] < 0:
        raise RuntimeError("can't start new thread")
    start(thread)

threading.Thread.start = start_one_of_two
try:
    Gathering().together([int] * 4)
except RuntimeError:
    pass
else:
    raise AssertionError("four threads were started")
"""


@pytest.mark.parametrize("script", [HANGS, NO_MORE_THREADS])
def test_a_process_can_end_whatever_its_works_wait_for(script: str) -> None:
    begin = [
        "import threading",
        "from functools import partial",
        "from edge_runtime.gathering import Gathering",
        "from edge_runtime.inference.calls import Call",
    ]
    command = [sys.executable, "-c", "\n".join([*begin, script])]
    subprocess.run(command, check=True, timeout=30)


def test_its_threads_end_with_it() -> None:
    before = set(threading.enumerate())
    gathering = Gathering()
    assert list(gathering.together([int] * 3)) == [0] * 3
    threads = set(threading.enumerate()) - before
    assert threads
    del gathering
    for thread in threads:
        thread.join(5)
        assert not thread.is_alive()
