"""The cache of token stores: made once, never out of date, never half, and gone without harm."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from datasets import Dataset, concatenate_datasets
from transformers import BertTokenizerFast

from tests.conftest import toy_rows
from tfhf.data import cache
from tfhf.data.tokens import TokenStore
from tfhf.errors import UserError
from tfhf.tasks.text_classification import TextClassification

ROWS = Dataset.from_list(toy_rows(40)).class_encode_column("label")


@pytest.fixture
def tokenizer(tiny_tokenizer, tmp_path):
    """A tokenizer of its own for each test."""
    tiny_tokenizer.save_pretrained(tmp_path / "tokenizer")
    return BertTokenizerFast.from_pretrained(tmp_path / "tokenizer")


@pytest.fixture
def task(tokenizer):
    return TextClassification(tokenizer, ROWS.features, max_length=24)


@pytest.fixture
def built(monkeypatch):
    """Counts how often a store is built."""
    calls, build = [], TokenStore.build

    def counted(dataset, task, folder):
        calls.append(folder)
        return build(dataset, task, folder)

    monkeypatch.setattr(TokenStore, "build", counted)
    return calls


def content(store):
    return {name: store.array(name).tolist() for name in store.arrays}


def test_a_second_time_takes_what_the_first_made(task, built, tmp_path):
    first, known = cache.token_store(ROWS, task, tmp_path / "a" / "train")
    again, known_again = cache.token_store(ROWS, task, tmp_path / "b" / "train")
    assert (known, known_again, len(built)) == (False, True, 1)
    assert content(again) == content(first)
    assert again.folder == tmp_path / "b" / "train"


def test_clearing_the_cache_hurts_nobody(task, tmp_path):
    cache.token_store(ROWS, task, tmp_path / "a")
    again, _ = cache.token_store(ROWS, task, tmp_path / "b")
    shutil.rmtree(cache.place())
    assert content(again) == content(TokenStore.build(ROWS, task, tmp_path / "c"))
    np.testing.assert_array_equal(again.tensor("input_ids"), again.array("input_ids"))


def test_the_tokenizers_last_call_makes_no_difference(task):
    before = cache.fingerprint(ROWS, task)
    task.processor(["a film"], truncation=True, max_length=3, padding="max_length")
    assert cache.fingerprint(ROWS, task) == before


def test_rows_count_not_how_they_lie(task):
    parts = concatenate_datasets([ROWS.select(range(7)), ROWS.select(range(7, 40))])
    picked = ROWS.select(range(39, -1, -1)).select(range(39, -1, -1))
    assert cache.fingerprint(parts, task) == cache.fingerprint(ROWS, task)
    assert cache.fingerprint(picked, task) == cache.fingerprint(ROWS, task)


def test_whatever_decides_the_tokens_changes_the_fingerprint(task, tokenizer, monkeypatch):
    def changed(rows=ROWS, **options):
        return cache.fingerprint(rows, TextClassification(tokenizer, rows.features, **options))

    options = {"max_length": 24}
    found = [changed(**options), changed(max_length=23)]
    texts = ROWS["text"][:]
    for other in ([*texts[:-1], texts[-1] + "!"], [texts[1], texts[0], *texts[2:]]):
        found.append(changed(ROWS.remove_columns("text").add_column("text", other), **options))
    found.append(changed(ROWS.select(range(39)), **options))
    found.append(changed(ROWS.add_column("text_pair", texts), **options))
    tokenizer.padding_side = "left"
    found.append(changed(**options))
    tokenizer.add_tokens(["lovely film"])
    found.append(changed(**options))
    tokenizer.chat_template = "{{ messages }}"
    found.append(changed(**options))
    monkeypatch.setattr(cache, "version", lambda library: "another")
    found.append(changed(**options))
    monkeypatch.setattr(cache, "_source", lambda: "another")
    found.append(changed(**options))
    assert len(set(found)) == len(found) == 11


def test_the_fingerprint_is_the_same_in_another_process(task, tmp_path):
    ROWS.save_to_disk(tmp_path / "rows")
    code = (
        "import sys, datasets\n"
        "from transformers import BertTokenizerFast\n"
        "from tfhf.data import cache\n"
        "from tfhf.tasks.text_classification import TextClassification\n"
        "tokenizer = BertTokenizerFast.from_pretrained(sys.argv[1])\n"
        "rows = datasets.load_from_disk(sys.argv[2])\n"
        "task = TextClassification(tokenizer, rows.features, max_length=24)\n"
        "print(cache.fingerprint(rows, task))\n"
    )
    # Another folder's name says nothing of the tokenizer.
    shutil.copytree(tmp_path / "tokenizer", tmp_path / "moved")
    found = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "moved", tmp_path / "rows"],
        env=os.environ | {"PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
    )
    assert found.stdout.strip() == cache.fingerprint(ROWS, task), found.stderr


@pytest.mark.parametrize("harm", ["short", "missing", "no description", "half a description"])
def test_a_damaged_entry_is_made_anew(harm, task, built, tmp_path):
    whole, _ = cache.token_store(ROWS, task, tmp_path / "a")
    expected = content(whole)
    (entry,) = cache.place().iterdir()
    shutil.rmtree(tmp_path / "a")  # whose files are the same ones
    if harm == "short":
        os.truncate(entry / "input_ids.bin", 10)
    elif harm == "missing":
        (entry / "label.bin").unlink()
    elif harm == "no description":
        (entry / "columns.json").unlink()
    else:
        (entry / "columns.json").write_text('{"arrays": {')
    again, known = cache.token_store(ROWS, task, tmp_path / "b")
    assert (known, len(built)) == (False, 2)
    assert content(again) == expected
    assert cache.token_store(ROWS, task, tmp_path / "c")[1]


def test_two_processes_at_once_leave_one_entry(task, monkeypatch, tmp_path):
    """The other process publishes while this one still builds."""
    build = TokenStore.build

    def slow(dataset, task, folder):
        store = build(dataset, task, folder)
        if folder.name == "mine":
            cache.token_store(dataset, task, tmp_path / "others")
        return store

    monkeypatch.setattr(TokenStore, "build", slow)
    mine, _ = cache.token_store(ROWS, task, tmp_path / "mine")
    assert len(list(cache.place().iterdir())) == 1
    assert content(mine) == content(TokenStore(tmp_path / "others"))


def test_an_entry_that_vanishes_while_it_is_taken_is_made_anew(task, monkeypatch, tmp_path):
    cache.token_store(ROWS, task, tmp_path / "a")
    link, calls = cache._link, []

    def link_some(source, target):
        calls.append(source)
        if len(calls) == 2:
            shutil.rmtree(source.parent)
        link(source, target)

    monkeypatch.setattr(cache, "_link", link_some)
    store, known = cache.token_store(ROWS, task, tmp_path / "b")
    assert not known
    assert content(store) == content(TokenStore(tmp_path / "a"))


def test_a_disk_without_links_gets_copies(task, monkeypatch, tmp_path):
    def refused(*_):
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refused)
    cache.token_store(ROWS, task, tmp_path / "a")
    again, known = cache.token_store(ROWS, task, tmp_path / "b")
    assert known
    assert content(again) == content(TokenStore(tmp_path / "a"))


def test_what_was_used_longest_ago_goes_first(tokenizer, monkeypatch, tmp_path):
    tasks = [TextClassification(tokenizer, ROWS.features, max_length=n) for n in (22, 23, 24)]
    entries = [cache.place() / cache.fingerprint(ROWS, task) for task in tasks]
    for number, task in enumerate(tasks[:2]):
        cache.token_store(ROWS, task, tmp_path / f"made{number}")
    size = sum(file.stat().st_size for file in entries[0].iterdir())
    os.utime(entries[0], (2, 2))
    os.utime(entries[1], (3, 3))
    cache.token_store(ROWS, tasks[0], tmp_path / "used")
    monkeypatch.setenv(cache.VARIABLE, str(2.5 * size / 1e9))
    cache.token_store(ROWS, tasks[2], tmp_path / "new")
    assert [entry.exists() for entry in entries] == [True, False, True]


def test_what_a_killed_process_left_goes_after_a_day(task, tmp_path):
    for name, age in ((".old.1", 1), (".new.1", None)):
        (cache.place() / name).mkdir(parents=True)
        if age:
            os.utime(cache.place() / name, (age, age))
    cache.token_store(ROWS, task, tmp_path / "a")
    names = [entry.name for entry in cache.place().iterdir()]
    assert ".new.1" in names and ".old.1" not in names


def test_no_cache_where_none_is_wanted(task, monkeypatch, tmp_path):
    monkeypatch.setenv(cache.VARIABLE, "0")
    assert not cache.token_store(ROWS, task, tmp_path / "a")[1]
    assert not cache.place().exists()
    monkeypatch.setenv(cache.VARIABLE, "much")
    with pytest.raises(UserError) as caught:
        cache.token_store(ROWS, task, tmp_path / "b")
    assert str(caught.value) == "TFHF_CACHE_GB: must be a number of gigabytes; received 'much'"


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(task, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(cache, "place", lambda: tmp_path / "file" / "tokens")
    store, known = cache.token_store(ROWS, task, tmp_path / "a")
    assert not known and store.features == 40


class Others(TextClassification):
    """A task that is not tfhf's: its source may change unseen."""


def test_what_cannot_be_known_is_not_kept(task, tokenizer, tmp_path):
    cache.token_store(ROWS, Others(tokenizer, ROWS.features, max_length=24), tmp_path / "a")
    assert not cache.place().exists()
    description = json.loads((tmp_path / "a" / "columns.json").read_text())
    assert description["arrays"]["row"] == ["int64", [40]]
