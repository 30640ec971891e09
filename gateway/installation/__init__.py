"""The installer's tools: what each device can promise, and the walk test at the door."""
