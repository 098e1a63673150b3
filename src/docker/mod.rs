//! The engine port on bollard: the only place that names it.
