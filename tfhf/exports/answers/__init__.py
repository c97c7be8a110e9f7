"""What a served model says: from a model's results to strings and numbers, as TensorFlow ops.

Each module does for exported graphs what a task's `decode` does in Python. Rows may have different
numbers of answers: a tensor's unused places hold 0 and the empty string.
"""
