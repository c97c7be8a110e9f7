"""embedding: its losses against sentence-transformers', and from rows to vectors."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.tasks.check import check_equal, check_task
from tests.toys import embedding as toys
from tfhf import data, evaluation, models, pieces, prediction, tasks
from tfhf.data.tokens import TokenStore
from tfhf.errors import UserError
from tfhf.learning import embedding_losses as losses
from tfhf.learning import retrieval_metrics
from tfhf.learning.scoring import Scorer
from tfhf.tasks.embedding import Embedding

FACTS = Path(__file__).parent / "facts"


# === Losses, as sentence-transformers gives them: benchmarks/embedding.py record ===


@pytest.fixture(scope="module")
def theirs():
    return json.loads((FACTS / "embedding_losses.json").read_text())


@pytest.fixture
def outputs(theirs):
    """What `forward` gives for the recorded embeddings: six rows with two hard negatives each."""
    vectors = {name: tf.constant(v, tf.float32) for name, v in theirs["embeddings"].items()}
    rows = tf.range(6)
    hard = tf.stack([vectors["negative"], vectors["second_negative"]], 1)
    return {
        "embedding": vectors["anchor"],
        "text_number": rows,
        "positive": vectors["positive"],
        "positive.text_number": rows + 100,
        "negative": tf.reshape(hard, (12, -1)),
        "negative.there": tf.ones((6, 2), bool),
        "negative.text_number": tf.reshape(tf.range(12) + 200, (6, 2)),
        "text_pair": vectors["positive"],
        "real": tf.ones(6, bool),
    }


def without_negatives(outputs):
    return {name: value for name, value in outputs.items() if not name.startswith("negative")}


def task_of(loss, tokenizer=None, roles=(), **options):
    features = {role: None for role in (*Embedding.columns(loss), *roles)}
    return Embedding(tokenizer, features, loss=loss, **options)


def mean_loss(task, outputs, targets=None):
    values, counts = task.loss(targets, outputs)
    assert counts.numpy().tolist() == [1.0] * len(counts)
    return float(tf.reduce_mean(values))


def test_losses_are_those_of_sentence_transformers(theirs, outputs):
    expected, scores = theirs["losses"], tf.constant(theirs["scores"])
    pairs = without_negatives(outputs)
    triplets = outputs | {"negative": tf.constant(theirs["embeddings"]["negative"], tf.float32)}
    ranking = task_of("multiple_negatives")
    found = {
        "multiple_negatives": mean_loss(ranking, pairs),
        "multiple_negatives, scale 5": mean_loss(task_of("multiple_negatives", scale=5.0), pairs),
        "multiple_negatives, two negatives": mean_loss(ranking, outputs),
        "cosine": mean_loss(task_of("cosine"), outputs, scores),
        "cosent": mean_loss(task_of("cosent"), outputs, scores),
        "triplet": mean_loss(task_of("triplet"), triplets),
        "triplet, margin 1": mean_loss(task_of("triplet", margin=1.0), triplets),
    }
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("loss", ["multiple_negatives", "cosent"])
def test_rows_that_fill_up_the_batch_change_nothing(loss, theirs, outputs):
    task, scores = task_of(loss), np.array(theirs["scores"], np.float32)
    alone = {name: v[: 8 if name == "negative" else 4] for name, v in outputs.items()}
    filled = outputs | {"real": tf.constant([True] * 4 + [False] * 2)}
    expected, _ = task.loss(scores[:4], alone)
    found, _ = task.loss(scores, filled)
    np.testing.assert_allclose(found[:4], expected, rtol=1e-5)
    nobody = outputs | {"real": tf.zeros(6, bool)}
    assert np.isfinite(task.loss(scores, nobody)[0]).all()


def test_texts_that_stand_in_a_batch_twice_are_no_negatives(outputs):
    """Rows 0 and 1 share a positive, rows 2 and 3 an anchor; row 4's anchor is row 5's positive;
    a hard negative of row 5 is row 0's positive."""
    task = task_of("multiple_negatives")
    outputs = outputs | {
        "text_number": tf.constant([0, 1, 2, 2, 4, 5]),
        "positive.text_number": tf.constant([100, 100, 102, 103, 104, 4]),
        "negative.text_number": tf.constant([[1000 + i, 2000 + i] for i in range(5)] + [[100, 0]]),
    }
    values, _ = task.loss(None, outputs)
    unit = {name: tf.math.l2_normalize(outputs[name], -1).numpy() for name in ("embedding",)}
    documents = tf.concat([outputs["positive"], outputs["negative"]], 0)
    logits = 20 * unit["embedding"] @ tf.math.l2_normalize(documents, -1).numpy().T
    left_out = {0: [1, 16, 17], 1: [0, 16], 2: [3], 3: [2], 4: [5], 5: []}
    for row, none in left_out.items():
        kept = np.delete(logits[row], none)
        expected = np.log(np.exp(kept).sum()) - logits[row, row]
        assert float(values[row]) == pytest.approx(expected, rel=1e-4), row


