#![no_main]

use once_proxy::fuzzing::TARGETS;

libfuzzer_sys::fuzz_target!(|input: &[u8]| once_fuzzing::run(TARGETS, "state", input));
