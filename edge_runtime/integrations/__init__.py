"""What leaves the machine: MQTT, webhooks, phones. Information, never the only signal."""
