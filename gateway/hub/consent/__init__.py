"""The page on which a household finds a brand's request."""
