"""Catalogue, people, splits and folds: nobody on both sides, nothing read that is not pinned."""

import shutil
from importlib import resources

import pytest

from model_build.datasets import catalogue, mitdb, splits
from model_build.datasets.census import loads
from model_build.datasets.locate import ensure
from model_build.datasets.pin import pin
from model_build.datasets.splits import DS1, DS2, PACED, TRAINING_MITDB, assign, fold_of, folds
from model_build.datasets.subjects import subject
from model_build.errors import DataError, RecipeError
from model_build.prepare import training_recordings
from model_build.recipe import read_recipe
from model_build.recipe_files import recipe_path


def test_the_split_of_mitdb_is_de_chazals():
    assert len(DS1) == len(DS2) == 22
    everyone = {*DS1, *DS2, *PACED}
    assert everyone == set(catalogue.database("mitdb").records)


def test_no_subject_is_on_both_sides():
    training = {subject("mitdb", record) for record in TRAINING_MITDB}
    assert not training & splits.held_out_subjects()


def test_201_would_be_on_both_sides():
    assert subject("mitdb", "201") == subject("mitdb", "202")
    with pytest.raises(RecipeError, match="mitdb/201"):
        splits.require_separate([subject("mitdb", record) for record in DS1])


@pytest.mark.parametrize(
    ("database", "record", "person"),
    [
        ("nstdb", "118e_6", "mitdb/118"),
        ("mitdb-pwave", "202", "mitdb/201"),
        ("mitdb", "102-0", "mitdb/102"),
        ("qtdb", "sel100", "mitdb/100"),
        ("qtdb", "sel202", "mitdb/201"),
        ("qtdb", "sel803", "svdb/803"),
        ("qtdb", "sel302", "stdb/302"),
        ("qtdb", "sel16265", "nsrdb/16265"),
        ("qtdb", "sel14046", "ltdb/14046"),
        ("qtdb", "sele0104", "edb/e0104"),
        ("qtdb", "sel30", "sddb/30"),
        ("cpsc2021", "data_84_1", "cpsc2021/84"),
        ("cinc2017", "A00004", "cinc2017/A00004"),
        ("ludb", "7", "ludb/7"),
        ("ptbxl", "00018_hr", "ptbxl/00017"),
        ("cinc2021", "HR06000", "ptbxl/06000"),
        ("cinc2021", "JS20000", "cinc2021/JS20000"),
        ("cinc2020", "A0002", "cinc2020/A0002"),
        ("cinc2015", "a103l", "cinc2015/10x"),
    ],
)
def test_who_is_in_a_record(database, record, person):
    assert subject(database, record) == person


@pytest.mark.parametrize(("database", "record"), [("nstdb", "em"), ("new", "1"), ("qtdb", "x")])
def test_an_unknown_person_is_refused(database, record):
    with pytest.raises(DataError, match="add"):
        subject(database, record)


def test_every_training_subject_is_in_exactly_one_fold():
    people = {subject("mitdb", r) for r in TRAINING_MITDB}
    people |= {subject("svdb", r) for r in catalogue.database("svdb").records}
    people |= {subject("cpsc2021", r) for r in catalogue.database("cpsc2021").records}
    assert set(folds()) == people
    assert {fold_of(person) for person in people} == set(range(5))
    assert not people & splits.held_out_subjects()
    assert fold_of("cinc2017/A00007") == 2
    with pytest.raises(RecipeError, match="mitdb/100"):
        fold_of("mitdb/100")


def test_assignment_evens_out_every_column():
    table = {f"s{k}": [100.0, float(k % 3 == 0) * k, float(k % 4 == 1) * k] for k in range(40)}
    found = assign(table, 4)
    assert found == assign(dict(reversed(table.items())), 4)
    for column in range(3):
        sums = [sum(table[s][column] for s in table if found[s] == k) for k in range(4)]
        assert max(sums) < 1.3 * min(sums)


@pytest.mark.data
def test_the_committed_folds_are_those_that_the_rule_gives(data_dir):
    recipe = read_recipe(recipe_path("beats-first"))
    assert assign(loads(training_recordings(data_dir, recipe))) == folds()


