"""Recipes: defaults, overrides, and every mistake in one line."""

import subprocess
import sys

import pytest

from tfhf.errors import UserError
from tfhf.recipe import Recipe, find, shipped

MINIMAL = {"task": "text_classification", "data": {"train": "a.csv"}}


def load(text, tmp_path, overrides=()):
    path = tmp_path / "r.yaml"
    path.write_text(text)
    return Recipe.load(str(path), overrides)


def test_defaults_are_those_of_the_design():
    recipe = Recipe.load(MINIMAL)
    assert recipe.model == "minilm"
    train = recipe.train
    assert (train.epochs, train.batch_size, train.learning_rate) == (3, 32, 5e-5)
    assert train.optimizer == {"name": "AdamW", "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8}
    assert (train.schedule, train.warmup_ratio) == ({"name": "linear"}, 0.0)
    assert train.weight_decay == 0.01
    assert (train.global_clipnorm, train.seed, train.accumulate) == (1.0, 42, 1)
    assert recipe.options["max_length"] == 128
    assert recipe.data.files == {"train": ["a.csv"]}


def test_overrides_are_yaml_values():
    overrides = ["train.epochs=1", "train.learning_rate=1e-4", "data.columns={text: t}"]
    recipe = Recipe.load(MINIMAL, overrides)
    assert (recipe.train.epochs, recipe.train.learning_rate) == (1, 1e-4)
    assert recipe.data.columns == {"text": "t"}


def test_data_must_hold_keys():
    with pytest.raises(UserError, match="^data.train: 'data' holds a single value, not keys$"):
        Recipe.load(MINIMAL | {"data": "a.csv"}, ["data.train=b.csv"])


def test_a_training_file_replaces_the_whole_source():
    data = {"path": "nyu-mll/glue", "name": "sst2", "labels": ["a", "b"]}
    recipe = {"task": "text_classification", "data": data}
    loaded = Recipe.load(recipe, ["data.test=test.csv", "data.train=mine.csv"]).data
    assert loaded.files == {"train": ["mine.csv"], "test": ["test.csv"]}
    assert (loaded.path, loaded.name, loaded.labels) == (None, None, None)


def test_a_test_file_alone_leaves_the_rest():
    recipe = {"task": "text_classification", "data": {"train": "a.csv", "validation": "b.csv"}}
    loaded = Recipe.load(recipe, ["data.test=c.csv"]).data
    assert loaded.files == {"train": ["a.csv"], "validation": ["b.csv"], "test": ["c.csv"]}


def test_a_batch_has_a_number_of_rows_or_of_tokens():
    train = Recipe.load(MINIMAL | {"train": {"batch_tokens": 2048}}).train
    assert (train.batch_size, train.batch_tokens) == (None, 2048)
    again = Recipe.load(Recipe.load(MINIMAL | {"train": {"batch_tokens": 2048}})).train
    assert (again.batch_size, again.batch_tokens) == (None, 2048)
    rows = MINIMAL | {"train": {"batch_size": 16}}
    train = Recipe.load(rows, ["train.batch_tokens=2048"]).train
    assert (train.batch_size, train.batch_tokens) == (None, 2048)
    train = Recipe.load(MINIMAL | {"train": {"batch_tokens": 9}}, {"train.batch_size": 4}).train
    assert (train.batch_size, train.batch_tokens) == (4, None)
    with pytest.raises(UserError) as caught:
        Recipe.load(rows, ["train.batch_tokens=2048", "train.batch_size=8"])
    assert str(caught.value) == (
        "recipe: train.batch_size and train.batch_tokens exclude each other; received 8 and 2048"
    )


def test_optimizers_and_schedules_are_names_or_names_with_arguments():
    overrides = ["train.optimizer=Lion", "train.schedule={name: polynomial, power: 3}"]
    recipe = Recipe.load(MINIMAL, overrides)
    assert recipe.train.optimizer == {"name": "Lion", "beta_1": 0.9, "beta_2": 0.99}
    assert recipe.train.schedule == {"name": "polynomial", "power": 3.0, "min_ratio": 0.0}
    again = Recipe.load(recipe, ["train.optimizer.beta_1=0.8", "train.schedule=cosine"]).train
    assert again.optimizer == {"name": "Lion", "beta_1": 0.8, "beta_2": 0.99}
    assert again.schedule == {"name": "cosine"}
    # An argument alone is one of the default's.
    assert Recipe.load(MINIMAL, {"train.optimizer.beta_2": 0.98}).train.optimizer == {
        "name": "AdamW", "beta_1": 0.9, "beta_2": 0.98, "epsilon": 1e-8,
    }  # fmt: skip


def test_a_dictionary_of_overrides():
    assert Recipe.load(MINIMAL, {"train.seed": 7}).train.seed == 7


def test_the_resolved_recipe_loads_again_and_is_the_same(tmp_path):
    recipe = Recipe.load(MINIMAL, {"train.epochs": 5})
    again = load(recipe.to_yaml(), tmp_path)
    assert again.train == recipe.train
    assert again.data.train[0].endswith("/a.csv")


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (
            ["train.lerning_rate=1"],
            "recipe: unknown key 'train.lerning_rate'; did you mean 'learning_rate'?",
        ),
        (["optoins={}"], "recipe: unknown key 'optoins'; did you mean 'options'?"),
        (
            ["options.max_lenght=9"],
            "recipe: unknown key 'options.max_lenght'; did you mean 'max_length'?",
        ),
        (
            ["train.learning_rate=-1"],
            "recipe: train.learning_rate: input should be greater than 0; received -1",
        ),
        (
            ["train.batch_size=0"],
            "recipe: train.batch_size: input should be greater than 0; received 0",
        ),
        (["train.epochs=-1"], "recipe: train.epochs: input should be greater than 0; received -1"),
        (
            ["train.batch_size=30", "train.accumulate=4"],
            "recipe: train.accumulate must divide train.batch_size; received 4 and 30",
        ),
        (
            ["train.optimizer=Loin"],
            "recipe: train.optimizer: must be one of AdamW, Adam, Adadelta, Adafactor, Adagrad, "
            "Adamax, Lion, Nadam, RMSprop, SGD; did you mean 'Lion'?; received 'Loin'",
        ),
        (
            ["train.optimizer={name: SGD, momentun: 0.9}"],
            "recipe: unknown key 'train.optimizer.momentun'; did you mean 'momentum'?",
        ),
        (
            ["train.optimizer={name: SGD, momentum: 2}"],
            "recipe: train.optimizer.momentum: input should be less than 1; received 2",
        ),
        (
            ["train.schedule={name: cosine, cycles: 3}"],
            "recipe: unknown key 'train.schedule.cycles'; keys here: none",
        ),
        (
            ["train.schedule={name: [linear]}"],
            "recipe: train.schedule: must be one of linear, cosine, constant, polynomial, "
            "cosine_with_restarts, inverse_sqrt, warmup_stable_decay; did you mean 'linear'?; "
            "received ['linear']",
        ),
        (
            ["options.class_weights=balancd"],
            "recipe: options.class_weights: input should be 'balanced' or a valid dictionary; "
            "received 'balancd'",
        ),
        (
            ["options.class_weights={spam: 0}"],
            "recipe: options.class_weights.spam: input should be greater than 0; received 0",
        ),
        (
            ["model=3"],
            "recipe: model: input should be a valid string or a valid dictionary; received 3",
        ),
        (
            ["data.columns={text: [3]}"],
            "recipe: data.columns.text.0: input should be a valid string; received 3",
        ),
        (
            ["task=embedding", "train.accumulate=4"],
            "train.accumulate: must be 1, because this loss compares all rows of a batch, and "
            "slices would compare fewer; lower train.batch_size; received 4",
        ),
        (
            ["task=translation", "options.bleu_tokenizer=foo"],
            "recipe: options.bleu_tokenizer: input should be '13a', 'zh', 'ja-mecab', 'ko-mecab', "
            "'char', 'intl', 'none', 'spm', 'flores101' or 'flores200'; received 'foo'",
        ),
        (
            ["task=text_clasification"],
            "task: unknown task 'text_clasification'; did you mean 'text_classification'?; "
            "tasks: causal_lm, embedding, image_classification, masked_lm, multiple_choice, "
            "question_answering, summarization, text2text, text_classification, "
            "token_classification, translation, zero_shot_classification",
        ),
        (
            ["data.columns={txt: a}"],
            "recipe: data.columns: text_classification has no role 'txt'; did you mean 'text'?; "
            "roles: text, text_pair, label",
        ),
        (["train.epochs"], "overrides look like train.epochs=1; received 'train.epochs'"),
        (["data.path=x/y"], "recipe: data.path and data.train exclude each other"),
        (["data={}"], "recipe: data needs a path (Hub id or folder), or train: FILE"),
        (["task.name=x"], "task.name: 'task' holds a single value, not keys"),
    ],
)
def test_a_mistake_is_one_line(overrides, line):
    with pytest.raises(UserError) as caught:
        Recipe.load(MINIMAL, overrides)
    assert str(caught.value) == line


