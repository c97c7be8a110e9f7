"""A server for exported models that answers as TensorFlow Serving does.

`server` starts and stops it; `rest` and `remote` (gRPC) are its two doors, `inference` is what
both ask, `batching` answers requests together, `models` keeps versions loaded, `servables` is one
loaded version. `documents`, `tensors` and `messages` turn JSON and protocol buffers into arrays.
"""