@pytest.mark.data
def test_a_recipe_reads_exactly_the_pinned_training_records(data_dir):
    recordings = training_recordings(data_dir, read_recipe(recipe_path("beats-first")))
    keys = {recording.key for recording in recordings}
    assert len(keys) == len(recordings) == 21 + 58 + 18 + 561
    assert "mitdb/201" not in keys
    assert not {recording.subject for recording in recordings} & splits.held_out_subjects()


@pytest.mark.data
def test_a_recipe_that_names_a_test_subject_is_refused(data_dir, monkeypatch):
    monkeypatch.setattr(mitdb, "TRAINING_MITDB", DS1)
    with pytest.raises(RecipeError, match="both sides"):
        training_recordings(data_dir, read_recipe(recipe_path("beats-first")))


def test_every_pinned_record_has_a_checksum():
    pinned = {f"{db.name}/{r}" for db in catalogue.catalogue().values() for r in db.records}
    assert set(catalogue.checksums()) == pinned


def test_a_pinned_record_keeps_its_checksum(tmp_path):
    assert pin(tmp_path / "no archives", tmp_path / "checksums.txt") == 0
    committed = resources.files("model_build.datasets").joinpath("checksums.txt")
    assert (tmp_path / "checksums.txt").read_text() == committed.read_text("ascii")


@pytest.mark.data
def test_a_new_record_gets_the_checksum_that_verify_expects(data_dir, tmp_path, monkeypatch):
    known = dict(catalogue.checksums())
    expected = known.pop("ludb/1")
    monkeypatch.setattr("model_build.datasets.pin.checksums", lambda: known)
    assert pin(data_dir, tmp_path / "checksums.txt") == 1
    assert f"{expected}  ludb/1\n" in (tmp_path / "checksums.txt").read_text()


def test_no_p_wave_marks_of_a_tested_record_are_pinned():
    people = {subject("mitdb-pwave", r) for r in catalogue.database("mitdb-pwave").records}
    assert len(people) == 6
    assert not people & splits.held_out_subjects()
    assert people <= set(folds())


def test_an_unknown_database_is_named_with_those_there_are():
    with pytest.raises(DataError, match="mitdb"):
        catalogue.database("mitbd")


@pytest.mark.data
def test_an_altered_file_is_refused(data_dir, tmp_path):
    for suffix in (".hea", ".dat", ".atr"):
        shutil.copy(data_dir / "svdb" / f"800{suffix}", tmp_path)
    db = catalogue.database("svdb")
    catalogue.verify(tmp_path, db, "800")
    path = tmp_path / "800.dat"
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="differ"):
        catalogue.verify(tmp_path, db, "800")


@pytest.mark.data
def test_an_absent_record_is_fetched_and_verified(data_dir, tmp_path):
    def fetch(db, name, remote, folder):
        assert remote == ""
        shutil.copy(data_dir / db.name / name, folder / name)

    folder = ensure(tmp_path, "svdb", ["800"], fetch)
    assert sorted(p.name for p in folder.iterdir()) == ["800.atr", "800.dat", "800.hea"]


def test_without_a_network_the_message_says_what_to_do(tmp_path):
    def fetch(db, name, remote, folder):
        raise OSError("name or service not known")

    with pytest.raises(DataError, match=r"not known.*ECG_DATA_DIR"):
        ensure(tmp_path, "svdb", ["800"], fetch)


def test_records_are_looked_for_in_every_folder_of_the_archive(tmp_path):
    asked = []

    def fetch(db, name, remote, folder):
        asked.append(remote)
        raise OSError("404")

    with pytest.raises(DataError):
        ensure(tmp_path, "cpsc2021", ["data_84_1"], fetch)
    assert asked == ["Training_set_I/", "Training_set_II/"]


def test_what_is_not_pinned_is_not_read(tmp_path):
    with pytest.raises(DataError, match="nothing outside"):
        ensure(tmp_path, "svdb", ["801"])
