"""`tfhf runs` and `tfhf compare`: runs side by side, and one recipe over several checkpoints."""
