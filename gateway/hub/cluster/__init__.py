"""Several hub processes behind one RabbitMQ cluster. A hub on one broker imports none of it (`hub/brokers.py`)."""
