//! The console in a real pseudo-terminal: what it writes, what it leaves behind, how it ends. The real binary, most
//! with an engine that is not there: a state like others. Waits for words, never for time.

mod life;
mod quiet;
mod term;
