"""The pages that explain the API, rendered on the hub from its own document: no script, nothing from elsewhere."""
