"""What an operator does with a hub, while another process may run it: retailers, keys, brands, homes, backups."""
