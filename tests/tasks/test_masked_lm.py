"""masked_lm: blocks, masks drawn in the graph, likelihoods over tokens, and blanks filled."""

import json
import sys
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import transformers
from datasets import Dataset

from tests.tasks.check import check_task
from tests.toys import masked_lm as toy
from tfhf import prediction, tasks
from tfhf.data import batches
from tfhf.data.tokens import TokenStore
from tfhf.errors import UserError
from tfhf.learning.model import Model
from tfhf.learning.scoring import Scorer
from tfhf.models.names import places
from tfhf.tasks.masked_lm import MaskedLM

FACTS = json.loads((Path(__file__).parent / "facts" / "fill_mask.json").read_text())


def task_of(tokenizer, **options):
    return MaskedLM(tokenizer, MaskedLM.features_for(None, ["text"]), **options)


def test_from_rows_to_answers(tiny_bert_folder, tmp_path):
    rows = [{"text": row["text"].replace("number", "[MASK]")} for row in toy.rows() if row["text"]]
    recipe = {"model": str(tiny_bert_folder), "options": {"max_length": 24, "whole_word": True}}
    model, dataset, results = check_task("masked_lm", recipe, rows, tmp_path)
    assert tasks.by_config(model.backbone.config) is MaskedLM
    assert results["token"].shape == (len(rows), 1, 5)
    answer = model.task.decode(results, 0, dataset[0])
    assert "[MASK]" not in answer["sequence"]
    assert answer["masks"][0][0]["token_str"] in answer["sequence"]
    check_likelihoods(model, tmp_path)


def check_likelihoods(model, folder):
    """Losses and perplexity from sums over tokens, against transformers' own loss."""
    rows = Dataset.from_list(toy.rows())
    store = TokenStore.build(rows, model.task, folder / "joined")
    scores = Scorer(model, 3)(store, "evaluate")
    values = model.task.score(rows, scores.results)
    total = count = right = 0
    order = batches.in_order(store.features, batch_size=1)
    for inputs, labels, _ in batches.evaluation_dataset(store, model.task, order):
        real = labels.numpy() >= 0
        found = inputs["asked"].numpy()[real]
        aligned = np.full(inputs["input_ids"].shape, -100)
        aligned[0, found] = labels.numpy()[real]
        # transformers' loss of a row without a label is 0 / 0.
        if len(found):
            fed = {name: inputs[name] for name in ("input_ids", "attention_mask")}
            answer = model.backbone(**fed, labels=tf.constant(aligned))
            total += float(tf.squeeze(answer.loss)) * len(found)
            count += len(found)
            right += np.sum(np.argmax(answer.logits[0], -1)[found] == aligned[0, found])
    assert values["tokens"] == count > 10
    np.testing.assert_allclose(scores.loss, total / count, rtol=1e-5)
    np.testing.assert_allclose(values["perplexity"], np.exp(total / count), rtol=1e-5)
    np.testing.assert_allclose(values["accuracy"], right / count)
    records = list(model.task.records(rows, scores.results))
    assert sum(record["tokens"] for record in records) == count
    assert records[0]["text"].startswith("dull, number 0. lovely")


# === Against transformers' pipeline, recorded with PyTorch ===


def recorded(family):
    """A fill-mask pipeline over the model and tokenizer of the facts."""
    facts, name = FACTS[family], {"bert": "Bert", "roberta": "Roberta"}[family]
    from tokenizers import Tokenizer

    made = Tokenizer.from_str(json.dumps(facts["tokenizer"]))
    tokenizer = getattr(transformers, f"{name}TokenizerFast")(tokenizer_object=made)
    tokenizer.model_max_length = 38
    config = getattr(transformers, f"{name}Config")(**facts["config"])
    backbone = getattr(transformers, f"TF{name}ForMaskedLM")(config)
    backbone.build_in_name_scope()
    sys.path.insert(0, str(Path(__file__).parents[1] / "models"))
    from formula import weight

    for place in places(backbone):
        place.variable.assign(place.to_tensorflow(weight(place.name, place.shape)))
    return prediction.Pipeline(Model(backbone, task_of(tokenizer, max_length=38)), 2, shown=True)


