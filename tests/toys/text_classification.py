"""Toy rows for text_classification, labelled as each recipe's data are."""

from tests.conftest import toy_rows
from tfhf.recipe import Recipe

OPTIONS = {"options.max_length": 16}
MULTI_LABEL = {"text_classification/go_emotions"}  # a recipe does not say so: the data do


def rows(name):
    regression = Recipe.load(name).options["problem"] == "regression"
    found = []
    for index, toy in enumerate(toy_rows(18)):
        label = toy["label"]
        if regression:
            label = index / 4
        elif name in MULTI_LABEL:
            label = [label, "neutral"] if index % 3 else []
        found.append({"text": toy["text"], "text_pair": "the other text", "label": label})
    return found


def model(tiny_bert_folder, folder):
    return tiny_bert_folder
