"""Exporting: versions, what they are proven on, and what is never published."""

import json
import re
import shutil

import numpy as np
import pytest
import tensorflow as tf

from tfhf import exporting, prediction, tasks
from tfhf.errors import UserError
from tfhf.exports import graphs, saved_model
from tfhf.run import Run


@pytest.fixture(scope="module")
def model(toy_run):
    return prediction.load(toy_run, tasks.get("text_classification"))


@pytest.fixture(scope="module")
def run(toy_run, tmp_path_factory):
    """A copy of the run, to be exported again."""
    return Run(shutil.copytree(toy_run.folder, tmp_path_factory.mktemp("runs") / "toy"))


def test_a_run_gets_its_next_version(run, proven_here, capsys):
    path = exporting.export(run)
    assert path == run.exports / "2"
    assert [one.name for one in sorted(run.exports.iterdir()) if one.is_dir()] == ["1", "2"]
    assert "toy" in (path / "assets.extra" / "README.md").read_text()
    assert set(json.loads((run.exports / "export.json").read_text())) == {"1", "2"}
    assert (path / "assets" / "labels.txt").read_text() == "negative\npositive\n"
    about = json.loads((path / "assets.extra" / "task.json").read_text())
    assert about["task"] == "text_classification"
    assert about["config"]["id2label"] == {"0": "negative", "1": "positive"}
    line = capsys.readouterr().err
    assert "version 2, " in line and "16 of 16 rows answered alike in a fresh process" in line


def test_an_export_holds_the_model_and_nothing_of_its_training(toy_run, model):
    saved = graphs.read(toy_run.exports / "1")
    stored = tf.train.list_variables(str(toy_run.exports / "1" / "variables" / "variables"))
    sizes = [int(np.prod(shape)) for name, shape in stored if "VARIABLE_VALUE" in name]
    assert len(sizes) == len(model.backbone.variables)
    assert sum(sizes) == model.backbone.count_params()
    ops = {place.op for place in graphs.places(graphs.serving_graph(saved))}
    assert "BatchMatMulV2" in ops
    # Dropout, gradients and the optimizer's kernel.
    of_training = [op for op in ops if re.search("Random|Grad$|Adam|ApplyG", op)]
    assert of_training == []


def test_a_model_of_ones_own_names_folder_and_rows(model, tmp_path, proven_here):
    path = exporting.export(model, to=tmp_path / "served", rows=["a film", "dull"])
    assert path == tmp_path / "served" / "1"
    with pytest.raises(UserError) as caught:
        exporting.export(model, to=tmp_path / "served")
    assert str(caught.value) == "export: a model that is no run needs to=FOLDER and rows=[texts]"


def test_at_most_256_rows_are_compared(model, tmp_path, monkeypatch):
    compared = []

    def publish(model, folder, rows, expected, *, asked, about, card):
        compared.append((len(rows["text"]), len(expected), len(asked)))
        return {"path": str(folder)}

    monkeypatch.setattr(saved_model, "publish", publish)
    exporting.publish(tmp_path, model, ["dull"] * 300)
    assert compared == [(256, 256, 256)]


def test_what_is_no_run_cannot_be_exported(tmp_path):
    with pytest.raises(UserError) as caught:
        exporting.export(str(tmp_path / "none"))
    assert str(caught.value) == f"no such run: {tmp_path}/none"
