"""A network on paper: its spec, its cost, and the published encoders. Knows neither masks nor torch."""
