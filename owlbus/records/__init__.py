"""Records of calls and taxi rides: files in, validated column batches out."""