def test_equal_texts_have_a_gradient():
    same = tf.Variable([[0.6, 0.8], [1.0, 0.0]])
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(losses.triplet(same, same * 1.0, -same, 5.0))
    assert np.isfinite(tape.gradient(loss, same)).all()


REPLICAS = """
import sys
import numpy as np
import tensorflow as tf
from tfhf.learning import embedding_losses as losses

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
draw = np.random.default_rng(0)
start = draw.normal(size=(5, 3)).astype("float32")
texts = draw.normal(size=(3, 8, 5)).astype("float32")
scores = draw.normal(size=8).astype("float32")
numbers = np.arange(8, dtype=np.int32) // 2 * 2

def step(rows):
    with tf.GradientTape() as tape:
        outputs = {
            "embedding": tf.gather(texts[0], rows) @ weights,
            "positive": tf.gather(texts[1], rows) @ weights,
            "negative": tf.gather(texts[2], rows) @ weights,
            "negative.there": tf.ones_like(rows)[:, None] > 0,
            "negative.text_number": rows[:, None] + 300,
            "text_number": rows,
            "positive.text_number": tf.gather(numbers, rows) + 100,
            "real": rows < 7,
        }
        cosines = losses.cosines(outputs["embedding"], outputs["positive"])
        order = losses.cosent(cosines, tf.gather(scores, rows), outputs["real"], 20.0)
        values = losses.in_batch(outputs, 20.0) + order
        loss = tf.reduce_sum(values * tf.cast(outputs["real"], tf.float32)) / 7
    context = tf.distribute.get_replica_context()
    found = [loss, tape.gradient(loss, weights)]
    return [context.all_reduce("sum", value) for value in found]

found = []
for strategy in tf.distribute.get_strategy(), tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]):
    with strategy.scope():
        weights = tf.Variable(start)
    rows = tf.data.Dataset.from_tensor_slices(tf.range(8)).batch(8)
    batch = next(iter(strategy.experimental_distribute_dataset(rows)))
    results = tf.function(lambda batch: strategy.run(step, (batch,)))(batch)
    found.append([strategy.experimental_local_results(one)[0].numpy() for one in results])
np.testing.assert_allclose(found[1][0], found[0][0], rtol=1e-5)
np.testing.assert_allclose(found[1][1], found[0][1], rtol=1e-4, atol=1e-5)
"""


def test_two_replicas_see_each_others_documents():
    subprocess.run([sys.executable, "-c", REPLICAS], check=True)


# === From rows to vectors ===


