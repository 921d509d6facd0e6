"""Texts and JSON that the golden files do not hold."""

import json
from dataclasses import replace
from fractions import Fraction

import pytest

from firmware_bridge.records import Annotations
from model_build.evaluate.ec57 import (
    BeatMatrix,
    EpisodeRules,
    averages,
    compare_beats,
    compare_episodes,
    compare_runs,
)
from model_build.evaluate.ec57.formats import (
    BEAT_HEADING,
    BEAT_HEADING_V,
    EPISODE_HEADINGS,
    RUN_HEADINGS,
    SHUTDOWN_HEADING,
    beat_line,
    beat_matrix,
    condensed_matrix,
    duration,
    episode_line,
    run_line,
    shutdown_line,
)
from model_build.evaluate.ec57.report import beat_report, episode_report, run_report
from model_build.evaluate.ec57.summary import sumstats

REFERENCE = "NNASVVFQNe"
TEST = "NSASVNVVVN"


def score(reference: str = REFERENCE, test: str = TEST) -> BeatMatrix:
    at = range(1000, 1000 + 100 * len(reference), 100)
    shutdown = Annotations.of([*at, 5000, 5500], [*test, "~", "~"], subtype=[0] * len(at) + [-1, 0])
    missed = Annotations.of([*at, 5200, 6000], [*reference, "V", "N"])
    return compare_beats(missed, shutdown, 100.0, 10_000, learning_s=0.0, escapes="s")


def test_line_without_sveb():
    lines = BEAT_HEADING_V + beat_line("100", score(), with_s=False)
    assert lines == (
        "Record Nn' Vn' Fn' On'  Nv   Vv  Fv' Ov' No' Vo' Fo'  Q Se   Q +P   V Se   V +P  V FPR\n"
        " 100     5   1   0   0   1    1   2   0   1   1   0"
        "  83.33 100.00  33.33  50.00 16.667\n"
    )


def test_matrix_without_sveb():
    text = beat_matrix("100", score(), ("atr", "tst"), with_s=False)
    assert text == (
        "Beat-by-beat comparison results for record 100\n"
        "Reference annotator: atr\n"
        "     Test annotator: tst\n"
        "\n"
        "               Algorithm\n"
        "        n    v    f    q    o    x\n"
        "   _______________________________\n"
        " N |    5    1    0    0    1    0\n"
        " V |    1    1    0    0    0    1\n"
        " F |    0    1    0    0    0    0\n"
        " Q |    0    1    0    0    0    0\n"
        " O |    0    0    0    0\n"
        " X |    0    0    0    0\n"
        "\n"
        "           QRS sensitivity:  83.33% (10/12)\n"
        " QRS positive predictivity: 100.00% (10/10)\n"
        "           VEB sensitivity:  33.33% (1/3)\n"
        " VEB positive predictivity:  50.00% (1/2)\n"
        "   VEB false positive rate: 16.667% (1/6)\n"
        "\n"
    )


def test_condensed_matrices():
    text = condensed_matrix("100", score(), ("atr", "tst"))
    assert text.splitlines()[4:12] == [
        "         Algorithm",
        "      n+f+q    s    v  o+x",
        "     _____________________",
        "  N  |    1    1    1    1",
        "  S  |    1    2    0    0",
        "  V  |    1    0    1    1",
        " F+Q |    0    0    2    0",
        " O+X |    0    0    0",
    ]
    text = condensed_matrix("100", score(), ("atr", "tst"), with_s=False)
    assert text.splitlines()[4:11] == [
        "         Algorithm",
        "      n+f+q    v  o+x",
        "     ________________",
        "  N  |    5    1    1",
        "  V  |    1    1    1",
        " F+Q |    0    2    0",
        " O+X |    0    0",
    ]


def test_shutdown_lines_and_their_sum():
    line = shutdown_line("100", score())
    assert line == (
        " 100    0    0    1    0    0     8.33   0.00   0.00  33.33   0.00"
        "    5 seconds 4 3 3 1 1\n"
    )
    assert shutdown_line("100", score(), with_s=False) == (
        " 100    0    1    0    0     8.33   0.00  33.33   0.00    5 seconds 7 0 3 1 1\n"
    )
    assert sumstats(SHUTDOWN_HEADING + line + line).endswith(
        f"{'_' * 72}\n"
        "Sum     0    0    2    0    0                                        10 seconds\n"
        "\nSummary of results from 2 records\n"
    )


