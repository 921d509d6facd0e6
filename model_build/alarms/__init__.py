"""How good the alarms are: on the challenge's records, on long ones, on made ones."""