def test_from_scored_pairs_to_served_vectors(tiny_bert_folder, tmp_path, proven_here):
    recipe = {
        "model": str(tiny_bert_folder),
        "options": {"max_length": 16, "loss": "cosent", "normalise": True},
    }
    model, dataset, results = check_task("embedding", recipe, toys.scored(16), tmp_path)
    assert results["embedding"].shape == (16, 16)
    np.testing.assert_allclose(np.linalg.norm(results["embedding"], axis=1), 1, rtol=1e-5)
    # The file says what the vectors are to whoever opens it without our task's settings.
    processor = Embedding.load_processor(models.resolve(str(tmp_path / "model")))
    plain = Embedding(processor, Embedding.features_for(None, ["anchor", "positive"]))
    assert (plain.pooling, plain.normalise, plain.max_length) == ("mean", True, 16)


def test_from_anchors_with_hard_negatives_to_metrics(tiny_bert_folder, tmp_path):
    rows = toys.anchored(16)
    model = pieces.load_model(
        str(tiny_bert_folder), "embedding", labels=[], roles=("negative",), max_length=16
    )
    task = model.task
    assert task.roles == ["anchor", "positive", "negative"]
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    dataset = data.load(task.columns(), files={"train": [str(file)], "validation": [str(file)]})
    dataset = dataset.splits["validation"]
    store = TokenStore.build(dataset, task, tmp_path / "tokens")
    model.compile("adam")
    batches = pieces.to_tf_dataset(dataset, model, batch_size=6, shuffle=True)
    assert np.isfinite(model.fit(batches, verbose=0).history["loss"]).all()

    values, scores = evaluation.measure(Scorer(model, 5), store, dataset)
    whole, _ = evaluation.measure(Scorer(model, 16), store, dataset)
    assert set(values) == {"loss", *task.metric_names}
    for name in task.metric_names:
        assert whole[name] == pytest.approx(values[name], abs=1e-5), name
    records = list(task.records(dataset, scores.results))
    first = np.mean([record["rank"] == 1 for record in records])
    assert values["recall_at_1"] == pytest.approx(first)
    assert [record["text"] for record in records] == [row["anchor"] for row in rows]
    assert json.loads(json.dumps(records))

    texts = [row["anchor"] for row in rows]
    results = prediction.Pipeline(model).results(data.from_rows(texts, task.inputs))
    unit = results["embedding"] / np.linalg.norm(results["embedding"], axis=1, keepdims=True)
    np.testing.assert_allclose(unit, scores.results["anchor"], atol=1e-5)
    model.save_pretrained(tmp_path / "model")
    restored = prediction.load(tmp_path / "model", tasks.get("embedding"))
    assert restored.task.settings() == task.settings()
    check_equal(prediction.Pipeline(restored).results(data.from_rows(texts, task.inputs)), results)


@pytest.mark.slow
def test_anchors_are_served_as_texts(tiny_bert_folder, tmp_path, proven_here):
    recipe = {"model": str(tiny_bert_folder), "options": {"max_length": 16}}
    model, _, results = check_task("embedding", recipe, toys.anchored(16), tmp_path)
    assert list(model.task.serving_inputs) == ["text"]
    assert results["embedding"].shape == (16, 16)


def test_several_negatives_are_read_as_if_each_stood_alone(tiny_bert_folder):
    model = pieces.load_model(
        str(tiny_bert_folder), "embedding", labels=[], roles=("negative",), max_length=16
    )
    texts = [["dull", "a warm and funny story"], ["bad film"], ["great film", "x", "lovely, dull"]]
    rows = {"anchor": ["a", "b", "c"], "positive": ["d", "e", "f"], "negative": texts}
    inputs = padded(model.task.encode(rows), model.task.padding)
    outputs = model.task.forward(model.backbone, inputs, False)
    flat = [text for row in texts for text in row]
    alone = prediction.Pipeline(model).results(data.from_rows(flat, model.task.inputs))
    np.testing.assert_allclose(outputs["negative"], alone["embedding"], atol=1e-5)
    assert outputs["negative.there"].numpy().sum(1).tolist() == [2, 1, 3]


