"""Rows as transformers' example scripts tokenize and pad them, for TensorFlow and the Trainer."""

import datasets
import transformers


def tokenized(job, tensors):
    """Rows of tokens, and what pads a batch of them.

    Args:
        job: see `jobs.prepare`.
        tensors: `np` or `pt`.

    Returns:
        A `datasets.Dataset` with `labels`, and a collator.
    """
    tokenizer = transformers.AutoTokenizer.from_pretrained(job["model"])
    rows = datasets.load_dataset("json", data_files=job["rows"], split="train")
    cut = {"truncation": True, "max_length": job["options"]["max_length"]}

    def labels_of_texts(batch):
        labels = batch["label"]
        if job["problem"] == "multi_label":
            count = len(job["labels"])
            labels = [[float(index in present) for index in range(count)] for present in labels]
        return tokenizer(batch["text"], **cut) | {"labels": labels}

    def tags_of_words(batch):
        found = tokenizer(batch["tokens"], is_split_into_words=True, **cut)
        found["labels"] = [
            _first_tokens(found.word_ids(index), tags) for index, tags in enumerate(batch["tags"])
        ]
        return found

    def summaries(batch):
        longest = job["options"]["max_target_length"]
        targets = [references[0] for references in batch["target"]]
        labels = tokenizer(targets, truncation=True, max_length=longest)["input_ids"]
        sources = tokenizer(batch["source"], return_token_type_ids=False, **cut)  # BART takes none
        return sources | {"labels": labels}

    encode, collator = {
        "text_classification": (labels_of_texts, transformers.DataCollatorWithPadding),
        "token_classification": (
            tags_of_words,
            transformers.DataCollatorForTokenClassification,
        ),
        "summarization": (summaries, transformers.DataCollatorForSeq2Seq),
    }[job["task"]]
    # Kept in memory: a cache on disk would spare one peer the work on its second start.
    rows = rows.map(encode, batched=True, remove_columns=rows.column_names, keep_in_memory=True)
    return rows, collator(tokenizer, return_tensors=tensors)


def _first_tokens(words, tags):
    """A label per token: that of its word on the first of its tokens, else -100, which none is."""
    pairs = zip([None, *words], words, strict=False)
    return [-100 if word is None or word == before else tags[word] for before, word in pairs]
