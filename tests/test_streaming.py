"""Training on a stream: as on an ordinary set, told where it differs, refused where impossible."""

import json
import shutil
import signal
import subprocess
import sys
from dataclasses import asdict

import numpy as np
import pytest

from tests import toys
from tests.conftest import toy_rows
from tfhf import evaluation, exporting, forecast, pieces, preparation, training
from tfhf.console import Phases
from tfhf.data.streaming import Position
from tfhf.errors import UserError
from tfhf.recipe import Recipe

LEFT_OUT = (
    "data.train: streamed, mixed in windows of {:,} rows; not looked for: repeated rows, rows of "
    "validation or test in train, texts with different labels, the balance of the labels"
)


@pytest.fixture
def files(tmp_path):
    """Three files of 64, 7 and 29 rows, and one of 16 for validation."""
    rows = toy_rows(116)
    cuts = {"a": rows[:64], "b": rows[64:71], "c": rows[71:100], "validation": rows[100:]}
    for name, part in cuts.items():
        lines = "".join(json.dumps(row) + "\n" for row in part)
        (tmp_path / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    return tmp_path


@pytest.fixture
def recipe(files, bare_bert_folder):
    """recipe(data, train, **others) → a recipe of the three files, streamed."""

    def recipe(data=None, train=None, **others):
        source = {
            "train": [str(files / f"{name}.jsonl") for name in "abc"],
            "validation": str(files / "validation.jsonl"),
            "labels": ["negative", "positive"],
            "streaming": True,
            "rows": 100,
        }
        values = {
            "task": "text_classification",
            "model": str(bare_bert_folder),
            "data": source | (data or {}),
            "options": {"max_length": 24},
            "train": {"batch_size": 8, "epochs": 2} | (train or {}),
        } | others
        for section in ("data", "train"):
            values[section] = {k: v for k, v in values[section].items() if v is not None}
        return values

    return recipe


def planned(recipe, folder):
    """What a training plans of a recipe: the rows, the store of what was tokenized, the plan."""
    checked = Recipe.load(recipe)
    prepared = preparation.prepare(checked, Phases())
    store = preparation.tokenize(prepared, folder, Phases())["train"]
    return prepared, store, training.plan_batches(checked.train, prepared, store)


def plan_of(recipe, folder):
    return planned(recipe, folder)[2]


def batches(plan, count, start=None):
    """Some batches of a stream, as `arrays` gives them."""
    return arrays(plan.dataset(start).take(count))


def arrays(dataset):
    """Batches as NumPy arrays by name."""
    found = []
    for inputs, targets, weights in dataset:
        batch = {name: value.numpy() for name, value in inputs.items()}
        targets = targets if isinstance(targets, dict) else {"": targets}
        batch |= {f"target {name}": value.numpy() for name, value in targets.items()}
        found.append(batch | {"weights": weights.numpy()})
    return found


def assert_same(found, expected):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert list(one) == list(other)
        for name, values in one.items():
            np.testing.assert_array_equal(values, other[name], err_msg=name, strict=True)


def test_every_row_once_an_epoch(recipe, tmp_path):
    plan = plan_of(recipe({"shuffle_window": 30}), tmp_path / "tokens")
    assert (plan.steps, plan.stream.window) == (13, 32)
    found = batches(plan, 2 * plan.steps)
    for epoch in range(2):
        part = found[epoch * plan.steps : (epoch + 1) * plan.steps]
        features = np.concatenate([batch["feature"] for batch in part])
        assert sorted(features[features >= 0]) == list(range(100))
        weights = np.concatenate([batch["weights"] for batch in part])
        assert ((features >= 0) == (weights == 1)).all()
    shares = [share for share, _ in zip(plan.shares(0), range(26), strict=False)]
    assert [real for real, _ in shares] == [
        int((batch["attention_mask"] * batch["weights"][:, None]).sum()) for batch in found
    ]
    assert [fed for _, fed in shares] == [batch["input_ids"].size for batch in found]


@pytest.mark.parametrize(
    "changed",
    [
        {"train": {"batch_size": None, "batch_tokens": 100, "steps_per_epoch": 5}},
        {"train": {"accumulate": 2}, "data": {"rows": 90}},
        {
            "task": "masked_lm",
            "data": {"labels": None, "rows": None},
            "train": {"steps_per_epoch": 5},
        },
    ],
    ids=["tokens", "rows", "masks"],
)
def test_it_goes_on_where_it_was_stopped(changed, recipe, tmp_path):
    """Batch for batch and bit for bit, drawn masks included, in the first epoch and the second."""
    changed = {"data": {}} | changed
    changed["data"] = {"shuffle_window": 16} | changed["data"]
    plan = plan_of(recipe(**changed), tmp_path / "tokens")
    whole = batches(plan, 30)
    for stopped in (3, 17):
        batches(plan, stopped)
        saved = json.dumps(asdict(plan.position(stopped)))
        another = plan_of(recipe(**changed), tmp_path / f"tokens-{stopped}")
        start = Position(**json.loads(saved))
        assert_same(batches(another, 30 - stopped, start), whole[stopped:])


def logged(run):
    """The rows of log.jsonl without their times."""
    text = (run.folder / "log.jsonl").read_text(encoding="utf-8")
    kept = ("step", "epoch", "loss", "learning_rate", "real_tokens", "validation")
    rows = map(json.loads, text.splitlines())
    return [{name: row[name] for name in kept if name in row} for row in rows]


def test_it_trains_as_an_ordinary_set_does(toy_run, toy_recipe, tmp_path, monkeypatch, capsys):
    """One file, one window, dropout: the same losses and metrics to the last bit."""
    monkeypatch.setattr(exporting, "obstacles", lambda task: ["not here"])
    rows = "".join(json.dumps(row) + "\n" for row in toy_rows(96)[:64])
    (tmp_path / "train.jsonl").write_text(rows, encoding="utf-8")
    data = toy_recipe["data"] | {"train": str(tmp_path / "train.jsonl"), "streaming": True}
    data |= {"rows": 64, "labels": ["negative", "positive"]}
    run = training.train(toy_recipe | {"data": data}, out=tmp_path / "run")
    assert logged(run) == logged(toy_run)
    assert run.metrics == toy_run.metrics
    facts = json.loads((run.folder / "data.json").read_text())
    train = facts["splits"]["train"]
    assert (train["rows"], train["streamed"], train["window"]) == (64, True, 10_000)
    assert train["first"]["rows"] == 64
    told = LEFT_OUT.format(10_000)
    assert told in facts["notes"] and f"note: {told}" in capsys.readouterr().err
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    assert told in page
    assert "train, streamed" in page and "train, its first rows" in page
    assert evaluation.evaluate(run)["accuracy"] == run.metrics["test"]["accuracy"]
    with pytest.raises(UserError) as caught:
        evaluation.evaluate(run, split="train")
    assert str(caught.value) == (
        "--split: train is streamed and has no end to measure; name another split"
    )


def test_a_row_damaged_in_the_middle_ends_the_training_in_its_line(
    toy_recipe, files, tmp_path, monkeypatch
):
    lines = (files / "a.jsonl").read_text().splitlines()
    lines[50] = '{"text": "dull", "label": "neutral"}'
    (files / "a.jsonl").write_text("\n".join(lines) + "\n")
    data = {
        "train": str(files / "a.jsonl"),
        "validation": str(files / "validation.jsonl"),
        "labels": ["negative", "positive"],
    }
    data |= {"streaming": True, "shuffle_window": 16, "rows": 64}
    with pytest.raises(UserError) as caught:
        training.train(toy_recipe | {"data": data}, out=tmp_path / "run")
    assert str(caught.value) == (
        f"{files}/a.jsonl:51: unknown label 'neutral'; the labels are ['negative', 'positive']"
    )


def test_a_dry_run_tells_what_it_can(recipe):
    wanted = recipe({"rows": None, "shuffle_window": 24}, {"steps_per_epoch": 40})
    found = forecast.dry_run(wanted)
    assert (found["steps"], found["steps_per_epoch"]) == (80, 40)
    lines = forecast.lines(found)
    place = lines.index("train       unknown rows, streamed in windows of 24")
    assert lines[place + 1] == "  the first 24 rows"
    assert lines[-2 if lines[-1].startswith("note        no export") else -1] == (
        f"note        {LEFT_OUT.format(24)}"
    )


MISSING = "train.steps_per_epoch is missing, and "
SAYS = "; it says after how many updates the model is validated"


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        (
            {"data": {"rows": None}},
            f"{MISSING}nobody has said how many rows data.train streams: set it, or data.rows"
            + SAYS,
        ),
        (
            {"train": {"batch_size": None, "batch_tokens": 100}},
            f"{MISSING}batches of a number of tokens hold as many rows as fit: set it{SAYS}",
        ),
        (
            {"data": {"on_empty": "drop"}},
            f"{MISSING}rows may be left out (data.on_unlabeled, data.on_empty): set it{SAYS}",
        ),
        (
            {"task": "masked_lm", "data": {"labels": None}},
            f"{MISSING}a row of masked_lm may give several examples: set it{SAYS}",
        ),
        (
            {"train": {"batch_size": None, "batch_tokens": 23, "steps_per_epoch": 5}},
            "train.batch_tokens: must be 24 or more, the longest example that options.max_length "
            "allows, because a stream may hold one; received 23",
        ),
    ],
)
def test_what_nobody_can_know_is_asked_for(changed, line, recipe, tmp_path):
    with pytest.raises(UserError) as caught:
        plan_of(recipe(**changed), tmp_path / "tokens")
    assert str(caught.value) == line


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        (
            {"data": {"shuffle_window": 0}},
            "recipe: data.shuffle_window: input should be greater than 0; received 0",
        ),
        (
            {"data": {"limit": {"train": 5}}},
            "recipe: data.limit.train: a stream is not drawn from; data.rows: N reads the first N "
            "rows; received 5",
        ),
        (
            {"data": {"field": "rows"}},
            "recipe: data.field: of a stream every line is a row; leave it out; received 'rows'",
        ),
        (
            {"train": {"shapes": 3}},
            "recipe: train.shapes: they are chosen from the lengths of all rows; leave it out; "
            "received 3",
        ),
        (
            {"train": {"jit_compile": True}},
            "recipe: train.jit_compile: each length would be compiled, and a stream has any; leave "
            "it out; received True",
        ),
        (
            {"options": {"class_weights": "balanced"}},
            "recipe: options.class_weights: it counts the labels of all rows; give the weights: "
            "{label: weight}; received 'balanced'",
        ),
        (
            {"data": {"streaming": None}},
            "recipe: data.rows: is for streams; set data.streaming: true, or leave it out; "
            "received 100",
        ),
    ],
)
def test_keys_that_go_together(changed, line, recipe):
    with pytest.raises(UserError) as caught:
        Recipe.load(recipe(**changed))
    assert str(caught.value) == line


