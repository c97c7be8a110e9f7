"""What exported graphs answer, against what the tasks say in Python, on hard texts.

There is no model: a token's logits are numbers drawn for its id, so that all kinds of answers come.
"""

import numpy as np
import pytest
import tensorflow as tf

from tests.exports.test_wordpiece import random_texts
from tfhf.exports import comparison
from tfhf.exports.answers import candidates, generated
from tfhf.exports.answers.texts import Texts
from tfhf.exports.tokenizers import in_graph
from tfhf.exports.tokenizers.comparison import HARD_TEXTS
from tfhf.learning import label_scores
from tfhf.tasks.masked_lm import MaskedLM
from tfhf.tasks.question_answering import QuestionAnswering
from tfhf.tasks.token_classification import TokenClassification

LONG = "(Paris), said \u201cAnna\u201d, is great; really great: un-believable! " * 4
TEXTS = [*HARD_TEXTS, LONG, "\u00a0cafe\u0301 . . (the) ", *random_texts(60, seed=4)]


def drawn(ids, width, spread=2.0):
    """`(B, T, width)` logits that belong to the ids and, a little, to their places."""
    draws = np.random.default_rng(7)
    table = tf.constant(draws.normal(scale=spread, size=(1009, width)), tf.float32)
    place = tf.constant(draws.normal(size=(2048, width)), tf.float32)
    return tf.gather(table, ids % 1009) + place[: tf.shape(ids)[1]]


def in_python(task, rows, forward):
    """The task's own answers, all features in one batch."""
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    encoded = {name: list(values) for name, values in task.encode(columns).items()}
    owners = np.array(encoded.pop("row", range(len(rows))))
    widest = max(map(len, encoded["input_ids"]))
    inputs = {
        name: np.array(
            [[*row, *[task.padding.get(name, 0)] * (widest - len(row))] for row in values]
        )
        for name, values in encoded.items()
        if np.ndim(values[0])
    }
    inputs |= {name: np.array(values) for name, values in encoded.items() if name not in inputs}
    lengths = [len(row) for row in encoded["input_ids"]]
    inputs["attention_mask"] = (np.arange(widest) < np.array(lengths)[:, None]).astype(np.int32)
    inputs = {name: tf.constant(values, tf.int32) for name, values in inputs.items()}
    results = task.outputs(forward(inputs), inputs, None)
    gathered = task.gather({name: value.numpy() for name, value in results.items()}, owners)
    return [task.decode(gathered, index, row) for index, row in enumerate(rows)]


def in_tensorflow(task, rows, forward):
    """The same from one traced function of strings, called in two batches."""
    tokenizer = in_graph(task.processor)

    @tf.function
    def serve(strings):
        inputs = task.encode_in_graph(tokenizer, strings)
        results = task.outputs(forward(inputs), inputs, None)
        return task.answers_in_graph(results, inputs, strings, tokenizer)

    found, half = [], len(rows) // 2
    for part in (rows[:half], rows[half:]):
        strings = {role: tf.constant([row[role] for row in part]) for role in task.serving_inputs}
        answers = {name: value.numpy() for name, value in serve(strings).items()}
        found += [task.read_served(answers, index, row) for index, row in enumerate(part)]
    return found


LABELS = (["O", "B-x", "I-x", "I-y"], ["O", "U-x", "B-x", "L-x"], ["NOUN", "VERB"])
WAYS = ("first", "average", "max")


@pytest.mark.parametrize(
    ("labels", "aggregation"),
    [
        # Every scheme and every way once; all pairs of them are among the slow tests.
        pytest.param(labels, way, marks=[] if place == number else pytest.mark.slow)
        for place, labels in enumerate(LABELS)
        for number, way in enumerate(WAYS)
    ],
)
def test_entities(uncased, labels, aggregation):
    features = TokenClassification.features_for(labels)
    task = TokenClassification(uncased, features, max_length=24, aggregation=aggregation)

    def forward(inputs):
        return {"logits": drawn(inputs["input_ids"], len(labels))}

    rows = [{"text": text} for text in TEXTS]
    expected = in_python(task, rows, forward)
    agreement = comparison.compare(in_tensorflow(task, rows, forward), expected)
    assert (agreement.different, agreement.rows) == (0, len(TEXTS))
    assert sum(len(answer["entities"]) for answer in expected) > len(TEXTS)


