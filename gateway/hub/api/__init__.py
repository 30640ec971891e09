"""`/v1`: what retailers ask of homes, by HTTP."""
