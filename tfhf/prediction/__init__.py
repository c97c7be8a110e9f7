"""`tfhf predict` and `tfhf.pipeline`: a trained model on new rows."""

from tfhf.prediction.answering import predict, predict_to
from tfhf.prediction.pipelines import Pipeline, load, pipeline
from tfhf.prediction.servable import Servable

__all__ = ["Pipeline", "Servable", "load", "pipeline", "predict", "predict_to"]
