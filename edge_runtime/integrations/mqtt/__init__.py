"""MQTT 5: availability, values that expire, events that wait; Home Assistant finds them."""
