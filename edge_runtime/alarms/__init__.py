"""What people do to alarms, and what people hear of them."""
