"""Toy rows for masked_lm: texts without a label, and an empty line as prose has them."""

from tests.conftest import toy_rows

OPTIONS = {"options.max_length": 16}


def rows(name=None, count=48):
    found = [{"text": toy["text"]} for toy in toy_rows(count)]
    found[3]["text"] = ""
    return found


def model(tiny_bert_folder, folder):
    return tiny_bert_folder
