"""`model-build score` on hand-made files, and on the golden ones."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from firmware_bridge.records import Annotations, write_annotations
from model_build.cli import main

GOLDEN_RECORDS = "100,105,119,200,203,207,208,222"
RHYTHM_RECORDS = "200,203,205,207,215,217,221,222,cu01"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["score", *map(str, arguments)])


@pytest.fixture
def folders(tmp_path: Path) -> tuple[str, ...]:
    reference, test = tmp_path / "reference", tmp_path / "test"
    reference.mkdir()
    test.mkdir()
    for record in ("a1", "a2"):
        (reference / f"{record}.hea").write_text(f"{record} 0 100 60000\n")
        at = [31_000, 31_100, 31_200, 40_000, 50_000]
        text = ["", "", "", "(AFIB", "(N"]
        write_annotations(reference / f"{record}.atr", Annotations.of(at, "NVe++", text))
        write_annotations(test / f"{record}.mine", Annotations.of(at, "NVN++", text))
    return ("--reference", str(reference), "--test", str(test), "--annotator", "mine")


def test_lines_of_all_records_found(folders):
    result = run(*folders)
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["Record", "a1", "a2"]
    assert "escape beats (e, j, n) counted as S" in result.stderr


def test_every_report_says_its_class_table(folders):
    assert "counted as N" in run(*folders, "--escapes", "n").stderr
    assert "counted as N" in run(*folders, "--without-sveb").stderr
    assert "counted as S" in run(*folders, "--format", "rxr").stderr
    report = json.loads(run(*folders, "--format", "json").stdout)
    assert [r["rules"]["escapes"] for r in report["beats"].values()] == ["n", "s"]
    assert report["beats"]["escapes_n"]["gross"]["sveb"]["fn"] == 0
    assert report["beats"]["escapes_s"]["gross"]["sveb"]["fn"] == 2
    only = json.loads(run(*folders, "--format", "json", "--escapes", "n").stdout)
    assert list(only["beats"]) == ["escapes_n"]


def test_the_learning_period_is_an_option(folders):
    result = run(*folders, "--records", "a1", "--learning-s", "400")
    assert result.stdout.splitlines()[1].startswith("  a1     0   0   0")
    assert "not the standard comparison" in result.stderr
    assert run(*folders, "-f", "6:40").stdout == run(*folders, "--learning-s", "400").stdout


def test_summary_follows_the_lines(folders):
    assert "Summary of results from 2 records" in run(*folders, "--summary").stdout


@pytest.mark.parametrize("form", ["shutdown", "matrix", "condensed", "rxr", "epicmp"])
def test_every_format_prints(folders, form):
    result = run(*folders, "--format", form)
    assert result.exit_code == 0, result.stderr
    assert "a2" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only", "af"], "does not go with"),
        (["--format", "rxr", "--escapes", "n"], "counts escape beats as S"),
        (["--compat", "epicmp-x-sign", "--format", "epicmp"], "goes with -x"),
        (["-i", "1", "-I", "1", "--format", "epicmp"], "exclude each other"),
        (["-t", "600"], "options of epicmp"),
        (["-f", "5 minutes"], "is no time"),
        (["--long"], "option of epicmp"),
        (["--format", "json", "--summary"], "goes with the line reports"),
        (["--format", "rxr", "--without-sveb"], "does not go with"),
    ],
)
def test_wrong_usage_is_explained(folders, arguments, message):
    result = run(*folders, *arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_missing_files_and_short_records_are_explained(folders, tmp_path):
    result = run(*folders, "--records", "b7")
    assert result.exit_code == 1
    assert "no b7.atr in" in result.stderr
    result = run(*folders[:-1], "other")
    assert "no file ends in .other" in result.stderr
    result = run(*folders, "-f", "700")
    assert result.exit_code == 1
    assert "record a1: the record ends at 600 s" in result.stderr
    (tmp_path / "test" / "a1.mine").unlink()
    assert "no such annotation file" in run(*folders, "--records", "a1").stderr


def test_a_clock_of_its_own_is_converted(folders, tmp_path):
    at = [310_000, 311_000, 312_000]
    write_annotations(tmp_path / "test" / "a1.mine", Annotations.of(at, "NVe"), fs=1000)
    report = json.loads(run(*folders, "--records", "a1", "--format", "json").stdout)
    assert report["beats"]["escapes_n"]["gross"]["qrs"]["tp"] == 3


def test_help_names_the_command():
    result = CliRunner().invoke(main, ["--help"])
    assert "score" in result.output


def test_the_training_stack_is_not_imported(folders):
    code = (
        "import sys; from model_build.cli import main\n"
        f"main(['score', *{list(folders)!r}], standalone_mode=False)\n"
        "heavy = {'tensorflow', 'keras', 'wfdb', 'scipy', 'pandas'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.data
@pytest.mark.parametrize(
    ("golden", "arguments"),
    [
        ("bxb_tst", ["--annotator", "tst", "--format", "bxb"]),
        ("sum_bxb_gqrs", ["--annotator", "gqrs", "--format", "bxb", "--summary"]),
        ("sd_tst", ["--annotator", "tst", "--format", "shutdown"]),
        ("matrix_207_tst", ["--annotator", "tst", "--format", "matrix", "--records", "207"]),
        ("rxr_svruns_tst", ["--annotator", "tst", "--format", "rxr", "--only", "supraventricular"]),
        ("rxr_vruns_tst", ["--annotator", "tst", "--format", "rxr", "--only", "ventricular"]),
        ("epicmp_vf_t20_rhy", ["--annotator", "rhy", "--only", "vf", "-t", "20:0"]),
        ("epicmp_vf_t0_rhy", ["--annotator", "rhy", "--only", "vf", "-t", "0"]),
        ("epicmp_af_minall10_rhy", ["--annotator", "rhy", "--only", "af", "-I", "10"]),
        ("epicmp_af_min10_rhy", ["--annotator", "rhy", "--only", "af", "-i", "10"]),
        (
            "epicmp_af_x_f0_rhy",
            ["--annotator", "rhy", "--only", "af", "-x", "--compat", "epicmp-x-sign", "-f", "0"],
        ),
        ("sum_epicmp_af_rhy", ["--annotator", "rhy", "--only", "af", "--summary"]),
        ("epicmp_cu01_rhy", ["--annotator", "rhy", "--long", "--records", "cu01"]),
    ],
)
def test_golden_reports(data_dir, golden_dir, golden, arguments):
    folders = ["--reference", data_dir / "mitdb", "--reference", data_dir / "cudb"]
    rhythm = "rhy" in arguments
    if rhythm:
        folders += ["--format", "epicmp"]
    if "--records" not in arguments:
        folders += ["--records", RHYTHM_RECORDS if rhythm else GOLDEN_RECORDS]
    result = run(*folders, "--test", golden_dir / "ec57", *arguments)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == (golden_dir / "ec57" / f"{golden}.txt").read_text()
