"""What one file holds: a mask, one object or one class of it, or several masks."""
