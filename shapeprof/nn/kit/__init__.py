"""What stands behind training and prediction: one file per concern, none needed to understand the network."""
