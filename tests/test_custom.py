"""A user's own code by `module:name`: what is imported, and each way in which it can be wrong."""

import sys
from types import SimpleNamespace

import pytest

from tfhf import custom, evaluation, tasks, training
from tfhf.errors import UserError
from tfhf.recipe import Recipe
from tfhf.tasks.text_classification import TextClassification

CODE = """
from tfhf.tasks.text_classification import TextClassification

class Loud(TextClassification):
    def line(self, row, answer):
        return super().line(row, answer).upper()

class Plain:
    def __init__(self, size=1):
        self.size = size

plain = Plain(3)

def rows(rows):
    return len(rows)

def words(rows):
    return "many"

def broken(rows):
    return rows[0]["labl"]
"""
MINIMAL = {"task": "text_classification", "data": {"train": "a.csv"}}


@pytest.fixture
def own_code(tmp_path, monkeypatch):
    """The working folder, with a module in it and two that cannot be imported."""
    (tmp_path / "own_code.py").write_text(CODE)
    (tmp_path / "own_fails.py").write_text("x = 1\ny = 1 / 0\n")
    (tmp_path / "own_lacks.py").write_text("import no_such_package\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("own_")]:
        del sys.modules[name]


def test_a_module_of_the_working_folder_comes_last(own_code):
    assert custom.load("own_code:plain", "key").size == 3
    assert sys.path[-1] == str(own_code)
    assert custom.load("os.path:join", "key")("a", "b") == "a/b"


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (
            "kappa",
            "key: your own code is named module:name, such as my_metrics:kappa; received 'kappa'",
        ),
        (
            "a/b.py:kappa",
            "key: your own code is named module:name, such as my_metrics:kappa; received "
            "'a/b.py:kappa'",
        ),
        (
            None,
            "key: your own code is named module:name, such as my_metrics:kappa; received None",
        ),
        ("own_code:plian", "key: the module own_code has no 'plian'; did you mean 'plain'?"),
        (
            "own_fails:x",
            "key: own_fails cannot be imported: ZeroDivisionError: division by zero "
            "(own_fails.py:2)",
        ),
        (
            "own_lacks:x",
            "key: own_lacks cannot be imported: No module named 'no_such_package'",
        ),
    ],
)
def test_a_mistake_is_one_line(place, line, own_code):
    with pytest.raises(UserError) as caught:
        custom.load(place, "key")
    assert str(caught.value) == line


def test_a_module_that_is_not_there(own_code):
    with pytest.raises(UserError) as caught:
        custom.load("own_cod:plain", "train.metrics")
    assert str(caught.value) == (
        f"train.metrics: there is no module own_cod in this environment or in {own_code}; "
        "received 'own_cod:plain'"
    )


def test_objects_are_made_of_classes_of_their_kind(own_code):
    kind = custom.load("own_code:Plain", "key")
    assert custom.make({"name": "own_code:Plain", "size": 2}, kind, "key").size == 2
    assert custom.make({"name": "own_code:plain"}, kind, "key").size == 3
    with pytest.raises(UserError) as caught:
        custom.make({"name": "own_code:Loud"}, kind, "key")
    assert str(caught.value) == "key: own_code:Loud must be a class derived from own_code's Plain"
    with pytest.raises(UserError) as caught:
        custom.make({"name": "own_code:Plain", "sise": 2}, kind, "key")
    assert str(caught.value).startswith("key: own_code:Plain does not take these arguments: ")


def test_a_task_of_ones_own(own_code):
    recipe = Recipe.load(MINIMAL | {"task": "own_code:Loud"})
    kind = tasks.get(recipe.task)
    assert issubclass(kind, TextClassification) and recipe.options["max_length"] == 128
    assert kind.name() == "own_code:Loud"
    assert TextClassification.name() == "text_classification"
    with pytest.raises(UserError) as caught:
        tasks.get("own_code:Plain")
    assert str(caught.value) == "task: own_code:Plain must be a class derived from tfhf.tasks.Task"


def test_a_recipe_checks_how_code_is_named_and_imports_none(own_code):
    settings = {"metrics": ["own_fails:x"], "callbacks": ["own_fails:y"], "loss": "own_fails:z"}
    train = Recipe.load(MINIMAL | {"train": settings}).train
    assert train.callbacks == [{"name": "own_fails:y"}]
    for key, value in (("metrics", ["f1"]), ("callbacks", [{"patience": 2}]), ("loss", "mse")):
        with pytest.raises(UserError, match=f"^recipe: train.{key}: your own code is named"):
            Recipe.load(MINIMAL | {"train": {key: value}})
    assert "own_fails" not in sys.modules


def test_metrics_see_the_rows_of_the_predictions_file(own_code):
    task = SimpleNamespace(
        score=lambda rows, results: {"accuracy": 0.5},
        records=lambda rows, results: ({"expected": "a", "label": one} for one in results),
    )
    found = evaluation.figures(task, None, ["a", "b"], ["own_code:rows"])
    assert found == {"accuracy": 0.5, "rows": 2.0}
    with pytest.raises(UserError) as caught:
        evaluation.figures(task, None, ["a"], ["own_code:words"])
    assert str(caught.value) == ("train.metrics: own_code:words must give a number; it gave 'many'")
    with pytest.raises(UserError) as caught:
        evaluation.figures(task, None, ["a"], ["own_code:broken"])
    assert str(caught.value) == (
        "train.metrics: own_code:broken failed: KeyError: 'labl'; it is called with a list of "
        "rows, as they stand in predictions/validation.jsonl"
    )


def test_a_metric_of_ones_own_can_be_monitored(own_code):
    settings = SimpleNamespace(metrics=["own_code:rows"], monitor="rows")
    task = SimpleNamespace(metric_names=("accuracy",), monitor="accuracy")
    assert training.monitor_of(settings, task) == "rows"
    settings.monitor = None
    assert training.monitor_of(settings, task) == "accuracy"
    task.metric_names = ("rows",)
    with pytest.raises(UserError) as caught:
        training.monitor_of(settings, task)
    assert str(caught.value) == (
        "train.metrics: there is a metric 'rows' already; rename own_code:rows"
    )
