"""From a Recommendation to a folder that trains, and the proof that it does."""
