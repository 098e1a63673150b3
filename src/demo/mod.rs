//! A small web app and a load generator, for `bin/demo`, tests and benchmarks.
