import json


def test_x(toy_recipe, tmp_path, tiny_tokenizer):
    import tf_keras
    from transformers import BertConfig, TFBertModel

    from tfhf import models, training
    class Stop(Exception): pass
    def stop(*a, **k): raise Stop
    training.exporting.publish = stop
    for init in (0.02, 0.2):
        tf_keras.utils.set_random_seed(0)
        config = BertConfig(vocab_size=len(tiny_tokenizer), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, max_position_embeddings=32, initializer_range=init)
        backbone = TFBertModel(config); backbone.build_in_name_scope()
        folder = tmp_path/f"m{init}"; models.save_backbone(backbone, tiny_tokenizer, folder)
        for lr, bs, ep in ((0.01, 8, 2),(0.03,8,2),(0.01,4,2),(0.02,4,2),(0.005,4,3)):
            out=tmp_path/f"{init}-{lr}-{bs}-{ep}"
            try:
                training.train(toy_recipe|{"model":str(folder)}|{"train":{"epochs":ep,"batch_size":bs,"learning_rate":lr,"log_every":2}}, out=out)
            except Stop: pass
            m=json.loads((out/"metrics.json").read_text())
            print("RES", init, lr, bs, ep, m["best_epoch"], m["test"]["accuracy"], m["test"]["loss"])
    assert 0
