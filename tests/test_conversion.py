"""LiteRT files: they answer as the model, and what they cost and save is measured and told."""

import json
import shutil
import sys

import numpy as np
import pytest
import tf_keras
from click.testing import CliRunner

from tests import toys
from tfhf import conversion, pieces, prediction, preparation
from tfhf.cli import main
from tfhf.console import Phases
from tfhf.errors import UserError
from tfhf.exports import lite
from tfhf.recipe import Recipe
from tfhf.run import Run

pytest.importorskip("ai_edge_litert")


@pytest.fixture(scope="module")
def run(toy_run, tmp_path_factory):
    """A copy of the run, to be converted."""
    return Run(shutil.copytree(toy_run.folder, tmp_path_factory.mktemp("runs") / "toy"))


@pytest.fixture(scope="module")
def converted(run):
    """Paths of the run's files, narrowest weights last."""
    return conversion.convert(str(run.folder), ["float16", "int8", "int8"])


def log_odds(path, texts):
    """What a file says of texts, with nothing of tfhf: the tokenizer and LiteRT's interpreter."""
    from ai_edge_litert.interpreter import Interpreter
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(path.parent)
    run = Interpreter(model_path=str(path)).get_signature_runner("tokens")
    tokens = tokenizer(texts, padding=True, return_tensors="np")
    logits = run(**{name: ids.astype(np.int32) for name, ids in tokens.items()})["logits"]
    return logits[:, 1] - logits[:, 0]


def test_a_file_answers_as_the_model(run, converted):
    assert converted == [run.exports / "lite" / one / "model.tflite" for one in ("float16", "int8")]
    texts = ["a lovely film", "dull", "a cold and tired story, number 7."]
    shares = [answer["probabilities"] for answer in prediction.predict(run, texts)]
    expected = [np.log(share["positive"] / share["negative"]) for share in shares]
    # Log-odds are differences: near 0 they have the error of the logits, not their own.
    for path, (rtol, atol) in zip(converted, ((2e-3, 5e-4), (5e-2, 0)), strict=True):
        np.testing.assert_allclose(log_odds(path, texts), expected, rtol=rtol, atol=atol)


def test_what_is_known_of_a_file(run, converted):
    about = json.loads((converted[1].parent / "lite.json").read_text("utf-8"))
    any_length = {"type": "int32", "shape": [None, None]}
    tokens = ("input_ids", "attention_mask", "token_type_ids")
    assert about["inputs"] == dict.fromkeys(tokens, any_length)
    assert about["outputs"] == {"logits": {"type": "float32", "shape": [None, 2]}}
    assert about["fills"] == dict.fromkeys(tokens, 0)
    assert (about["task"], about["precision"]) == ("text_classification", "int8")
    assert (about["signature"], about["labels"]) == ("tokens", ["negative", "positive"])
    assert about["settings"]["max_length"] == 24
    model, file = about["model"], about["file"]
    assert set(file) - set(model) == {"difference"}
    assert file["size_bytes"] == converted[1].stat().st_size
    assert 1e-4 < file["difference"] < 0.05
    known = run.metrics["validation"]
    assert about["monitor"] == "accuracy"
    assert model["metrics"] == pytest.approx({name: known[name] for name in model["metrics"]})
    assert file["metrics"]["loss"] == pytest.approx(known["loss"], abs=0.02)


def test_what_was_measured_is_told(run, capsys):
    paths = conversion.convert(run, ["float32"])
    assert paths == [run.exports / "lite" / "float32" / "model.tflite"]
    *_, head, model, file = capsys.readouterr().err.splitlines()
    assert head.split() == ["accuracy", "size", "one", "row", "difference"]
    accuracy = f"{run.metrics['validation']['accuracy']:.4f}"
    assert model.split()[:2] == ["model", accuracy] and model.endswith(" –")
    assert file.split()[:2] == ["float32", accuracy] and float(file.split()[-1]) < 1e-5
    assert "LiteRT" in (run.folder / "report.html").read_text("utf-8")


def test_the_command_prints_the_files(run, tmp_path):
    command = ["export", str(run.folder), "--lite", "float16", "--to", str(tmp_path / "phone")]
    found = CliRunner().invoke(main, command)
    assert found.exit_code == 0, found.output
    assert found.stdout == f"{tmp_path}/phone/float16/model.tflite\n"
    assert (tmp_path / "phone" / "float16" / "model.tflite").is_file()


# === Every task ===


