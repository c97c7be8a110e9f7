"""A model learns the language of your texts before it learns your labels.

Most texts have no label. Here a model first guesses hidden words of all of them (`masked_lm`), and
then learns to classify from the few that are labelled; a second classifier that skips the first
step shows what it was worth.

    python recipes/domain_adaptation.py                           messages of a support desk
    python recipes/domain_adaptation.py --texts texts.txt --train train.csv --test test.csv

`texts.txt` has a text per line; the CSV files have the columns `text` and `label`.
"""

import argparse
from pathlib import Path

import datasets
import tf_keras

import tfhf
from tfhf.data import supportdesk


def main(
    folder="runs/domain-adaptation",
    model="minilm",
    max_length=64,
    rows=None,
    epochs=10,
    adaptation_epochs=3,
    labelled=200,
    texts=None,
    train=None,
    test=None,
):
    folder = Path(folder)
    texts, train, test = load(folder, texts, train, test, labelled)
    labels = sorted(set(train["label"]))
    if rows:
        texts, train, test = (part.select(range(rows)) for part in (texts, train, test))
    print(f"{len(texts):,} texts, {len(train):,} of them labelled, {len(labels)} labels")

    # 1. Adaptation: the texts end to end in blocks, some words hidden anew in each epoch.
    tf_keras.utils.set_random_seed(42)
    adapted = tfhf.load_model(model, "masked_lm", max_length=max_length, whole_word=True)
    fit(adapted, tfhf.to_tf_dataset(texts, adapted, shuffle=True), adaptation_epochs, peak=1e-4)
    adapted.save_pretrained(folder / "adapted")

    # 2. Classification, from the checkpoint as it was and from the adapted one; a new head each.
    accuracy = {}
    for name, start in {"as it was": model, "adapted": folder / "adapted"}.items():
        tf_keras.utils.set_random_seed(42)
        classifier = tfhf.load_model(start, labels=labels, max_length=max_length)
        batches = tfhf.to_tf_dataset(train, classifier, shuffle=True, batch_size=16)
        fit(classifier, batches, epochs, peak=2e-4)
        found = tfhf.to_tf_dataset(test, classifier)
        accuracy[name] = classifier.evaluate(found, return_dict=True)["accuracy"]
    for name, value in accuracy.items():
        print(f"accuracy on {len(test):,} test texts, {name}: {value:.3f}")

    # 3. The adapted classifier for PyTorch and TensorFlow, and for TensorFlow Serving.
    classifier.save_pretrained(folder / "model")
    print(tfhf.export(classifier, to=folder / "export/adapted", rows=test["text"][:]))
    return classifier


def load(folder, texts, train, test, labelled):
    """All texts, the labelled ones and the test set; messages of a support desk by default."""
    if train is None:
        files = supportdesk.write(folder / "data")
        found = [datasets.Dataset.from_csv(str(files[split])) for split in ("train", "test")]
        train, test = (part.rename_column("intent", "label") for part in found)
        texts = train.select_columns(["text"])
        train = train.shuffle(seed=42).select(range(labelled))
    else:
        train, test = (datasets.Dataset.from_csv(str(file)) for file in (train, test))
        texts = datasets.Dataset.from_text(str(texts)) if texts else train.select_columns(["text"])
    return texts, train, test


def fit(model, batches, epochs, peak):
    """AdamW with a rate that rises for a tenth of the steps and then falls to 0."""
    steps = epochs * len(batches)
    rate = tfhf.warmup_schedule("linear", peak=peak, steps=steps, warmup_steps=steps // 10)
    metrics = ["accuracy"] if model.task.labels else []
    model.compile(optimizer=tfhf.AdamW(rate), metrics=metrics)
    model.fit(batches, epochs=epochs, verbose=2)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", default="runs/domain-adaptation")
    parser.add_argument("--model", default="minilm")
    parser.add_argument("--max-length", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--adaptation-epochs", type=int, default=3)
    parser.add_argument("--labelled", type=int, default=200, help="of the support desk's messages")
    for name in ("texts", "train", "test"):
        parser.add_argument(f"--{name}")
    chosen = parser.parse_args()
    if bool(chosen.train) != bool(chosen.test) or (chosen.texts and not chosen.train):
        parser.error("--train and --test go together, and --texts goes with them")
    main(**vars(chosen))
