"""From a Profile to a Recommendation: runs the rules, weighs other designs, applies what a user asks for."""