@pytest.mark.parametrize("family", ["bert", "roberta"])
@pytest.mark.filterwarnings("ignore:targets")
def test_fills_masks_as_transformers_does(family):
    fill = recorded(family)
    for call in FACTS[family]["calls"]:
        found = fill(call["texts"], **call["choices"])
        check_same(found, call["answers"])


def check_same(found, expected):
    assert type(found) is type(expected)
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        assert {k: v for k, v in found.items() if k != "score"} == {
            k: v for k, v in expected.items() if k != "score"
        }
        assert abs(found["score"] - expected["score"]) < 1e-6
    else:
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            check_same(one, other)


def test_masks_of_a_long_row_are_filled_in_order(tiny_bert_folder):
    from tfhf import models, pieces

    source = models.resolve(str(tiny_bert_folder))
    task = task_of(models.load_tokenizer(source), max_length=10)
    fill = prediction.Pipeline(pieces.trained(source, task), shown=True)
    rows = ["lovely [MASK]", "a great film " * 6 + "[MASK] and [MASK] " + "dull " * 9 + "[MASK]"]
    one, three = fill(rows, top_k=2)
    assert [guess["sequence"].startswith("lovely") for guess in one] == [True, True]
    assert len(three) == 3
    for index, guesses in enumerate(three):
        assert guesses[0]["score"] >= guesses[1]["score"] > 0
        words = guesses[0]["sequence"].split()
        assert words.count("[MASK]") == 2
        assert ("[MASK]" in words[-2]) == (index != 2)
    answers = prediction.Pipeline(fill.model).results(Dataset.from_list([{"text": rows[1]}]))
    assert answers["masks"].tolist() == [3]
    with pytest.raises(UserError, match=r"row 2: nothing to fill; write \[MASK\] where a word"):
        fill(["a [MASK]", "no mask here", "a [MASK]"])
    with pytest.raises(UserError, match="row 1: nothing to fill"):
        fill("")
    with pytest.raises(UserError, match="top_k: must be a number from 1 up; received 0"):
        fill("a [MASK]", top_k=0)
    with pytest.warns(UserWarning, match="targets: 'greatest' is no token"):
        fill("a [MASK]", targets=["greatest"])
    with pytest.raises(UserError, match=r"targets: name at least one word; received \[\]"):
        fill("a [MASK]", targets=[])


# === Encoding ===

TEXTS = ["a great film", "", "dull", "a cold and tired story, a bad film", "lovely [MASK]", "great"]


def test_texts_are_joined_and_those_with_masks_are_not(tiny_tokenizer):
    columns = task_of(tiny_tokenizer, max_length=8).encode({"text": TEXTS})
    decoded = tiny_tokenizer.batch_decode(columns["input_ids"])
    assert decoded == [
        "[CLS] a great film [SEP] dull [SEP] [SEP]",
        "[CLS] a cold and tired story, [SEP]",
        "[CLS] a bad film [SEP]",
        "[CLS] lovely [MASK] [SEP]",
        "[CLS] great [SEP]",
    ]
    assert np.asarray(columns["row"]).tolist() == [0, 3, 3, 4, 5]
    assert columns["full_length"] == list(map(len, columns["input_ids"]))


def test_without_joining_every_row_begins_a_block_and_nothing_is_cut_off(tiny_tokenizer):
    task = task_of(tiny_tokenizer, max_length=8, join=False)
    columns = task.encode({"text": TEXTS})
    assert np.asarray(columns["row"]).tolist() == [0, 2, 3, 3, 4, 5]
    inside = list(chain.from_iterable(ids[1:-1] for ids in columns["input_ids"]))
    whole = tiny_tokenizer(TEXTS, add_special_tokens=False)["input_ids"]
    assert inside == list(chain.from_iterable(whole))


