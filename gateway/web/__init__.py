"""The pages of owner, household, installer and courier, and the rights to see them. Only this package uses aiohttp."""