KILLED = """
import hashlib, json, os, signal, sys
from dataclasses import asdict
from pathlib import Path

import tensorflow as tf
from tfhf import preparation, training
from tfhf.console import Phases
from tfhf.data.streaming import Position
from tfhf.recipe import Recipe

def started(recipe, folder):
    checked = Recipe.load(recipe)
    prepared = preparation.prepare(checked, Phases())
    store = preparation.tokenize(prepared, folder, Phases())["train"]
    plan = training.plan_batches(checked.train, prepared, store)
    strategy = tf.distribute.get_strategy()
    model, _ = training.load_compiled(checked.train, prepared, plan.steps, strategy)
    model.optimizer.build(model.trainable_variables)
    return plan, model, tf.train.Checkpoint(model=model, optimizer=model.optimizer)

def digest(model):
    variables = [*model.weights, *model.optimizer.variables]
    return hashlib.sha256(b"".join(one.numpy().tobytes() for one in variables)).hexdigest()

recipe, folder, phase = json.loads(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
plan, model, checkpoint = started(recipe, folder / f"tokens-{phase}")
if phase == "before":
    batches = iter(plan.dataset())
    for number in range(1, 20):
        model.train_on_batch(*next(batches))
        if number == 17:
            checkpoint.write(str(folder / "checkpoint"))
            (folder / "position.json").write_text(json.dumps(asdict(plan.position(17))))
    os.kill(os.getpid(), signal.SIGKILL)
checkpoint.read(str(folder / "checkpoint")).assert_existing_objects_matched()
position = Position(**json.loads((folder / "position.json").read_text()))
for batch in plan.dataset(position).take(8):
    model.train_on_batch(*batch)
plan, whole, _ = started(recipe, folder / "tokens-whole")
for batch in plan.dataset().take(25):
    whole.train_on_batch(*batch)
print(json.dumps([digest(model), digest(whole)]))
"""


