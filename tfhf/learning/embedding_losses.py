"""Losses that draw embeddings of like texts together and push others apart.

They are those of sentence-transformers, with its defaults; see
https://sbert.net/docs/package_reference/sentence_transformer/losses.html. Shapes: B examples, D
width, M documents.
"""


def per_row(objective, outputs, scores=None, *, scale, margin):
    """The loss of each row of a batch.

    Args:
        objective: `multiple_negatives`, `triplet`, `cosine` or `cosent`.
        outputs: as for `in_batch`; or `embedding` with `positive` and `negative`, or with
            `text_pair`, `(B, D)` each, and `real` `(B,)` bool.
        scores: `(B,)`, for `cosine` (in the range of cosines) and `cosent`.
        scale, margin: as for `multiple_negatives` and `triplet`.

    Returns:
        `(B,)` float32.
    """
    import tensorflow as tf

    first = outputs["embedding"]
    if objective == "multiple_negatives":
        return in_batch(outputs, scale)
    if objective == "triplet":
        return triplet(first, outputs["positive"], outputs["negative"], margin)
    found, scores = cosines(first, outputs["text_pair"]), tf.cast(scores, tf.float32)
    if objective == "cosine":
        return tf.square(found - scores)
    # One loss for the whole batch; each row stands for it.
    return tf.ones_like(found) * cosent(found, scores, outputs["real"], scale)


def cosines(first, second):
    """Cosine of each pair of rows: two `(B, D)` tensors → `(B,)`."""
    import tensorflow as tf

    return tf.reduce_sum(tf.math.l2_normalize(first, -1) * tf.math.l2_normalize(second, -1), -1)


def multiple_negatives(anchors, documents, own, excluded, scale):
    """Cross-entropy of each anchor's own document among all documents of the batch.

    Args:
        anchors: `(B, D)` float32.
        documents: `(M, D)` float32: the positives of the batch, and its hard negatives.
        own: `(B,)` int32, which document is the anchor's positive.
        excluded: `(B, M)` bool, documents that are no negative of the anchor.
        scale: what cosines are multiplied by, the inverse of the temperature; 20 is usual.

    Returns:
        `(B,)` float32.

    Source: Henderson et al. 2017, section 4.4, https://arxiv.org/abs/1705.00652.
    """
    import tensorflow as tf

    anchors, documents = tf.math.l2_normalize(anchors, -1), tf.math.l2_normalize(documents, -1)
    logits = scale * tf.matmul(anchors, documents, transpose_b=True)
    # No negative is that far away: the softmax gives it nothing, and no gradient flows.
    logits = tf.where(excluded, logits.dtype.min, logits)
    return tf.nn.sparse_softmax_cross_entropy_with_logits(own, logits)


def false_negatives(anchors, positives, all_anchors, all_positives, negatives):
    """Which documents of a batch are no negatives, because one text stands in it twice.

    A document counts as no negative of an anchor if its text is that of the anchor or of its
    positive, or if it is a positive of the same anchor. Texts are compared by numbers.

    Args:
        anchors, positives: `(B,)` int32, numbers of the texts of this replica's rows.
        all_anchors, all_positives: `(P,)` int32, those of the rows of all replicas.
        negatives: `(N,)` int32, those of all hard negatives.

    Returns:
        `(B, P + N)` bool; an anchor's own positive is among them.
    """
    import tensorflow as tf

    documents = tf.concat([all_positives, negatives], 0)
    anchors, positives = anchors[:, None], positives[:, None]
    same_text = (positives == documents) | (anchors == documents)
    same_anchor = anchors == all_anchors
    return same_text | tf.pad(same_anchor, [[0, 0], [0, tf.size(negatives)]])


