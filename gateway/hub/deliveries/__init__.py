"""What the hub stores about deliveries: connections, orders, jobs for homes, events for retailers."""
