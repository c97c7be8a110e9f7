"""What a report computes, against figures worked out by hand."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tfhf.reporting.findings import calibration, confused_pairs, confusion, interval, mistakes
from tfhf.reporting.forms import Row
from tfhf.reporting.record import read


def test_confusion_and_its_pairs():
    answers = ["ab", "ab", "aa", "ba", "bb", "bb"]
    counts = confusion([Row({}, expected, predicted, None) for expected, predicted in answers])
    assert counts == {("a", "b"): 2, ("a", "a"): 1, ("b", "a"): 1, ("b", "b"): 2}
    assert confused_pairs(counts) == [("a", "b", 2, 2 / 3), ("b", "a", 1, 1 / 3)]


def test_mistakes_come_surest_first():
    rows = [Row({}, "a", "b", p) for p in (0.5, None, 0.9)] + [Row({}, "a", "a", 0.99)]
    worst, wrong = mistakes(rows, "single_label", limit=2)
    assert [row.confidence for row in worst] == [0.9, 0.5]
    assert wrong == 3


def test_the_worst_decision_of_several_labels(bare_run):
    run = bare_run("multi_label")
    row = {"text": "t", "expected": ["joy", "love"], "label": ["joy", "fear"]}
    row["probabilities"] = {"joy": 0.9, "love": 0.05, "fear": 0.7, "anger": 0.4}
    (run / "predictions" / "validation.jsonl").write_text(json.dumps(row))
    found = read(run).predictions["validation"][0]
    assert (found.worst, found.confidence) == ("love", 0.95)


def test_calibration_and_interval_by_hand():
    rows = [Row({}, "a", "a", 0.95), Row({}, "a", "b", 0.91), Row({}, "a", "a", 0.55)]
    bins, error = calibration(rows)
    assert [each.rows for each in bins] == [1, 2]
    assert (bins[1].confidence, bins[1].accuracy) == (pytest.approx(0.93), 0.5)
    assert error == pytest.approx((1 * 0.45 + 2 * 0.43) / 3)
    assert interval(0.5, 100) == pytest.approx((0.4038, 0.5962), abs=1e-4)


def test_import_is_light():
    code = "import sys, tfhf.reporting; print(*{m.split('.')[0] for m in sys.modules})"
    root = Path(__file__).parents[2]
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root)
    assert run.returncode == 0, run.stderr
    assert not {"tensorflow", "matplotlib", "jinja2", "yaml", "numpy"} & set(run.stdout.split())