def in_batch(outputs, scale):
    """`multiple_negatives` of a batch, against the documents of all replicas.

    Rows that only fill up the batch give no documents, nor do texts that stand in it twice.

    Args:
        outputs: `embedding` and `positive` `(B, D)`, `text_number` and `positive.text_number`
            `(B,)` int32, `real` `(B,)` bool; for hard negatives `negative` `(N, D)` and, with the
            texts of each row, `negative.there` and `negative.text_number` `(B, K)`.
        scale: as for `multiple_negatives`.

    Returns:
        `(B,)` float32.
    """
    import tensorflow as tf

    anchors, numbers, real = outputs["embedding"], outputs["text_number"], outputs["real"]
    positives = outputs["positive.text_number"]
    rows = [outputs["positive"], numbers, positives, tf.cast(real, tf.int32)]
    (documents, *every, is_real), start = _over_replicas(rows)
    own = start + tf.range(tf.shape(anchors)[0])
    negatives = tf.zeros((0,), tf.int32)
    if "negative" in outputs:
        there = outputs["negative.there"]
        kept = tf.boolean_mask(tf.broadcast_to(real[:, None], tf.shape(there)), there)
        vectors = tf.boolean_mask(outputs["negative"], kept)
        negatives = tf.boolean_mask(outputs["negative.text_number"], there & real[:, None])
        (vectors, negatives), _ = _over_replicas([vectors, negatives])
        documents = tf.concat([documents, vectors], 0)
    excluded = false_negatives(numbers, positives, *every, negatives)
    excluded |= tf.pad(is_real == 0, [[0, tf.size(negatives)]])
    excluded &= ~tf.one_hot(own, tf.shape(documents)[0], True, False)
    return multiple_negatives(anchors, documents, own, excluded, scale)


def cosent(cosines, scores, real, scale):
    """How much the order of the cosines contradicts that of the scores.

    log(1 + Σ exp(scale · (cosine_i − cosine_j))) over all pairs of rows, of all replicas, with
    score_i < score_j.

    Args:
        cosines: `(B,)` float32.
        scores: `(B,)` float32; only their order matters.
        real: `(B,)` bool, False where a row only fills up the batch.
        scale: what cosines are multiplied by; 20 is usual.

    Returns:
        A float32 scalar: the loss is one of the batch, not of its rows.

    Source: Huang et al. 2024, https://doi.org/10.1109/TASLP.2024.3402087.
    """
    import tensorflow as tf

    rows = [cosines, scores, tf.cast(real, tf.int32)]
    (cosines, scores, real), _ = _over_replicas(rows)
    real = real > 0
    scaled = scale * cosines
    differences = scaled[:, None] - scaled[None, :]
    counted = (scores[:, None] < scores[None, :]) & real[:, None] & real[None, :]
    kept = tf.where(counted, differences, differences.dtype.min)
    return tf.reduce_logsumexp(tf.concat([[0.0], tf.reshape(kept, [-1])], 0))


def triplet(anchors, positives, negatives, margin):
    """How much nearer than `margin` the negative is, compared with the positive.

    max(0, |anchor − positive| − |anchor − negative| + margin), in Euclidean distances.

    Args:
        anchors, positives, negatives: `(B, D)` float32.
        margin: 5 is the default of sentence-transformers, for embeddings of any length; those of
            length 1 are never further apart than 2.

    Returns:
        `(B,)` float32.

    Source: Schroff et al. 2015, https://arxiv.org/abs/1503.03832, without the squares.
    """
    import tensorflow as tf

    return tf.nn.relu(_distances(anchors, positives) - _distances(anchors, negatives) + margin)


def _distances(first, second):
    import tensorflow as tf

    # The root has no slope at 0, where two texts are the same.
    return tf.sqrt(tf.maximum(tf.reduce_sum(tf.square(first - second), -1), 1e-12))


def _over_replicas(tensors):
    """The rows of all replicas that take part in the step, in the order of the replicas.

    Args:
        tensors: a list of tensors with this replica's rows in front. Gradients flow back to the
            replica that each row came from.

    Returns:
        The list with all rows, and the number of the first row of this replica.
    """
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return tensors, 0
    start = context.replica_id_in_sync_group * tf.shape(tensors[0])[0]
    # One by one: integers may live on the host, and one call takes one kind of device.
    return [context.all_gather(tensor, axis=0) for tensor in tensors], start
