"""What a predictions file says of blocks of tokens: how well those of each were guessed."""

EXCERPT = 300  # characters of a block that its record shows


def records(task, rows, results, column):
    """Yields one record per block.

    Args:
        task: the Task whose `encode` made blocks of the rows.
        rows: the split's `datasets.Dataset`.
        results: `tokens`, `loss` and `correct`, a sum for each block.
        column: that of `encode` whose ids a record shows; negative ones stand for no token.
    """
    block = 0
    for start in range(0, len(rows), task.rows_at_once):
        encoded = task.encode(rows[start : start + task.rows_at_once])
        for row, shown in zip(encoded["row"], encoded[column], strict=True):
            ids = [number for number in shown if number >= 0]
            tokens = int(results["tokens"][block])
            yield {
                "row": start + int(row) + 1,
                "text": task.processor.decode(ids, skip_special_tokens=True)[:EXCERPT],
                "tokens": tokens,
                "loss": float(results["loss"][block]) / tokens if tokens else None,
                "accuracy": float(results["correct"][block]) / tokens if tokens else None,
            }
            block += 1
