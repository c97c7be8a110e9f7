"""What a model's new weights start with."""

import numpy as np

from tests.models.folders import load
from tfhf.models import load_backbone, resolve


def test_new_weights_follow_the_global_seed(bert):
    import tf_keras

    heads = []
    for seed in (7, 7, 8):
        tf_keras.utils.set_random_seed(seed)
        heads.append(load(bert, num_labels=4)[0].classifier.kernel.numpy())
    assert np.array_equal(heads[0], heads[1])
    assert not np.array_equal(heads[0], heads[2])


def test_a_new_head_starts_as_pytorch_starts_it(tiny_bert_folder):
    import tf_keras

    source = resolve(str(tiny_bert_folder))
    heads = []
    for _ in range(2):
        tf_keras.utils.set_random_seed(5)
        model, report = load_backbone(
            source, "TFAutoModelForSequenceClassification", num_labels=400, initializer_range=0.5
        )
        assert "classifier.weight" in report.new
        heads.append(model.classifier.kernel.numpy())
    np.testing.assert_array_equal(*heads)
    # Normal with the config's deviation; a normal cut off at two deviations would have 0.44.
    assert abs(heads[0].std() - 0.5) < 0.02
    assert abs(heads[0]).max() > 1.0
    assert (model.classifier.bias.numpy() == 0).all()