def padded(columns, fills):
    """Columns of `encode` as one batch."""
    batch = {}
    for name, values in columns.items():
        if name not in fills:
            batch[name] = tf.constant(values)
            continue
        ragged = tf.ragged.constant(values, dtype=tf.int32)
        batch[name] = ragged.to_tensor(fills[name])
        if name.endswith("input_ids"):
            mask = tf.ones_like(ragged).to_tensor(0)
            batch[name.removesuffix("input_ids") + "attention_mask"] = mask
    return batch


def test_dropout_tells_the_towers_apart(tiny_bert_folder):
    """They are traced once, and the same text must not lose the same numbers in both."""
    from tfhf.learning import layers

    model = pieces.load_model(str(tiny_bert_folder), "embedding", loss="triplet", max_length=16)
    model.compile()
    ids = tf.constant([[2, 30, 31, 3]])
    text = {"input_ids": ids, "attention_mask": tf.ones_like(ids)}
    inputs = {f"{role}{name}": text[name] for role in ("", "positive.") for name in text}

    @tf.function(autograph=False)
    def towers(step):
        with layers.training(layers.Noise(1, step)):
            outputs = model.task.forward(model.backbone, inputs, True)
        return outputs["embedding"], outputs["positive"]

    first, second = towers(tf.constant(0, tf.int64))
    assert abs(first - second).numpy().max() > 1e-3
    again, _ = towers(tf.constant(0, tf.int64))
    assert (again.numpy() == first.numpy()).all()


def test_a_checkpoint_without_a_pooler_embeds(tiny_bert_folder, tmp_path):
    """A masked language model has none, and no vector here comes from one."""
    from transformers import AutoTokenizer, BertConfig, TFBertForMaskedLM

    backbone = TFBertForMaskedLM(BertConfig.from_pretrained(tiny_bert_folder))
    backbone.build_in_name_scope()
    models.save_backbone(backbone, AutoTokenizer.from_pretrained(tiny_bert_folder), tmp_path)
    (vectors,) = prediction.pipeline("feature-extraction", str(tmp_path))("a film")
    assert np.shape(vectors) == (4, 16)
    ask = prediction.pipeline("zero-shot-classification", str(tmp_path), method="embedding")
    assert len(ask("a film", candidate_labels="warm, cold")["scores"]) == 2


def test_pooling(tiny_tokenizer):
    states = tf.constant([[[1.0, 5.0], [3.0, -1.0], [9.0, 9.0]], [[2.0, 2.0]] * 3])
    read = {"attention_mask": tf.constant([[1, 1, 0], [1, 1, 1]])}
    expected = {"mean": [2.0, 2.0], "cls": [1.0, 5.0], "max": [3.0, 5.0]}
    for pooling, vector in expected.items():
        task = task_of("cosent", pooling=pooling)
        assert task._pooled(states, read).numpy().tolist() == [vector, [2.0, 2.0]]
    unit = task_of("cosent", pooling="cls", normalise=True)._pooled(states, read).numpy()
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1, rtol=1e-6)


def test_token_vectors_are_presented_without_padding():
    states = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    results = {"last_hidden_state": states, "tokens": np.array([2, 3])}
    task = task_of("cosent")
    assert task.present(results, 0, {}) == [[[0.0, 1.0], [2.0, 3.0]]]
    assert task.present(results, 1, {}, return_tensors=True).shape == (1, 3, 2)


# === Options ===


