"""What training is made of: the Keras model, its optimizer and schedules, metrics and callbacks."""
