"""multiple_choice: rows with different numbers of choices, folded into one batch and back."""

import numpy as np
import pytest
from datasets import Dataset
from transformers import PretrainedConfig

from tests.tasks.check import check_task
from tests.toys import multiple_choice as toy
from tfhf import tasks
from tfhf.data.tokens import TokenStore
from tfhf.errors import UserError
from tfhf.learning.choice_metrics import Choices
from tfhf.learning.choices import fold, unfold
from tfhf.tasks.multiple_choice import MultipleChoice

ROLES = ["premise", "question", "choices"]


def task_of(tokenizer=None, roles=ROLES, **options):
    return MultipleChoice(tokenizer, MultipleChoice.features_for(None, roles), **options)


def test_from_rows_to_answers(tiny_bert_folder, tmp_path):
    rows = toy.rows(count=16)
    for row in rows[::4]:
        row["choices"] = [*row["choices"], "a dull film", "lovely"]
    recipe = {"model": str(tiny_bert_folder), "options": {"max_length": 24}}
    model, dataset, results = check_task("multiple_choice", recipe, rows, tmp_path)
    assert model.task.settings() == {"max_length": 24, "roles": ROLES}
    assert results["probabilities"].shape == (16, 4)
    np.testing.assert_allclose(results["probabilities"].sum(1), np.ones(16), atol=1e-5)
    answers = [model.task.decode(results, index, row) for index, row in enumerate(dataset)]
    for row, answer in zip(rows, answers, strict=True):
        assert len(answer["probabilities"]) == len(row["choices"])
        assert answer["label"] == row["choices"][answer["choice"]]
        assert answer["score"] == max(answer["probabilities"])
    assert model.task.expected(dataset) == [row["choices"][row["label"]] for row in rows]
    check_against_transformers(model, dataset, results)


def check_against_transformers(model, dataset, results):
    """The (B, C, T) batch of transformers, padded by its tokenizer, gives the same scores."""
    import tensorflow as tf

    tokenizer = model.task.processor
    for index, row in enumerate(dataset):
        if index not in (0, 1):
            continue
        seconds = [f"{row['question']} {choice}" for choice in row["choices"]]
        tokens = tokenizer([row["premise"]] * len(seconds), seconds, padding="max_length")
        batch = {name: tf.constant([value]) for name, value in tokens.items()}
        theirs = tf.nn.softmax(model.backbone(batch).logits)[0]
        ours = results["probabilities"][index][: len(seconds)]
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


# === Encoding ===


def test_a_row_is_one_feature_with_its_choices_end_to_end(tiny_tokenizer):
    encoded = task_of(tiny_tokenizer, max_length=16).encode(
        {
            "premise": ["a warm story", "dull"],
            "question": ["cause", None],
            "choices": [["great film", "bad"], ["lovely", "bad", "a cold tired story"]],
            "label": [0, 2],
        }
    )
    assert tiny_tokenizer.decode(encoded["input_ids"][1]) == (
        "[CLS] dull [SEP] lovely [SEP] [CLS] dull [SEP] bad [SEP] "
        "[CLS] dull [SEP] a cold tired story [SEP]"
    )
    assert encoded["choice_length"][1] == [5, 5, 8]
    first = encoded["input_ids"][0][: encoded["choice_length"][0][0]]
    assert tiny_tokenizer.decode(first) == "[CLS] a warm story [SEP] cause great film [SEP]"
    assert encoded["token_type_ids"][1] == [*[0] * 3, 1, 1, *[0] * 3, 1, 1, *[0] * 3, *[1] * 5]
    assert encoded["full_length"] == [max(lengths) for lengths in encoded["choice_length"]]
    assert encoded["label"] == [0, 2]


def test_what_was_cut_is_counted(tiny_tokenizer):
    task = task_of(tiny_tokenizer, ["premise", "choices"], max_length=8)
    rows = {"premise": ["a warm and funny story"], "choices": [["dull", "a cold tired story"]]}
    encoded = task.encode(rows)
    assert encoded["choice_length"] == [[8, 8]]
    assert (encoded["length"], encoded["full_length"]) == ([8], [12])
    assert "label" not in encoded


def test_a_length_the_model_cannot_read_is_refused(tiny_tokenizer):
    with pytest.raises(UserError) as caught:
        task_of(tiny_tokenizer, max_length=33)
    assert str(caught.value) == (
        "options.max_length: the model reads at most 32 tokens; received 33"
    )


def test_rows_are_sorted_by_their_longest_choice(tiny_tokenizer, tmp_path):
    rows = Dataset.from_list(toy.rows(count=6))
    store = TokenStore.build(rows, task_of(tiny_tokenizer, max_length=24), tmp_path / "store")
    cut = np.split(store.array("choice_length"), store.array("choice_length.offsets")[1:-1])
    assert store.lengths.tolist() == [lengths.max() for lengths in cut]
    assert set(store.names) == {"input_ids", "token_type_ids", "choice_length", "label"}


# === Folding ===


def test_folding_pads_to_the_longest_choice_only():
    tokens = np.array([[1, 2, 3, 4, 5, 6], [7, 8, 9, 0, 0, 0]], np.int32)
    lengths = np.array([[1, 3, 2], [2, 1, 0]], np.int32)
    folded = fold(tokens, lengths, 99).numpy().tolist()
    assert folded == [[1, 99, 99], [2, 3, 4], [5, 6, 99], [7, 8, 99], [9, 99, 99]]
    scores = unfold(np.arange(5, dtype=np.float32), lengths).numpy().tolist()
    assert scores == [[0.0, 1.0, 2.0], [3.0, 4.0, -np.inf]]


def test_a_missing_choice_costs_nothing_and_learns_nothing():
    import tensorflow as tf

    scores = tf.Variable([1.0, 2.0, 3.0, 0.5, -1.0])
    lengths = np.array([[1, 3, 2], [2, 1, 0]], np.int32)
    with tf.GradientTape() as tape:
        losses, counts = task_of().loss(np.array([2, 0]), {"logits": unfold(scores, lengths)})
    softmax = np.exp([1.0, 2.0, 3.0]) / np.exp([1.0, 2.0, 3.0]).sum()
    other = 1 / (1 + np.exp(-1.5))
    np.testing.assert_allclose(losses, -np.log([softmax[2], other]), rtol=1e-6)
    assert counts.numpy().tolist() == [1.0, 1.0]
    gradient = tf.convert_to_tensor(tape.gradient(losses, scores)).numpy()
    expected = [*(softmax - [0, 0, 1]), other - 1, 1 - other]
    np.testing.assert_allclose(gradient, expected, atol=1e-6)


# === Answers ===


def test_metrics_tell_where_the_answers_stood():
    scores = Choices().compute(references=[0, 1, 1, 2], predictions=[0, 1, 0, 0])
    assert scores["accuracy"] == 0.5
    assert scores["per_position"] == {
        "0": {"support": 1.0, "chosen": 3.0, "recall": 1.0},
        "1": {"support": 2.0, "chosen": 1.0, "recall": 0.5},
        "2": {"support": 1.0, "chosen": 0.0, "recall": 0.0},
    }


def test_the_task_is_found_by_its_names(tiny_tokenizer):
    config = PretrainedConfig(architectures=["RobertaForMultipleChoice"])
    assert tasks.by_config(config) is MultipleChoice
    assert MultipleChoice.learned_labels(config) is None
    task = MultipleChoice.from_config(tiny_tokenizer, config)
    assert (task.max_length, list(task.inputs)) == (32, ROLES)
