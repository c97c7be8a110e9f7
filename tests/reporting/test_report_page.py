"""The report page and its plots, read back as a browser and a person would."""

import html.parser
import json
import re

import pytest

from tfhf.errors import StorageError, UserError
from tfhf.reporting import write_card, write_report

KINDS = ("two", "many", "multi_label", "regression", "stopped")
HOSTILE = '<script>alert(1)</script> & "quotes" | `ticks`'


class Page(html.parser.HTMLParser):
    """What a browser would see of a page: its words, tags and the places it points to."""

    def __init__(self, text):
        super().__init__()
        self.words, self.tags, self.links, self.open = [], [], [], []
        self.feed(text)
        self.text = " ".join(" ".join(self.words).split()).replace("_ ", "_")

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.links += [v for k, v in attributes if k in ("src", "srcset", "href", "action")]
        if tag not in ("meta", "img", "source", "br", "wbr"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("style", "script"):
            self.words.append(data)


def page_of(run):
    return Page((run / "report.html").read_text("utf-8"))


def write(run, name, *rows):
    """Replaces a file of a run by rows of JSON."""
    (run / name).write_text("".join(json.dumps(row) + "\n" for row in rows))


def colours_of(path):
    """How many colours a PNG has."""
    from matplotlib.image import imread

    image = imread(path)
    assert image.shape[0] > 300 and image.shape[1] > 500
    return len({tuple(pixel) for pixel in image[::3, ::3].reshape(-1, image.shape[2]).tolist()})


DECISIONS = "precision_recall roc"


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (
            "two",
            f"calibration confusion errors_by_length learning_rate lengths loss metric {DECISIONS}",
        ),
        ("many", "calibration confusion errors_by_length label_f1 lengths precision_recall roc"),
        ("multi_label", "errors_by_length label_f1 lengths precision_recall roc"),
        ("regression", "lengths scatter"),
        ("stopped", "learning_rate lengths loss metric"),
    ],
)
def test_each_kind_of_run_gets_its_plots(runs, kind, names):
    folder = runs[kind]
    page = page_of(folder)
    plots = sorted((folder / "plots").iterdir())
    assert [plot.name for plot in plots] == [f"{name}.png" for name in names.split()]
    assert all(colours_of(plot) > 10 for plot in plots)
    images = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(images) == len(plots)
    assert all(len(image["alt"]) > 20 for image in images)


@pytest.mark.parametrize("kind", KINDS)
def test_page_is_whole_and_needs_nothing_else(runs, kind):
    page = page_of(runs[kind])
    assert page.open == []
    assert page.links
    assert all(link.startswith(("data:image/png;base64,", "#")) for link in page.links)
    targets = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    assert {link[1:] for link in page.links if link.startswith("#")} <= targets
    assert not any(tag in ("link", "iframe", "object") for tag, _ in page.tags)
    headings = [tag for tag, _ in page.tags if tag in ("h1", "h2")]
    assert headings == ["h1"] + ["h2"] * 8


def test_page_of_two_classes(runs):
    folder = runs["two"]
    page = page_of(folder)
    accuracy = json.loads((folder / "metrics.json").read_text())["test"]["accuracy"]
    for words in (
        "two Task text_classification Model minilm Data nyu-mll/glue sst2",
        "2025-11-22 04:11 UTC",
        f"{accuracy:.3f} test accuracy",
        "on 900 rows · 95% interval",
        "training rows 12,345",
        "parameters 22.7 M",
        "whole run 7 min 12 s",
        "real tokens 96.0%",
        "F1 (macro)",
        "Most confident mistakes",
        "truncated train 12,345 13 28 34 47 96 3.1%",
        "train.csv: 12 rows appear twice",
        "minilm: 101 of 103 weights loaded",
        "training 6 min 43 s 99.0%",
        "tensorflow 2.21.0",
        "batch_size: 32",
        f'tfhf predict {folder} "a text of yours"',
        f"tfhf export {folder}",
        f"tfhf evaluate {folder}",
    ):
        assert words in page.text
    assert "no test split" not in page.text


def test_page_of_many_classes_draws_the_most_confused(runs):
    page = page_of(runs["many"])
    assert "Drawn: the 15 most confused of 77 classes" in page.text
    assert "Most frequent confusions" in page.text
    assert page.text.count("_not_working") > 77


def test_page_of_several_labels_per_row(runs):
    page = page_of(runs["multi_label"])
    assert "validation f1_micro" not in page.text
    assert "0.580 validation F1 (micro)" in page.text
    assert "This run had no test split, so there are no test figures." in page.text
    assert re.search(r"0\.\d{3} \w+ (given|missed)", page.text)


