"""What both ends agree on: blocks, flags, events, messages, and what is done to every sample.

Pure but for `stream.transport`: nothing here opens a socket, reads a clock or knows of the edge or the gateway.
"""