@pytest.mark.parametrize("threshold", [pytest.param(None, marks=pytest.mark.slow), 1e-3])
def test_spans(uncased, threshold):
    task = QuestionAnswering(
        uncased,
        QuestionAnswering.features_for(None, None),
        max_length=40,
        stride=8,
        max_question_tokens=20,
        null_threshold=threshold,
    )

    def forward(inputs):
        logits = drawn(inputs["input_ids"], 2)
        real = inputs["attention_mask"] > 0
        names = ("start_logits", "end_logits")
        return {name: tf.where(real, logits[..., i], -1e9) for i, name in enumerate(names)}

    questions = ["where?", "who said that it is great?", "the", LONG]
    rows = [{"question": questions[index % 4], "context": text} for index, text in enumerate(TEXTS)]
    expected = in_python(task, rows, forward)
    assert comparison.compare(in_tensorflow(task, rows, forward), expected).different == 0
    said = {answer["answer"] for answer in expected}
    assert "" in said and len(said) > 10


def test_masks(uncased):
    task = MaskedLM(uncased, MaskedLM.features_for(None, ["text"]), max_length=24)
    mask = uncased.mask_token_id

    def forward(inputs):
        from tfhf.learning import masking

        asked, _ = masking.places(inputs["input_ids"] == mask)
        logits = drawn(inputs["input_ids"], len(uncased))
        return {"logits": tf.gather(logits, asked, batch_dims=1)}

    texts = [text for text in TEXTS if "[MASK]" in text] + [f"{LONG}[MASK]", "[MASK]" * 30]
    rows = [{"text": text} for text in texts]
    expected = in_python(task, rows, forward)
    assert comparison.compare(in_tensorflow(task, rows, forward), expected).different == 0
    assert len(expected[-1]["masks"]) == 30
    # A text without a mask, which `predict` refuses, has no guesses.
    (answer,) = in_tensorflow(task, [{"text": "the film"}, *rows[:1]], forward)[:1]
    assert answer == {"sequence": "the film", "masks": []}


def test_candidates_of_rows_with_fewer():
    labels = tf.constant([["a", "b", "c"], ["a", "b", ""], ["a", "", ""], ["", "", ""]])
    evidence = np.random.default_rng(0).normal(size=(4, 3, 2)).astype(np.float32)
    cosines = np.random.default_rng(1).uniform(-1, 1, size=(4, 3)).astype(np.float32)
    there = labels != ""
    for several in (True, False):
        entailed = candidates.entailed(evidence, there, several)
        near = candidates.nearness(cosines, there, several, 0.05)
        for row, count in enumerate([3, 2, 1]):
            expected = label_scores.entailed(evidence[row : row + 1, :count], several)
            np.testing.assert_allclose(entailed[row, :count], expected[0], atol=1e-6)
            expected = label_scores.nearness(cosines[row : row + 1, :count], several, 0.05)
            np.testing.assert_allclose(near[row, :count], expected[0], atol=1e-6)
    ranked = candidates.ranked(tf.constant([[0.1, 0.7, 0.9]] * 4), labels, there)
    assert ranked["labels"].numpy().tolist() == [
        [b"c", b"b", b"a"], [b"b", b"a", b""], [b"a", b"", b""], [b"", b"", b""]
    ]  # fmt: skip
    np.testing.assert_allclose(ranked["scores"][1], [0.7, 0.1, 0.0])
    made = candidates.hypotheses(labels[:1], "It is {}, or {}.").numpy().tolist()
    assert made[1] == b"It is b, or b."


def test_prompts_keep_their_end():
    ids = tf.ragged.constant([[5, 6, 7, 8, 9], [], [5]], dtype=tf.int32)
    kept = generated.prompts(ids, before=[], begin=1, room=3)
    assert kept.to_list() == [[7, 8, 9], [1], [5]]
    framed = generated.prompts(ids, before=[2, 3], begin=1, room=4)
    assert framed.to_list() == [[2, 3, 8, 9], [2, 3], [2, 3, 5]]
    assert generated.padded(kept, 0)["attention_mask"].numpy().tolist() == [
        [1, 1, 1], [1, 0, 0], [1, 0, 0]
    ]  # fmt: skip


def test_parts_of_texts():
    texts = ["  \u2003a e\u0301\u0323n ", "", "\u0301x", "..a", "\n . "]
    rows = tf.range(5, dtype=tf.int64)
    ends = tf.constant([len(text) for text in texts])
    whole = Texts(tf.constant(texts))
    start, end = whole.stripped(rows, tf.zeros_like(ends), ends)
    parts = whole.parts(rows, start, end).numpy()
    assert [part.decode() for part in parts] == [text.strip() for text in texts]
    e = texts[0].index("e")
    start, end = whole.with_marks([0, 0, 2], [e, e + 1, 1], [e + 1, e + 2, 2])
    assert start.numpy().tolist() == [e, e, 1]
    assert end.numpy().tolist() == [e + 3, e + 3, 2]
    found = whole.are_punctuation(
        tf.constant([3, 3, 4, 1, 0], tf.int64), [0, 0, 0, 0, 0], [2, 3, 4, 0, 2]
    )
    assert found.numpy().tolist() == [True, False, True, False, False]
