"""Answers "show the upgrade offer now?" over gRPC."""

import os

# grpcio's C core writes what broken peers send into the log, as it comes, and reads this when it is imported. What matters it
# raises as well; whoever looks for a fault in gRPC itself sets the variable.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
