"""The papers' experiments as named figures, predictions drawn over measurements."""
