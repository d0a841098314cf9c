"""How messages travel: MQTT through paho, seen from asyncio."""
