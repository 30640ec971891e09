"""The public side: one URL for retailers, owners and couriers when the box sits behind a router. It delays or drops."""
