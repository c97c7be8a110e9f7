"""The quickstart in plain Keras: tfhf's pieces, and no recipe or run.

Run it with `python recipes/quickstart.py [FOLDER]`.
"""

import sys
from pathlib import Path

import datasets
import tf_keras

import tfhf
from tfhf.data import supportdesk


def main(folder="runs/quickstart-keras", model="minilm", max_length=48, rows=None, epochs=3):
    folder = Path(folder)

    # 1. Data: three CSV files with the columns text and intent.
    files = {split: str(path) for split, path in supportdesk.write(folder / "data").items()}
    data = datasets.load_dataset("csv", data_files=files)
    labels = sorted(set(data["train"]["intent"]))
    if rows:
        data = {split: part.select(range(rows)) for split, part in data.items()}

    # 2. Model: a Keras model around the pretrained weights, with a new head.
    tf_keras.utils.set_random_seed(42)
    model = tfhf.load_model(model, labels=labels, max_length=max_length)

    # 3. Batches of like lengths, tokenized once, read by TensorFlow alone.
    columns = {"text": "text", "label": "intent"}
    train = tfhf.to_tf_dataset(data["train"], model, columns=columns, shuffle=True)
    validation = tfhf.to_tf_dataset(data["validation"], model, columns=columns)
    test = tfhf.to_tf_dataset(data["test"], model, columns=columns)

    # 4. Compile and fit, as always.
    steps = epochs * len(train)
    rate = tfhf.warmup_schedule("linear", peak=2e-4, steps=steps, warmup_steps=steps // 10)
    model.compile(optimizer=tfhf.AdamW(rate), metrics=["accuracy"])
    model.fit(train, validation_data=validation, epochs=epochs)
    print(model.evaluate(test, return_dict=True))

    # 5. Save for PyTorch and TensorFlow, export for TensorFlow Serving.
    model.save_pretrained(folder / "model")
    print(tfhf.export(model, to=folder / "export/quickstart", rows=data["validation"]["text"][:]))
    return model


if __name__ == "__main__":
    main(*sys.argv[1:])
