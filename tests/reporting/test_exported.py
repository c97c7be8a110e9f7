"""The page's section about exports."""

import json

from tests.reporting.test_report_page import Page
from tfhf.reporting import write_report

FACTS = {
    "rows": 256,
    "different": 1,
    "max_difference": 3.1e-7,
    "loads_from": "2.18",
    "size_bytes": 93_500_000,
    "latency": {
        "1": {"p50_ms": 8.39, "p99_ms": 12.3, "calls": 200},
        "64": {"p50_ms": 463.9, "p99_ms": 570.8, "calls": 5},
    },
}


LITE = {
    "monitor": "accuracy",
    "model": {"size_bytes": 90_855_944, "p50_ms": 23.683, "metrics": {"accuracy": 0.7546}},
    "file": {
        "size_bytes": 23_211_512,
        "p50_ms": 3.99,
        "metrics": {"accuracy": 0.758},
        "difference": 0.0332,
    },
}


def page_with(run, content, name="export.json"):
    path = run / "export" / "name" / name
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(content)
    return Page(write_report(run).read_text("utf-8"))


def test_versions_and_how_long_they_take(bare_run):
    page = page_with(bare_run("two"), json.dumps({"2": FACTS, "10": FACTS | {"rows": 7}}))
    assert page.open == []
    assert "#export" in page.links
    assert "10 93.5 MB 7 1 3.1e-07 2.18 2 93.5 MB 256 1 3.1e-07 2.18" in page.text
    assert "How long version 10 takes to answer" in page.text
    assert "1 8.4 12.3 64 463.9 570.8" in page.text


def test_records_that_hold_anything(bare_run):
    run = bare_run("two")
    assert "Export" not in page_with(run, "[1, {").text.split("Environment")[0]
    page = page_with(run, '{"<b>": 3, "1": {"latency": {"8": null}, "rows": "many"}}')
    assert page.open == []
    assert "<b> – – – – –" in page.text
    assert "8 – –" in page.text


def test_lite_files_beside_the_model(bare_run):
    run = bare_run("two")
    page = page_with(run, json.dumps(LITE), "lite/int8/lite.json")
    assert page.open == []
    assert "#export" in page.links
    assert "SavedModels for TensorFlow Serving" not in page.text
    assert "weights accuracy size milliseconds difference" in page.text
    assert "int8 0.7580 (0.7546) 23.2 MB (90.9) 4.0 (23.7) 3.3e-02" in page.text
    page = page_with(run, '{"file": {"metrics": null, "p50_ms": "<b>"}}', "lite/<b>/lite.json")
    assert page.open == []
    assert "<b> – (–) – MB (–) – (–) –" in page.text
