"""Tokens added by a recipe, from the first check to the exported graph."""

import csv

import numpy as np
import pytest

from tests.conftest import toy_rows
from tfhf import forecast, models, pieces, prediction, tasks, training
from tfhf.errors import UserError
from tfhf.recipe import Recipe

ADDED = {"add_tokens": ["Covid-19"], "add_special_tokens": ["<user>"]}


@pytest.fixture(scope="module")
def recipe(toy_recipe, tmp_path_factory):
    """The toy recipe over texts with two words that the tiny tokenizer takes to pieces."""
    files = {}
    for split, count in (("train", 32), ("validation", 8)):
        path = tmp_path_factory.mktemp("rows") / f"{split}.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["text", "label"])
            for row in toy_rows(count):
                writer.writerow([f"<user> {row['text']} Covid-19s", row["label"]])
        files[split] = str(path)
    train = toy_recipe["train"] | {"epochs": 1}
    return toy_recipe | {"data": files, "train": train} | ADDED


def test_a_recipe_says_so(recipe):
    checked = Recipe.load(recipe)
    assert (checked.add_tokens, checked.add_special_tokens) == (["Covid-19"], ["<user>"])
    with pytest.raises(UserError) as caught:
        Recipe.load(recipe | {"add_tokens": [19]})
    assert str(caught.value) == (
        "recipe: add_tokens.0: input should be a valid string; received 19"
    )


def test_a_dry_run_tells_of_tokens_that_nothing_is_learned_of(recipe):
    more = recipe | {"add_tokens": ["Covid-19", "dull", "Sars"]}
    notes = forecast.dry_run(more)["notes"]
    assert [note for note in notes if note.startswith("add_tokens")] == [
        "add_tokens: 'dull' is a token of the model already",
        "add_tokens: no training text holds 'Sars'; nothing is learned of it",
    ]


def test_they_are_trained_saved_reopened_and_exported(recipe, tmp_path, proven_here):
    run = training.train(recipe, out=tmp_path / "run")
    source = models.resolve(str(run.model))
    tokenizer = models.load_tokenizer(source)
    assert tokenizer.tokenize("<user> Covid-19s") == ["<user>", "Covid-19", "s"]
    assert models.load_config(source).vocab_size == len(tokenizer) == 100
    opened = prediction.load(run, tasks.get("text_classification"))
    rows = opened.backbone.get_input_embeddings().weight.numpy()
    assert rows.shape == (100, 16)
    assert np.ptp(rows[98:], axis=0).max() > 1e-4  # each has learned something of its own

    asked = ["<user> lovely Covid-19", "dull <user>Covid-19 covid"]
    answers = prediction.predict(run, asked)
    served = prediction.predict(run.exports / "1", asked)
    for answer, other in zip(answers, served, strict=True):
        assert other["probabilities"] == pytest.approx(answer["probabilities"], abs=1e-5)


def test_a_model_alone_takes_them_too(tiny_bert_folder):
    model = pieces.load_model(str(tiny_bert_folder), labels=["a", "b"], max_length=24, **ADDED)
    assert model.backbone.config.vocab_size == 100
    assert model.load_report.grown == ["bert.embeddings.word_embeddings.weight"]
    assert model.task.processor.tokenize("<user> Covid-19") == ["<user>", "Covid-19"]
