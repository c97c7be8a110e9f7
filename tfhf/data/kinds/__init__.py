"""How each kind of column is decided from train, checked in every row, and encoded."""
