"""How the hub and the boxes reach each other: broker, certificates, jobs, events."""
