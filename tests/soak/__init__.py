"""The multi-worker proof: people, disasters, and a judge who sees both from outside."""
