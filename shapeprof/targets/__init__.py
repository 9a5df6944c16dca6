"""What an export can be written for: one file per target. Targets turn a spec into text; they write nothing."""