def test_sum_without_sveb():
    text = sumstats(BEAT_HEADING_V + beat_line("100", score(), with_s=False))
    assert text.splitlines()[2:] == [
        "_" * 86,
        "Sum       5   1   0   0   1    1   2   0   1   1   0",
        f"{'Gross':54}  83.33 100.00  33.33  50.00 16.667",
        f"{'Average':54}  83.33 100.00  33.33  50.00 16.667",
        "Total QRS complexes: 12  Total VEBs: 3",
        "",
        "Summary of results from 1 record",
    ]


def test_a_record_without_rr_intervals_has_no_rr_error():
    silent = compare_beats(
        Annotations.of([1000, 1100], "NN"), Annotations.of([], ""), 100.0, 2000, learning_s=0.0
    )
    line = beat_line("100", silent)
    assert line.endswith("   0.00      -      -      -      -      -     -\n")
    assert sumstats(BEAT_HEADING + line).splitlines()[5].endswith("      -      -")
    assert beat_matrix("100", silent, ("atr", "tst")).endswith("RR interval error:      -\n")


def test_reports_that_are_none_are_refused():
    with pytest.raises(ValueError, match="does not begin with a heading"):
        sumstats("Record\n")
    with pytest.raises(ValueError, match="not a line of this report"):
        sumstats(BEAT_HEADING + " 100 many\n")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (Fraction(0), "    0:00.000"),
        (Fraction(1, 2000), "    0:00.001"),
        (Fraction(599996, 10_000), "    1:00.000"),
        (Fraction(3_599_999, 1000), "   59:59.999"),
        (Fraction(3600), " 1:00:00.000"),
    ],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def files() -> tuple[Annotations, Annotations, float, int]:
    reference = Annotations.of([1000, 1100, 1200, 1500], "NVV+", ["", "", "", "(AFIB"])
    test = Annotations.of([1000, 1100, 1200, 1700], "NVN+", ["", "", "", "(AFIB"])
    return reference, test, 100.0, 3000


def test_json_says_how_it_was_counted_and_is_plain():
    beats = compare_beats(*files(), learning_s=0.0)
    rules = EpisodeRules(learning_s=0.0, until_s=float("inf"))
    reports = [
        beat_report({"100": beats}),
        run_report({"100": compare_runs(*files(), "ventricular", learning_s=0.0)}, 0.0),
        episode_report({"100": compare_episodes(*files(), "af", rules)}, rules),
    ]
    plain = json.loads(json.dumps(reports, allow_nan=False))
    assert [report["rules"]["learning_s"] for report in plain] == [0.0, 0.0, 0.0]
    assert [report["rules"].get("escapes") for report in plain] == ["n", "s", None]
    assert plain[0]["gross"]["veb"] == {
        "tp": 1, "fn": 1, "fp": 0, "se": 0.5, "ppv": 1.0, "f1": pytest.approx(2 / 3),
    }  # fmt: skip
    assert plain[0]["records"]["100"]["qrs"]["fn"] == 0
    assert plain[1]["gross"]["couplets"]["fn"] == 1
    assert plain[2]["rules"]["standard"] is False
    assert plain[2]["gross"]["episodes"]["tps"] == 0


def test_averages_are_over_records_that_have_the_class():
    with_v = compare_beats(*files(), learning_s=0.0)
    none = compare_beats(
        Annotations.of([1000], "N"), Annotations.of([1000], "N"), 100.0, 3000, learning_s=0.0
    )
    means = averages([with_v, none])
    assert means["veb"]["se"] == 0.5
    assert means["qrs"]["se"] == 1.0
    assert means["sveb"]["f1"] is None


def test_line_reports_carry_a_known_heading():
    run = run_line("100", compare_runs(*files(), "ventricular", learning_s=0.0))
    assert "Total couplets: 1" in sumstats(RUN_HEADINGS["ventricular"] + run)
    score_af = compare_episodes(*files(), "af", EpisodeRules(learning_s=0.0))
    line = episode_line("100", score_af)
    assert "Sum       1    0    1    0" in sumstats(EPISODE_HEADINGS["af"] + line)
    wide = replace(score_af, fs=0.1)
    assert " 4:10:00.000" in episode_line("100", wide)
