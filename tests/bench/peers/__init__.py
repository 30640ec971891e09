"""Other programs that do the gateway's job as far as they can, and floors below which none comes.

The job: a scan arrives by MQTT, its code must be among 1,000 expected ones and its window open; then the camera's start
and the unlock are published, QoS 1.
"""
