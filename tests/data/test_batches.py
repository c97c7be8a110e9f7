"""Batches: what is fed is what the rows hold, as stock `datasets` and transformers feed it."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from datasets import ClassLabel, Dataset

from tests.conftest import toy_rows
from tfhf.data import batches, orders
from tfhf.data.tokens import TokenStore
from tfhf.tasks.text_classification import TextClassification

COUNT = 61
KINDS = [
    {"batch_size": 8},
    {"batch_tokens": 96},
    {"batch_size": 8, "shapes": 2},
    {"batch_tokens": 96, "shapes": 2, "slices": 2},
]


@pytest.fixture(scope="module")
def rows():
    return Dataset.from_list(toy_rows(COUNT)).cast_column(
        "label", ClassLabel(names=["negative", "positive"])
    )


@pytest.fixture(scope="module")
def task(tiny_tokenizer, rows):
    return TextClassification(tiny_tokenizer, rows.features, max_length=24)


@pytest.fixture(scope="module")
def store(task, rows, tmp_path_factory):
    return TokenStore.build(rows, task, tmp_path_factory.mktemp("batches") / "store")


@pytest.fixture(scope="module")
def stock(rows, task):
    """What `Dataset.to_tf_dataset` feeds: row → ids without padding, and label."""
    from transformers import DataCollatorWithPadding

    tokenizer = task.processor
    tokens = rows.map(
        lambda batch: tokenizer(batch["text"], truncation=True, max_length=24), batched=True
    )
    fed = tokens.add_column("row", list(range(COUNT))).to_tf_dataset(
        columns=["input_ids", "attention_mask", "token_type_ids", "row"],
        label_cols="label",
        batch_size=8,
        collate_fn=DataCollatorWithPadding(tokenizer, return_tensors="np"),
    )
    found = {}
    for inputs, labels in fed:
        for place, row in enumerate(inputs["row"].numpy()):
            real = inputs["attention_mask"].numpy()[place] > 0
            parts = [inputs[name].numpy()[place][real] for name in ("input_ids", "token_type_ids")]
            found[int(row)] = (*(part.tolist() for part in parts), int(labels[place]))
    return found


def real_rows(batch, pad):
    """The rows of a batch as in `stock`; what is not real holds the padding."""
    inputs, labels, weights = (tf.nest.map_structure(lambda x: x.numpy(), part) for part in batch)
    for place in np.flatnonzero(weights):
        real = inputs["attention_mask"][place] > 0
        assert (inputs["input_ids"][place][~real] == pad).all()
        parts = [inputs[name][place][real].tolist() for name in ("input_ids", "token_type_ids")]
        yield int(inputs["feature"][place]), (*parts, int(labels[place]))


@pytest.mark.parametrize("kind", KINDS)
def test_every_epoch_feeds_what_stock_datasets_feeds(kind, store, task, stock):
    plan = orders.plan(store, task, seed=3, **kind)
    fed = list(batches.training_dataset(store, task, plan, epochs=2))
    assert len(fed) == 2 * plan.steps
    for epoch in range(2):
        part = fed[epoch * plan.steps : (epoch + 1) * plan.steps]
        found = [pair for batch in part for pair in real_rows(batch, task.processor.pad_token_id)]
        assert len(found) == COUNT
        assert dict(found) == stock


@pytest.mark.parametrize("kind", KINDS)
def test_a_later_epoch_can_be_begun_with(kind, store, task):
    plan = orders.plan(store, task, seed=3, **kind)
    whole = [batch[0]["feature"] for batch in batches.training_dataset(store, task, plan, epochs=3)]
    later = batches.training_dataset(store, task, plan, epochs=1, first_epoch=2)
    for mine, theirs in zip(later, whole[2 * plan.steps :], strict=True):
        np.testing.assert_array_equal(mine[0]["feature"], theirs)


def test_batches_have_no_more_shapes_than_were_asked_for(store, task):
    plan = orders.plan(store, task, seed=3, batch_tokens=96, shapes=2)
    seen = {
        tuple(tuple(tensor.shape) for tensor in tf.nest.flatten(batch))
        for batch in batches.training_dataset(store, task, plan, epochs=2)
    }
    assert len(seen) == 2
    free = orders.plan(store, task, seed=3, batch_tokens=96)
    fed = batches.training_dataset(store, task, free, epochs=1)
    assert len({tuple(batch[0]["input_ids"].shape) for batch in fed}) > 2


def test_each_pass_is_an_epoch(store, task):
    plan = orders.plan(store, task, seed=3, batch_tokens=96)
    passes = batches.shuffled_dataset(store, task, plan)
    assert int(passes.cardinality()) == plan.steps
    for epoch in range(2):
        fed = [batch[0]["feature"].numpy().tolist() for batch in passes]
        assert fed == [rows.numpy().tolist() for rows in plan.batches(epoch)]


def anonymous():
    """Bytes of memory that belong to no file."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="told by Linux alone")
def test_a_store_is_read_from_its_files_and_never_copied(store, task, tmp_path):
    folder = Path(shutil.copytree(store.folder, tmp_path / "large"))
    description, more = json.loads((folder / "columns.json").read_text()), 2**27
    kind, shape = description["arrays"]["input_ids"]
    os.truncate(folder / "input_ids.bin", shape[0] * np.dtype(kind).itemsize + more)
    description["arrays"]["input_ids"][1] = [shape[0] + more // np.dtype(kind).itemsize]
    (folder / "columns.json").write_text(json.dumps(description))
    plan, taken = orders.Plan(store.lengths, 1, batch_size=8), []
    for one in (store, TokenStore(folder)):  # TensorFlow takes some memory the first time
        before = anonymous()
        (inputs, *_), *_ = batches.shuffled_dataset(one, task, plan)
        taken.append(anonymous() - before)
    assert one.array("input_ids").nbytes > more
    assert taken[1] < more / 4


@pytest.mark.parametrize("count", [0, 1, 31, 32, 33])
def test_evaluation_batches_hold_every_row(count):
    lengths = np.random.default_rng(0).integers(3, 60, count)
    for order in (
        batches.by_length(lengths, batch_size=32),
        batches.in_order(count, batch_size=32),
        batches.by_length(lengths, batch_tokens=128, slices=2),
    ):
        assert sorted(order.rows[order.rows >= 0]) == list(range(count))
        assert order.bounds[0] == 0 and order.bounds[-1] == len(order.rows)
        assert (np.diff(order.bounds) > 0).all()
    assert (np.diff(batches.in_order(count, batch_size=32).bounds) == 32).all()
    assert (np.diff(order.bounds) % 2 == 0).all()


def test_evaluation_begins_with_the_longest_and_keeps_to_the_tokens():
    lengths = np.array([5, 300, 7, 60, 59, 6])
    order = batches.by_length(lengths, batch_tokens=128)
    parts = [order.rows[a:b].tolist() for a, b in zip(order.bounds, order.bounds[1:], strict=False)]
    assert parts == [[1], [3, 4], [2, 5, 0]]