def test_page_of_regression(runs):
    page = page_of(runs["regression"])
    assert "0.925 test Pearson correlation" in page.text
    assert "Largest errors" in page.text
    assert "text text pair expected predicted error" in page.text
    assert "This run predicts a number: there are no classes." in page.text


def test_page_of_a_stopped_run_says_so(runs):
    page = page_of(runs["stopped"])
    assert "This run has no final figures: it was stopped before its end" in page.text
    assert "The last logged step is 400." in page.text
    assert "log.jsonl: 1 unreadable line(s) left out" in page.text
    assert "validation, epoch 1" in page.text
    assert "No errors to look at" in page.text
    assert "tfhf predict" not in page.text


def test_texts_of_the_data_are_escaped(bare_run):
    run = bare_run("two")
    row = {"text": HOSTILE + "\ud800", "expected": "<b>", "label": "<i>", "score": 0.99}
    write(run, "predictions/test.jsonl", row)
    text = write_report(run).read_text("utf-8")
    assert HOSTILE + "?" in Page(text).text
    assert "<script>alert" not in text
    assert [tag for tag, _ in Page(text).tags if tag == "script"] == ["script"]
    assert "<i>" not in text and "&lt;i&gt;" in text


def test_access_tokens_are_removed(bare_run):
    run = bare_run("stopped")
    with (run / "recipe.yaml").open("a") as recipe:
        recipe.write("# hf_abcdefghijklmnopqrstuvwxyz\n")
    for path in (write_report(run), write_card(run)):
        text = path.read_text("utf-8")
        assert "hf_abc" not in text and "hf_(removed)" in text


def test_class_names_the_font_or_the_mathematics_lack(bare_run):
    run = bare_run("two")
    names = ["$100 to $200", "ありがとう"]
    rows = [{"text": "t", "expected": a, "label": b, "score": 0.8} for a in names for b in names]
    write(run, "predictions/test.jsonl", *rows)
    assert "ありがとう" in Page(write_report(run).read_text("utf-8")).text


@pytest.mark.parametrize("name", ["recipe.yaml", "metrics.json", "data.json", "environment.json"])
def test_a_broken_file_is_a_note(bare_run, name):
    run = bare_run("stopped")
    (run / name).write_text("[1, {")
    page = Page(write_report(run).read_text("utf-8"))
    assert f"{name} is not a readable" in page.text
    assert write_card(run).exists()


@pytest.mark.parametrize(
    "log",
    [
        "",
        '{"step": 1, "loss": NaN}\n',
        '{"step": 1, "loss": 0.7}\n',
        '{"validation": {"loss": null}}\n',
    ],
)
def test_almost_empty_runs_have_a_page_and_a_card(tmp_path, log):
    (tmp_path / "log.jsonl").write_text(log)
    page = Page(write_report(tmp_path).read_text("utf-8"))
    assert "Nothing about the data was recorded." in page.text
    assert "The run recorded no environment." in page.text
    assert "The run folder has no recipe." in page.text
    assert "The run has not finished" in write_card(tmp_path).read_text("utf-8")


def test_values_of_unexpected_types_do_not_stop_a_report(bare_run):
    run = bare_run("two")
    write(run, "data.json", {"splits": {"train": {"rows": None, "labels": [], "lengths": 3}}})
    write(run, "environment.json", {"started": "yesterday", "phases": {"training": None}})
    write(run, "metrics.json", {"validation": {"accuracy": None, "per_class": {"a": 1}}})
    write(run, "predictions/test.jsonl", {"expected": "a", "label": None})
    assert "yesterday" in Page(write_report(run).read_text("utf-8")).text
    assert write_card(run).exists()


def test_a_folder_without_a_run_is_the_users_mistake(tmp_path):
    for verb in (write_report, write_card):
        with pytest.raises(UserError) as error:
            verb(tmp_path)
        assert str(error.value) == (
            "no run in this folder: none of recipe.yaml, log.jsonl, metrics.json is there; "
            f"give the folder that `tfhf train` wrote, received {str(tmp_path)!r}"
        )


def test_a_page_that_cannot_be_written_is_a_storage_error(tmp_path):
    (tmp_path / "recipe.yaml").write_text("task: text_classification\n")
    (tmp_path / "report.html").mkdir()
    with pytest.raises(StorageError) as error:
        write_report(tmp_path)
    assert str(error.value) == (f"cannot write {tmp_path / 'report.html'}: Is a directory")