def test_yaml_mistakes_name_the_line(tmp_path):
    with pytest.raises(UserError, match=r"r\.yaml:2: not valid YAML"):
        load("task: x\ndata: {a: [}\n", tmp_path)
    with pytest.raises(UserError, match=r"line 2: the key 'task' stands twice"):
        load("task: x\ntask: y\n", tmp_path)
    with pytest.raises(UserError, match="aliases are not allowed"):
        load("a: &a [1]\nb: [*a, *a]\n", tmp_path)
    with pytest.raises(UserError, match="a recipe is a list of `key: value` lines"):
        load("- 1\n", tmp_path)


def test_a_missing_recipe_suggests_a_shipped_one():
    with pytest.raises(UserError) as caught:
        find("text_classification/sst3")
    assert str(caught.value) == (
        "recipe: no such file or shipped recipe; did you mean 'text_classification/sst2'?; "
        "received 'text_classification/sst3'"
    )


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_recipe_is_valid(name):
    assert Recipe.load(name).task


def test_a_recipe_mistake_imports_no_tensorflow():
    code = (
        "import sys\n"
        "from tfhf.recipe import Recipe\n"
        "try:\n"
        "    Recipe.load({'task': 'text_classification', 'data': {'train': 'a'}, 'trian': {}})\n"
        "except Exception as error:\n"
        "    print(error)\n"
        "heavy = {'tensorflow', 'transformers', 'datasets', 'numpy', 'matplotlib'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "recipe: unknown key 'trian'; did you mean 'train'?\n[]\n"
