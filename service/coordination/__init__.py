"""Who is alive, who leads, which topics exist: agreed through one versioned tree."""
