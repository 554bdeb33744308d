"""What a client can do, each thing once for the store and once for a server."""
