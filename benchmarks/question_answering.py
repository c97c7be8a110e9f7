"""Fine-tunes an extractive question answerer in PyTorch: the figure a recipe is held against.

Runs in an environment of its own (torch, transformers); tfhf is not imported. The flags have the
names and defaults of a recipe's `train:` and `options:` keys, and the loop is the recipe's: AdamW
without decay on biases and layer norms, clipping, linear decay, a new order of the windows every
epoch, and the weights of the best validation epoch at the end. The files are JSONL with
`question`, `context` and `answers` as SQuAD's loaders give them: `{"text", "answer_start"}`.

    python benchmarks/question_answering.py --train train.jsonl --validation validation.jsonl \
        --test test.jsonl --epochs 2 --batch-size 16 --learning-rate 5e-5 --seed 42

The last line on stdout is one JSON object: EM and F1 per split, seconds and settings. Where a
split has unanswerable questions, the threshold found on validation is used on both splits.
"""

import json
import re
import string
from collections import Counter

import environments
import pytorch_loop
import torch
from transformers import AutoModelForQuestionAnswering, AutoTokenizer

# === Windows ===


def windows(rows, tokenizer, args):
    """Every window of every row: its tokens, its row, the context's characters, start and end."""
    tokens = tokenizer(
        [row["question"] for row in rows],
        [row["context"] for row in rows],
        truncation="only_second",
        max_length=args.max_length,
        stride=args.stride,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )
    found = []
    for number, row in enumerate(tokens["overflow_to_sample_mapping"]):
        offsets = [
            pair if part == 1 else None
            for pair, part in zip(
                tokens["offset_mapping"][number], tokens.sequence_ids(number), strict=True
            )
        ]
        start, end = positions(offsets, rows[row]["answers"])
        features = {name: tokens[name][number] for name in tokenizer.model_input_names}
        found.append((features, row, offsets, start, end))
    return found


def positions(offsets, answers):
    """Tokens of the first answer, or the first token twice where the window does not hold it."""
    held = [(place, pair) for place, pair in enumerate(offsets) if pair is not None]
    if not answers["text"] or not held:
        return 0, 0
    begin = answers["answer_start"][0]
    stop = begin + len(answers["text"][0])
    if held[0][1][0] > begin or held[-1][1][1] < stop:
        return 0, 0
    inside = [place for place, (first, last) in held if last > begin and first < stop]
    return inside[0], inside[-1]


def collate(chosen, tokenizer):
    """A batch padded to its longest window."""
    batch = tokenizer.pad([window[0] for window in chosen], return_tensors="pt")
    starts = torch.tensor([window[3] for window in chosen])
    ends = torch.tensor([window[4] for window in chosen])
    return batch, starts, ends


# === Answers ===


def answers(model, examples, rows, tokenizer, args, batch_size=32):
    """Per row: text of the best span, and its odds against no answer as a probability."""
    best = [(float("-inf"), "") for _ in rows]
    nulls = [0.0] * len(rows)
    ordered = sorted(examples, key=lambda window: len(window[0]["input_ids"]))
    for start in range(0, len(ordered), batch_size):
        chosen = ordered[start : start + batch_size]
        outputs = model(**collate(chosen, tokenizer)[0])
        for index, (_, row, offsets, _, _) in enumerate(chosen):
            allowed = torch.tensor(
                [place == 0 or pair is not None for place, pair in enumerate(offsets)]
            )
            sides = [
                logits[index, : len(offsets)].masked_fill(~allowed, float("-inf")).log_softmax(-1)
                for logits in (outputs.start_logits, outputs.end_logits)
            ]
            nulls[row] = min(nulls[row], float(sides[0][0] + sides[1][0]))
            score, first, last = best_span(*sides, args.max_answer_tokens)
            if score > best[row][0]:
                text = rows[row]["context"][offsets[first][0] : offsets[last][1]]
                best[row] = score, text
    found = []
    for (score, text), null in zip(best, nulls, strict=True):
        found.append((text, float(torch.sigmoid(torch.tensor(null - score)))))
    return found


def best_span(starts, ends, longest):
    """The best span of at most `longest` tokens that does not begin at the first token."""
    sums = starts[:, None] + ends[None, :]
    size = len(starts)
    band = torch.ones(size, size).triu().tril(longest - 1).bool()
    band[0] = False
    flat = sums.masked_fill(~band, float("-inf")).flatten().argmax()
    first, last = divmod(int(flat), size)
    return float(sums[first, last]), first, last


# === EM and F1 as the official script defines them ===


def words(text):
    """Lower case, no punctuation, no articles."""
    text = "".join(c for c in text.lower() if c not in string.punctuation)
    return re.sub(r"\b(a|an|the)\b", " ", text).split()


def match(predicted, reference):
    """Exact match and F1 of two answers' words."""
    predicted, reference = words(predicted), words(reference)
    exact = float(predicted == reference)
    common = sum((Counter(predicted) & Counter(reference)).values())
    if not predicted or not reference or not common:
        return exact, exact
    precision, recall = common / len(predicted), common / len(reference)
    return exact, 2 * precision * recall / (precision + recall)


def score(found, rows, threshold):
    """Mean EM and F1; a question is taken as unanswerable above the threshold, None for never."""
    values = []
    for (text, null), row in zip(found, rows, strict=True):
        said = "" if threshold is not None and null > threshold else text
        pairs = [match(said, reference) for reference in row["answers"]["text"] or [""]]
        values.append((max(one for one, _ in pairs), max(one for _, one in pairs)))
    exact, f1 = (sum(column) / len(values) for column in zip(*values, strict=True))
    return {"exact_match": exact, "f1": f1}


def best_threshold(found, rows):
    """The threshold with the best F1 among all that make a difference."""
    candidates = sorted({null for _, null in found})
    step = max(1, len(candidates) // 300)
    return max([0.0, *candidates[::step]], key=lambda one: score(found, rows, one)["f1"])


def main():
    """Trains, keeps the best epoch by validation, and prints the figures."""
    parser = pytorch_loop.parser(__doc__.splitlines()[0], "JSONL file", max_length=384)
    parser.add_argument("--stride", type=int, default=128)
    parser.add_argument("--max-answer-tokens", type=int, default=30)
    args = parser.parse_args()
    pytorch_loop.begin(args)
    rows = pytorch_loop.read_lines(args)
    folder = environments.find_model(args.model)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForQuestionAnswering.from_pretrained(folder)
    data = {split: windows(part, tokenizer, args) for split, part in rows.items()}
    unanswerable = not all(row["answers"]["text"] for row in rows["validation"])

    def loss_of(numbers):
        chosen = [data["train"][number] for number in numbers]
        batch, starts, ends = collate(chosen, tokenizer)
        return model(**batch, start_positions=starts, end_positions=ends).loss

    def answered(split):
        return answers(model, data[split], rows[split], tokenizer, args)

    def measure():
        usual = 0.5 if unanswerable else None
        return score(answered("validation"), rows["validation"], usual)

    result = pytorch_loop.fine_tune(model, len(data["train"]), loss_of, measure, args, "f1")
    found = {
        split: pytorch_loop.measured(model, answered, split) for split in ("validation", "test")
    }
    threshold = best_threshold(found["validation"], rows["validation"]) if unanswerable else None
    scores = {split: score(part, rows[split], threshold) for split, part in found.items()}
    print(json.dumps(result | {"threshold": threshold} | scores))


if __name__ == "__main__":
    main()