def examined(task, rows, precision, tiny_bert_folder, folder, **options):
    """What `examine` makes of an untrained toy model: its file, and what was measured."""
    toy = toys.of(task)
    (folder / "checkpoint").mkdir()
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    source = str(folder / "rows.jsonl")
    recipe = {
        "task": task,
        "model": str(toy.model(tiny_bert_folder, folder / "checkpoint")),
        "data": {"train": source, "validation": source},
        "options": {name.removeprefix("options."): v for name, v in toy.OPTIONS.items()} | options,
    }
    prepared = preparation.prepare(Recipe.load(recipe), Phases())
    tf_keras.utils.set_random_seed(0)  # of the new head
    model = pieces.trained(prepared.source, prepared.task)
    rows = prepared.splits["validation"]
    files, measured = conversion.examine(model, rows, (precision,), 8, Phases())
    return files[precision], measured["model"], measured[precision]


# Changed options, the file's precision, names of what it takes and gives, and a metric to compare.
TOKENS = {"input_ids", "attention_mask", "token_type_ids"}
TASKS = {
    "token_classification": ({}, "int8", TOKENS, {"logits", "input_ids"}, "loss"),
    "question_answering": ({}, "int8", TOKENS, {"start_logits", "end_logits"}, "loss"),
    "image_classification": ({}, "float16", {"pixels"}, {"logits"}, "loss"),
    "embedding": (
        {"loss": "cosent"},
        "int8",
        TOKENS,
        {"embedding", "last_hidden_state", "tokens"},
        "pearson",
    ),
    "multiple_choice": ({}, "float16", {*TOKENS, "choice_length"}, {"logits"}, "loss"),
    "zero_shot_classification": (
        {"max_length": 32, "candidate_labels": "good, bad"},
        "int8",
        TOKENS,
        {"logits"},
        "loss",
    ),
}
SLOW = ("multiple_choice", "zero_shot_classification")


@pytest.mark.parametrize(
    "task", [pytest.param(t, marks=pytest.mark.slow if t in SLOW else []) for t in TASKS]
)
def test_a_model_of_every_task(task, tiny_bert_folder, tmp_path):
    options, precision, takes, gives, metric = TASKS[task]
    rows = toys.of(task).scored() if task == "embedding" else toys.of(task).rows()
    file, model, measured = examined(task, rows, precision, tiny_bert_folder, tmp_path, **options)
    assert (file.inputs.keys(), file.outputs.keys(), file.length) == (takes, gives, None)
    assert 0 < measured["difference"] < {"float16": 1e-3, "int8": 0.05}[precision]
    expected = model["metrics"][metric]
    assert measured["metrics"][metric] == pytest.approx(expected, rel=0.02, abs=0.02)


@pytest.mark.slow
def test_towers_with_several_texts_are_measured(tiny_bert_folder, tmp_path):
    rows = toys.of("embedding").anchored()
    _, model, file = examined("embedding", rows, "float16", tiny_bert_folder, tmp_path)
    assert file["metrics"]["loss"] == pytest.approx(model["metrics"]["loss"], rel=1e-3)


@pytest.mark.slow
def test_what_predictions_do_not_read_is_not_measured(tiny_bert_folder, tmp_path):
    rows = toys.of("masked_lm").rows()
    file, model, measured = examined(
        "masked_lm", rows, "float16", tiny_bert_folder, tmp_path, whole_word=True
    )
    assert file.inputs.keys() <= TOKENS
    assert model["metrics"] is None and measured["metrics"] is None
    assert 0 < measured["difference"] < 1e-3
    assert file.outputs.keys() == {"logits"}


# === What is refused ===


def refused(*arguments, **keywords):
    with pytest.raises(UserError) as caught:
        conversion.convert(*arguments, **keywords)
    return str(caught.value)


def test_an_unknown_precision(run):
    assert refused(run, ["int8", "int4"]) == (
        "--lite: must be float32, float16 or int8; received 'int4'"
    )


def test_a_missing_interpreter(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    assert refused(run, ["int8"]) == ("--lite needs LiteRT's interpreter: pip install 'tfhf[lite]'")


@pytest.mark.parametrize("task", ["causal_lm", "summarization", "text2text", "translation"])
def test_a_task_that_writes(run, task, tmp_path):
    folder = shutil.copytree(run.folder, tmp_path / "run", ignore=shutil.ignore_patterns("export"))
    recipe = run.recipe.model_copy(update={"task": task, "options": {}})
    (folder / "recipe.yaml").write_text(recipe.to_yaml(), encoding="utf-8")
    assert refused(folder, ["int8"]) == (
        f"--lite: {task} writes token by token, which one run of a LiteRT file cannot; export a "
        "SavedModel"
    )


def test_answers_too_far_from_the_models(run, tmp_path, monkeypatch):
    monkeypatch.setitem(lite.BOUNDS, "int8", 1e-6)
    line = refused(run, ["float32", "int8"], to=tmp_path)
    assert line.startswith("--lite int8: answers differ from the trained model's by ")
    assert line.endswith(
        " of their size, more than 1e-06; nothing was written, try another precision"
    )
    assert not list(tmp_path.iterdir())
