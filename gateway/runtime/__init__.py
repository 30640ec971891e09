"""Runs entrances: actor, effects, inbox, scheduler, permissions."""