def test_a_row_alone_is_encoded_as_its_tokenizer_does(tiny_tokenizer):
    for name in ("bert", "roberta"):
        tokenizer = recorded(name).task.processor if name == "roberta" else tiny_tokenizer
        for text in [f"a warm {tokenizer.mask_token} story", tokenizer.mask_token]:
            found = task_of(tokenizer, max_length=30).encode({"text": [text]})["input_ids"]
            assert found == [tokenizer(text)["input_ids"]]


def test_words_begin_where_the_tokenizer_says(tiny_tokenizer):
    task = task_of(tiny_tokenizer, max_length=32, whole_word=True)
    columns = task.encode({"text": ["a stop, greatest", "film"]})
    tokens = tiny_tokenizer.convert_ids_to_tokens(columns["input_ids"][0])
    begins = [token for token, one in zip(tokens, columns["word_start"][0], strict=True) if one]
    assert begins == ["[CLS]", "a", "s", ",", "great", "[SEP]", "film", "[SEP]"]
    assert task.padding == {"input_ids": 0, "word_start": 0}


# === Masks and loss ===


def prepared(task, texts, seed, training=True):
    columns = task.encode({"text": texts})
    columns = {name: tf.ragged.constant(columns[name]).to_tensor(0) for name in task.padding}
    columns["attention_mask"] = tf.cast(columns["input_ids"] != 0, tf.int32)
    before = columns["input_ids"].numpy()
    keys = tf.stack([tf.fill([len(before)], seed), tf.range(len(before))], 1)
    return before, task.prepare(columns, keys, training=training)


@pytest.mark.parametrize("whole_word", [False, True])
def test_labels_are_the_hidden_tokens_and_masks_change_with_the_seed(tiny_tokenizer, whole_word):
    task = task_of(tiny_tokenizer, max_length=16, whole_word=whole_word, mask_probability=0.3)
    texts = [row["text"] for row in toy.rows()]
    before, first = prepared(task, texts, seed=1)
    assert set(first) == {"input_ids", "attention_mask", "asked", "label"}
    real = first["label"].numpy() >= 0
    asked = tf.gather(before, first["asked"], batch_dims=1).numpy()
    assert (asked[real] == first["label"].numpy()[real]).all()
    assert not set(asked[real]) & set(tiny_tokenizer.all_special_ids)
    assert (first["input_ids"].numpy() == tiny_tokenizer.mask_token_id).any()
    again, other = prepared(task, texts, seed=1)[1], prepared(task, texts, seed=2)[1]
    assert (again["input_ids"].numpy() == first["input_ids"].numpy()).all()
    assert (other["input_ids"].numpy() != first["input_ids"].numpy()).any()


def test_a_batch_without_a_masked_token_has_loss_zero(tiny_bert_folder):
    from tfhf import models, pieces
    from tfhf.learning.optimizers import AdamW

    source = models.resolve(str(tiny_bert_folder))
    model = pieces.trained(source, task_of(models.load_tokenizer(source), max_length=8))
    model.compile(AdamW(1e-3))
    data = Dataset.from_list([{"text": "[UNK] [SEP] [UNK]"}] * 4)
    batch = next(iter(pieces.to_tf_dataset(data, model, batch_size=4)))
    assert batch[1].numpy().tolist() == [[-100]] * 4
    before = [variable.numpy() for variable in model.trainable_variables]
    assert model.train_on_batch(*batch, return_dict=True)["loss"] == 0
    assert all(np.isfinite(variable).all() for variable in model.trainable_variables)
    assert len(before) == len(model.trainable_variables)


def test_settings_that_cannot_be(tiny_tokenizer):
    with pytest.raises(UserError, match="options.max_length: the model reads at most 32 tokens"):
        task_of(tiny_tokenizer, max_length=64)
    with pytest.raises(UserError, match=r"options.mask_replace_probability: .*received 0.9 \+ 0.2"):
        task_of(
            tiny_tokenizer,
            max_length=16,
            mask_replace_probability=0.9,
            random_replace_probability=0.2,
        )
    left_to_right = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tiny_tokenizer.backend_tokenizer, model_max_length=32
    )
    with pytest.raises(UserError, match="model: its tokenizer has no mask token"):
        task_of(left_to_right, max_length=16)
