"""The pages of owner, household, installer and courier, and who may see them: the gateway's only user of aiohttp."""