@pytest.mark.slow
def test_a_killed_training_ends_with_the_weights_of_an_uninterrupted_one(
    recipe, tiny_bert_folder, tmp_path
):
    """Killed in the second epoch, two updates after its checkpoint; dropout is off."""
    model = shutil.copytree(tiny_bert_folder, tmp_path / "model")
    config = json.loads((model / "config.json").read_text())
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (model / "config.json").write_text(json.dumps(config))
    wanted = json.dumps(recipe({"shuffle_window": 16}, model=str(model)))
    runs = [
        subprocess.run(
            [sys.executable, "-c", KILLED, wanted, str(tmp_path), phase],
            capture_output=True,
            text=True,
        )
        for phase in ("before", "after")
    ]
    assert runs[0].returncode == -signal.SIGKILL, runs[0].stderr
    assert runs[1].returncode == 0, runs[1].stderr
    resumed, whole = json.loads(runs[1].stdout)
    assert resumed == whole


NAMED = ("token_classification", "image_classification")  # their classes must be named


@pytest.mark.parametrize(
    "task",
    [
        "token_classification",
        "question_answering",
        "embedding",
        "multiple_choice",
        pytest.param("causal_lm", marks=pytest.mark.slow),
        pytest.param("text2text", marks=pytest.mark.slow),
        pytest.param("image_classification", marks=pytest.mark.slow),
    ],
)
def test_every_task_is_fed_as_from_an_ordinary_set(task, bare_bert_folder, tmp_path):
    toy = toys.of(task)
    rows = toy.anchored() if task == "embedding" else toy.rows(None)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "rows.jsonl").write_text(text, encoding="utf-8")
    file = str(tmp_path / "rows.jsonl")
    data = {"train": file, "validation": file}
    for role in {"tags", "label"} & set(rows[0]) if task in NAMED else ():
        values = [row[role] if isinstance(row[role], list) else [row[role]] for row in rows]
        data["labels"] = sorted({name for value in values for name in value})
    ordinary = {
        "task": task,
        "model": str(toy.model(bare_bert_folder, tmp_path / "model")),
        "data": data,
        "train": {"batch_size": 4},
        "options": {key.removeprefix("options."): value for key, value in toy.OPTIONS.items()},
    }
    streamed = ordinary | {
        "data": data | {"streaming": True},
        "train": {"batch_size": 4, "steps_per_epoch": 5},
    }
    fed = []
    for name, wanted in (("ordinary", ordinary), ("streamed", streamed)):
        prepared, store, plan = planned(wanted, tmp_path / name)
        if wanted["model"] != str(bare_bert_folder):
            pieces.trained(prepared.source, prepared.task)  # which may set up the task
        fed.append(arrays(training.fed(prepared, store, plan, 1).take(5)))
    assert_same(*fed)
