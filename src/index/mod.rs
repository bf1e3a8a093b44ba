//! Which chunk is where: bounded-memory lookup over immutable sorted segments.
