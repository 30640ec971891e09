"""The page that opens where a link through the hub shares a visit."""
