"""The dry run: what it counts, estimates and shows, without TensorFlow unless it shall measure."""

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from tests.conftest import toy_rows
from tfhf import forecast, training
from tfhf.cli import main
from tfhf.recipe import Recipe


@pytest.fixture
def recipe(bare_bert_folder, tmp_path, monkeypatch):
    """The toy set with a checkpoint of zeros, in an empty working folder."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    data = tmp_path / "data"
    data.mkdir()
    for split, rows in (("train", toy_rows(64)), ("test", toy_rows(96)[64:])):
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (data / f"{split}.jsonl").write_text(lines)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return {
        "task": "text_classification",
        "model": str(bare_bert_folder),
        "data": {"train": str(data / "train.jsonl"), "test": str(data / "test.jsonl")},
        "options": {"max_length": 7},
        "train": {"epochs": 5, "batch_size": 8, "learning_rate": 0.01, "warmup_ratio": 0.25},
    }


def test_it_counts_and_writes_nothing(recipe, tmp_path):
    found = forecast.dry_run(recipe)
    assert (found["steps"], found["steps_per_epoch"]) == (40, 8)
    rows = {split: values["rows"] for split, values in found["splits"].items()}
    assert rows == {"train": 58, "validation": 6, "test": 32}
    assert found["columns"]["label"] == "ClassLabel(names=['negative', 'positive'])"
    assert found["parameters"] == 16 * (98 + 32 + 2)
    assert found["memory"]["weights"] == 4 * found["parameters"]
    assert found["memory"]["activations"] == 8 * 7 * (8 * 16 + 4 * 32 + 2.25 * 2 * 7) * 4
    frozen = forecast.dry_run(recipe, **{"train.freeze": ["bert"]})["memory"]
    assert (frozen["gradients"], frozen["moments"]) == (0, 0)
    assert frozen["weights"] == found["memory"]["weights"]
    assert not list((tmp_path / "work").iterdir())
    json.dumps(found)


def test_the_curve_is_that_of_the_schedule():
    settings = Recipe.load(
        {
            "task": "text_classification",
            "data": {"train": "a.csv"},
            "train": {"learning_rate": 0.1, "warmup_ratio": 0.25, "schedule": "linear"},
        }
    ).train
    points = forecast.curve(settings, 8)
    assert points["steps"] == [0, 1, 2, 3, 4, 5, 6, 7]
    expected = [0.0, 0.05, 0.1, 0.5 / 6, 0.4 / 6, 0.3 / 6, 0.2 / 6, 0.1 / 6]
    assert points["rates"] == pytest.approx(expected)
    assert forecast.curve(settings, 1)["rates"] == [0.1]
    schedule = {"name": "warmup_stable_decay", "decay_ratio": 0.5, "decay": "linear"}
    stable = settings.model_copy(update={"schedule": schedule | {"min_ratio": 0.2}})
    expected = [0.0, 0.05, 0.1, 0.1, 0.1, 0.08, 0.06, 0.04]
    assert forecast.curve(stable, 8)["rates"] == pytest.approx(expected)
    long = forecast.curve(settings, 1_000_001)
    assert len(long["steps"]) <= forecast.POINTS + 1 and 250_000 in long["steps"]
    assert max(long["rates"]) == 0.1


def test_rows_are_shown_as_the_model_reads_them(recipe):
    first, second, third = forecast.dry_run(recipe)["examples"]
    assert first["tokens"][0] == "[CLS]" and first["tokens"][-1] == "[SEP]"
    assert {one["column"] for one in (first, second, third)} == {"input_ids"}
    cut = next(one for one in (first, second, third) if one["full_length"] > 7)
    assert len(cut["tokens"]) == 7


def test_what_it_prints(recipe, tmp_path):
    import yaml

    (tmp_path / "toy.yaml").write_text(yaml.safe_dump(recipe))
    found = CliRunner().invoke(main, ["train", str(tmp_path / "toy.yaml"), "--dry-run"])
    assert found.exit_code == 0, found.output
    lines = [" ".join(line.split()) for line in found.stdout.splitlines()]
    assert "steps 40 (8 per epoch)" in lines
    assert "repeats 0 in train, too: 0" in lines
    assert "scripts Latin 100.0%" in lines
    assert any(line.startswith("as read [CLS] ") for line in lines)
    assert any(line.endswith(" [SEP] | cut: 7 of 8 tokens") for line in lines)
    (rate,) = [line for line in lines if line.startswith("rate ")]
    assert rate.split()[1].startswith("▁") and "█" in rate
    assert rate.endswith("0 at 1 0.01 at 11 0.00033 at 40")
    assert any(line.startswith("memory about 0.1 MiB: weights ") for line in lines)


def test_a_tokenizer_made_for_other_texts(recipe, tmp_path):
    rows = [{"text": f"кино {n}", "label": n % 2} for n in range(10, 30)]
    file = tmp_path / "data" / "train.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    notes = forecast.dry_run(recipe, **{"data.train": str(file), "options.max_length": 12})["notes"]
    assert [note for note in notes if note.startswith("model:")] == [
        "model: its tokenizer knows 20% of the tokens of data.train only as [UNK]; it was made for "
        "other texts, so take a model of their language"
    ]


def test_more_updates_than_fine_tuning_needs():
    settings = Recipe.load(
        {"task": "text_classification", "data": {"train": "a.csv"}, "train": {"epochs": 4}}
    ).train
    plan = SimpleNamespace(steps=25_000, lengths=range(10**6), batch_size=40)
    assert training.unusual_steps(settings, plan) == [
        "train: 100,000 updates are many for fine-tuning; --dry-run --measure says how long they "
        "take"
    ]
    plan.steps = 24_999
    assert training.unusual_steps(settings, plan) == []


def test_an_average_over_more_updates_than_there_are():
    settings = Recipe.load(
        {"task": "text_classification", "data": {"train": "a.csv"}, "train": {"ema": 0.999}}
    ).train
    plan = SimpleNamespace(steps=500, lengths=range(10**6), batch_size=40)
    assert training.unusual_steps(settings, plan) == [
        "train.ema: 0.999 averages over some 1,000 updates, but there are only 1,500, so the model "
        "stays near its start; lower it"
    ]
    plan.steps = 1000
    assert training.unusual_steps(settings, plan) == []


def test_measuring_belongs_to_a_dry_run():
    found = CliRunner().invoke(main, ["train", "quickstart", "--measure"])
    assert (found.exit_code, found.stdout) == (2, "")
    assert found.stderr == (
        "tfhf: train: --measure belongs to --dry-run; a training measures itself\n"
    )


def test_it_needs_no_tensorflow(recipe):
    code = (
        "import json, sys\n"
        "from tfhf import forecast\n"
        "found = forecast.dry_run(json.loads(sys.argv[1]))\n"
        "print(found['steps'], 'tensorflow' in sys.modules)\n"
    )
    command = [sys.executable, "-c", code, json.dumps(recipe)]
    found = subprocess.run(command, capture_output=True, text=True)
    assert found.stdout == "40 False\n", found.stderr


@pytest.mark.slow
def test_steps_are_measured(toy_recipe):
    measured = forecast.dry_run(toy_recipe, measured=True)["measured"]
    assert measured["steps"] == forecast.STEPS
    assert 0 < measured["seconds_per_step"] < measured["first_step"]
    assert measured["seconds_per_epoch"] == 8 * measured["seconds_per_step"]
    assert measured["memory"] >= 0
