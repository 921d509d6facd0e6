"""What waits on disk: order, bounds, and what a kill leaves."""

from pathlib import Path

import pytest

from edge_runtime.errors import StoreError
from edge_runtime.integrations.outbox import DAY_S, Outbox


class Clock:
    def __init__(self) -> None:
        self.s = 1_790_000_000.0

    def __call__(self) -> float:
        return self.s


def payloads(outbox: Outbox, limit: int = 1000) -> list[bytes]:
    return [one.payload for one in outbox.oldest(limit)]


def test_what_was_put_is_there_in_order_after_a_kill(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "outbox.sqlite3"
    first = Outbox(file)
    assert first.put([b"a", b"b"]) == [1, 2]
    assert first.put([b"c"]) == [3]
    again = Outbox(file)  # while the first is still open, as after a kill
    assert payloads(again) == [b"a", b"b", b"c"]
    assert [one.payload for one in again.oldest(10, below=3)] == [b"a", b"b"]
    assert [one.payload for one in again.oldest(1)] == [b"a"]
    first.close()
    again.close()


def test_what_was_delivered_is_gone_and_its_number_is_not_used_again(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite3")
    outbox.remove(outbox.put([b"a", b"b"]))
    assert len(outbox) == 0
    assert outbox.put([b"c"]) == [3]
    assert outbox.dropped == 0
    outbox.close()


def test_it_keeps_for_so_long_and_no_longer(tmp_path: Path) -> None:
    clock = Clock()
    outbox = Outbox(tmp_path / "outbox.sqlite3", keep_s=7 * DAY_S, utc_s=clock)
    outbox.put([b"old"])
    clock.s += 3 * DAY_S
    outbox.put([b"newer"])
    clock.s += 4 * DAY_S
    assert payloads(outbox) == [b"old", b"newer"]  # seven days are kept
    clock.s += 1
    assert payloads(outbox) == [b"newer"]
    assert outbox.dropped == 1
    outbox.close()


def test_on_disk_it_stays_within_its_bound(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite3", most_bytes=1 << 20)
    for n in range(0, 400, 8):
        outbox.put([b"%03d" % m + b"x" * 9997 for m in range(n, n + 8)])
    kept = payloads(outbox)
    assert len(kept) == (1 << 20) // 10_000
    assert kept[0][:3] == b"296"
    assert kept[-1][:3] == b"399"
    assert outbox.dropped == 400 - len(kept)
    outbox.close()
    on_disk = sum(file.stat().st_size for file in tmp_path.iterdir())
    assert on_disk < 1.6 * (1 << 20)
    again = Outbox(tmp_path / "outbox.sqlite3", most_bytes=1 << 20)  # the bound holds on
    again.put([b"y" * 10_000])
    assert len(payloads(again)) == len(kept)
    again.close()


def test_a_folder_that_cannot_be_written_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="check free space"):
        Outbox(tmp_path / "file" / "outbox.sqlite3")
    (tmp_path / "no.sqlite3").write_bytes(b"this is no database" * 100)
    with pytest.raises(StoreError, match="not a database"):
        Outbox(tmp_path / "no.sqlite3")
