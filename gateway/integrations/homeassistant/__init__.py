"""Shows the entrances in the owner's Home Assistant and accepts its few commands."""
