"""A bundle set that is not what it says is refused, and the message tells which file."""

from pathlib import Path

import pytest

from edge_runtime.errors import BundleError
from edge_runtime.inference.bundle import default_set, load_bundle_set

CARDS = "CARD.md"
"""Model cards are for people and may be written again; nothing on a device depends on them."""
FILES = sorted(
    str(path.relative_to(default_set()))
    for path in default_set().rglob("*")
    if path.is_file() and path.name != CARDS
)


def test_the_shipped_set_loads(shipped):
    assert FILES == [
        "beats/context.tflite",
        "beats/encoder.tflite",
        "beats/golden.npz",
        "beats/manifest.toml",
        "conditioning.toml",
        "delineation/golden.npz",
        "delineation/graph.tflite",
        "delineation/manifest.toml",
        "rhythm/golden.npz",
        "rhythm/manifest.toml",
        "rhythm/rhythm.tflite",
        "set.toml",
    ]
    assert shipped.roles == ("beats", "delineation", "rhythm")
    assert shipped.delineation is not None
    assert len(shipped.delineation.graph) <= 65_536
    assert (default_set() / "delineation" / CARDS).is_file()
    assert shipped.beats.manifest.classes == ("N", "S", "V", "F", "X")
    assert (default_set() / "beats" / CARDS).is_file()
    assert shipped.beats.manifest.history == 31
    assert len(shipped.beats.encoder) + len(shipped.beats.context) <= 65_536


@pytest.mark.parametrize("name", [name for name in FILES if name != "set.toml"])
@pytest.mark.parametrize("where", [0.0, 0.5, 1.0])
def test_a_flipped_bit_in_any_file_is_refused_by_name(copy, name, where):
    path = copy.folder / name
    content = bytearray(path.read_bytes())
    content[int(where * (len(content) - 1))] ^= 0x10
    path.write_bytes(content)
    with pytest.raises(BundleError, match=r"does not match its hash.*install it again") as refused:
        load_bundle_set(copy.folder)
    assert str(Path(name)) in str(refused.value)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(copy, name):
    (copy.folder / name).unlink()
    with pytest.raises(BundleError, match=Path(name).name):
        load_bundle_set(copy.folder)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('schema = 1\nname = "beats"', 'schema = 9\nname = "beats"', "reads schema 1"),
        ("minimum_runtime = 1", "minimum_runtime = 2", "needs runtime 2, this is 1: update"),
        ("minimum_runtime = 1", 'minimum_runtime = "1"', "minimum_runtime"),
        ("minimum_runtime = 1", "minimum_runtime = 1\ncolour = 3", "colour"),
        ("history = 31", "history = 30", r"history is \(1, 1, 31, 32\)"),
        ('["N", "S", "V", "F", "X"]', '["N", "S", "V"]', r"logits is \(1, 5\)"),
        ("log_bias = [", "log_bias = [0.0, ", r"log_bias is \(6,\)"),
        ('role = "cam"', 'role = "map"', "encoder.tflite has roles"),
        ("temperature = 1.0", "temperature = -1.0", "is not positive"),
        ('file = "golden.npz"', 'file = "../golden.npz"', "no hash for ../golden.npz"),
        ('"golden.npz" = ', '"/etc/passwd" = ', "is not plain"),
        ('name = "rr_prev"', 'name = "rr_before"', "computes .*: rr_before, rr_prev"),
        ("temperature = 1.0", "temperature = ", "no TOML file"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(copy, old, new, message):
    copy.edit("beats/manifest.toml", old, new)
    with pytest.raises(BundleError, match=message) as refused:
        load_bundle_set(copy.folder)
    assert "manifest.toml" in str(refused.value)


def test_every_problem_of_a_manifest_is_told_at_once(copy):
    copy.edit("beats/manifest.toml", "minimum_runtime = 1", 'minimum_runtime = "1"')
    copy.edit("beats/manifest.toml", "history = 31", "history = 31.5\ncolour = 1")
    with pytest.raises(BundleError, match="history") as refused:
        load_bundle_set(copy.folder)
    assert "minimum_runtime" in str(refused.value)
    assert "colour" in str(refused.value)


def test_a_set_that_mixes_conditionings_is_refused(copy):
    path = copy.folder / "conditioning.toml"
    path.write_text(path.read_text() + "\n# another one\n")
    copy.seal("conditioning.toml")
    with pytest.raises(BundleError, match="trained with another conditioning"):
        load_bundle_set(copy.folder)


def test_a_bundle_outside_the_set_is_refused(copy):
    copy.edit("set.toml", 'beats = "beats"', 'beats = "../beats"')
    with pytest.raises(BundleError, match="no hash is given"):
        load_bundle_set(copy.folder)
    copy.edit("set.toml", '"beats/manifest.toml" =', '"../beats/manifest.toml" =')
    with pytest.raises(BundleError, match="outside the bundle set"):
        load_bundle_set(copy.folder)


def test_a_folder_without_a_set_is_told(tmp_path):
    with pytest.raises(BundleError, match=r"holds no set.toml"):
        load_bundle_set(tmp_path)