def test_a_checkpoint_says_how_its_vectors_are_made(tiny_tokenizer, monkeypatch):
    stated = {"pooling": "cls", "normalise": True, "max_length": 20}
    monkeypatch.setattr(tiny_tokenizer, "sentence_modules", stated, raising=False)
    task = task_of("multiple_negatives", tiny_tokenizer)
    assert (task.pooling, task.normalise, task.max_length) == ("cls", True, 20)
    task = task_of(
        "multiple_negatives", tiny_tokenizer, pooling="max", normalise=False, max_length=8
    )
    assert (task.pooling, task.normalise, task.max_length) == ("max", False, 8)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"max_length": 33},
            "options.max_length: the model reads at most 32 tokens; received 33",
        ),
        (
            {"score_range": (1.0, 0.0)},
            "options.score_range: wants the lowest and the highest score, such as [0, 5]; "
            "received [1.0, 0.0]",
        ),
    ],
)
def test_options_that_cannot_be_are_refused(options, message, tiny_tokenizer):
    with pytest.raises(UserError) as caught:
        task_of("cosine", tiny_tokenizer, **options)
    assert str(caught.value) == message


def test_scores_are_mapped_to_cosines(tiny_tokenizer):
    task = task_of("cosine", tiny_tokenizer, score_range=(0.0, 5.0))
    rows = {"text": ["a", "b"], "text_pair": ["c", "d"], "score": [5.0, 1.0]}
    assert task.encode(rows)["score"] == [1.0, 0.2]
    assert task_of("cosent", tiny_tokenizer).encode(rows)["score"] == [5.0, 1.0]
    with pytest.raises(UserError) as caught:
        task_of("cosine", tiny_tokenizer).encode(rows)
    assert str(caught.value) == (
        "options.score_range: give the lowest and the highest score, such as [0, 5]; "
        "received [0.0, 1.0], and a score is 5"
    )


# === Metrics ===


def test_ranking_metrics_by_hand():
    values = retrieval_metrics.Ranking().compute(
        predictions=[[3, 1, 2], [9, 8, 7]], references=[[1, 5], [9]]
    )
    ndcg = (1 / np.log2(3)) / (1 + 1 / np.log2(3))
    assert values == pytest.approx(
        {
            "ndcg_at_10": (ndcg + 1) / 2,
            "mrr_at_10": (0.5 + 1) / 2,
            "recall_at_1": (0 + 1) / 2,
            "recall_at_5": (0.5 + 1) / 2,
            "recall_at_10": (0.5 + 1) / 2,
        }
    )


def test_graded_relevance_as_scikit_learn_counts_it():
    from sklearn.metrics import ndcg_score

    draw = np.random.default_rng(0)
    grades, products = draw.integers(0, 4, (7, 30)), draw.normal(size=(7, 30))
    relevant = [np.flatnonzero(row).tolist() for row in grades]
    metric = retrieval_metrics.Ranking()
    found = metric.compute(
        predictions=np.argsort(-products, axis=1)[:, :10],
        references=relevant,
        grades=[row[ones].tolist() for row, ones in zip(grades, relevant, strict=True)],
    )
    assert found["ndcg_at_10"] == pytest.approx(ndcg_score(grades, products, k=10))


def test_equal_texts_count_once():
    rows = data.from_rows(
        [{"anchor": a, "positive": p} for a, p in ["qx", "qy", "rx"]], ["anchor", "positive"]
    )
    anchors = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    positives = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    values = retrieval_metrics.of_pairs(rows, anchors, positives)
    # `q` finds both of its passages; `r` finds `x` behind `y`.
    assert values["recall_at_1"] == pytest.approx((0.5 + 0) / 2)
    assert values["mrr_at_10"] == pytest.approx((1 + 0.5) / 2)
    ranks = [one["rank"] for one in retrieval_metrics.records(rows, anchors, positives)]
    assert ranks == [1, 2, 2]


def test_ties_go_to_the_first_passage():
    found = retrieval_metrics.nearest(np.ones((3, 2)), np.ones((4, 2)), 2, at_once=2)
    assert found.tolist() == [[0, 1]] * 3


def test_a_correlation_with_constant_scores_is_undefined():
    task = task_of("cosent")
    rows = {"score": [1.0, 1.0, 1.0]}
    values = task.score(rows, {"similarity": np.array([0.1, 0.2, 0.3])})
    assert set(values) == {"spearman", "pearson"} and np.isnan(values["spearman"])
