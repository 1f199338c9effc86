"""An SMS operator on a local port: a real SMPP 3.4 server that accepts, throttles, refuses and sends receipts."""
