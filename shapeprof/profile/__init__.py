"""What a set of masks holds, as counts that add: from measurements to a Profile, and to profile.json and back."""
