"""The model card: what the Hub reads and what a person reads."""

import ast
import json
import re

import pytest
import yaml


def card_of(run):
    """(front matter, body) of a model card."""
    _, front, body = (run / "README.md").read_text("utf-8").split("---\n", 2)
    return yaml.safe_load(front), body


def test_card_of_two_classes(runs):
    run = runs["two"]
    front, body = card_of(run)
    test = json.loads((run / "metrics.json").read_text())["test"]
    assert front["library_name"] == "transformers"
    assert front["tags"] == ["tfhf", "tensorflow"]
    assert front["pipeline_tag"] == "text-classification"
    assert front["base_model"] == "sentence-transformers/all-MiniLM-L6-v2"
    assert front["datasets"] == ["nyu-mll/glue"]
    assert front["metrics"] == ["accuracy", "f1"]
    assert "license" not in front
    result = front["model-index"][0]["results"][1]
    assert result["dataset"] == {
        "type": "nyu-mll/glue",
        "name": "nyu-mll/glue sst2",
        "split": "test",
    }
    assert result["metrics"][0] == {
        "type": "accuracy",
        "name": "accuracy",
        "value": round(test["accuracy"], 4),
    }
    assert f"**Accuracy on the test split: {test['accuracy']:.3f}**" in body
    assert "| metric | validation | test |" in body
    assert "12,345 training rows, epochs 3, batch size 32" in body
    assert "3.1% of the training rows are longer than 64 tokens" in body
    assert "- Weakest class on the test split: " in body
    assert "from transformers import AutoTokenizer, AutoModelForSequenceClassification" in body
    assert r"\<script\>" in body and "- Data: row 7 reads <script>" not in body


def test_card_of_files_and_of_a_stopped_run(runs):
    front, body = card_of(runs["multi_label"])
    assert "datasets" not in front
    assert front["model-index"][0]["results"][0]["dataset"]["type"] == "csv"
    assert "There was no test split." in body
    front, body = card_of(runs["stopped"])
    assert "model-index" not in front
    assert "None: the run was stopped before its end." in body


def test_card_of_a_head_that_pytorch_does_not_have(runs, tmp_path):
    import shutil

    from tfhf.reporting import write_card

    run = shutil.copytree(runs["two"], tmp_path / "run")
    path = run / "model" / "config.json"
    path.parent.mkdir(exist_ok=True)
    config = {"model_type": "pegasus", "architectures": ["PegasusForSequenceClassification"]}
    path.write_text(json.dumps(config))
    write_card(run)
    _, body = card_of(run)
    assert "PyTorch's transformers has no such head for this family." in body
    assert "PyTorch opens the same weights" not in body


@pytest.mark.parametrize("kind", ["two", "multi_label", "regression", "stopped"])
def test_code_of_the_card_is_python(runs, kind):
    _, body = card_of(runs[kind])
    blocks = re.findall(r"```python\n(.*?)```", body, re.DOTALL)
    assert len(blocks) == 2
    assert "tfhf.pipeline(" in blocks[0] and "from_pretrained(" in blocks[1]
    for block in blocks:
        ast.parse(block)
