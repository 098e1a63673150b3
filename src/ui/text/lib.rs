//! What both faces say: words for numbers and times ([`words`]), plans in words ([`plan_words`]), untrusted text made safe
//! ([`sanitize`]).

#[cfg(any(fuzzing, test))]
pub mod fuzzing;
pub mod plan_words;
pub mod sanitize;
pub mod words;
