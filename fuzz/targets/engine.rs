#![no_main]

use once_docker::fuzzing::TARGETS;

libfuzzer_sys::fuzz_target!(|input: &[u8]| once_fuzzing::run(TARGETS, "engine", input));
