//! Commands in containers.

use once::app::engine::{EngineError, ExecOutput, ExecSession, ExecSpec};

use crate::ground::{GRACE, Ground};
use crate::support::bed;

fn spec(container: &str, words: &str) -> ExecSpec {
    ExecSpec { container: container.to_owned(), argv: bed::words(words), tty: None, stdin: false }
}

async fn read(session: &mut dyn ExecSession) -> (String, String) {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    while let Some(piece) = session.output().await {
        match piece.unwrap() {
            ExecOutput::Stdout(bytes) => stdout.extend(bytes),
            ExecOutput::Stderr(bytes) => stderr.extend(bytes),
        }
    }
    (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

pub async fn streams_stay_apart(on: Ground<'_>) {
    let id = on.started("a", "wait").await;
    let found = on.exec(&id, "say one 2:two three").await;
    assert_eq!(found, ("one\nthree\n".into(), "two\n".into(), 0));
}

pub async fn the_exit_code_is_the_commands(on: Ground<'_>) {
    let id = on.started("a", "wait").await;
    assert_eq!(on.exec(&id, "fail sorry 42").await, (String::new(), "sorry\n".into(), 42));
}

pub async fn input_reaches_the_command(on: Ground<'_>) {
    let id = on.started("a", "wait").await;
    let mut session = on.engine.exec(&ExecSpec { stdin: true, ..spec(&id, "/once echo") }).await.unwrap();
    session.input(b"hello\n").await.unwrap();
    session.input(b"again\n").await.unwrap();
    session.input(b"").await.unwrap();
    assert_eq!(read(session.as_mut()).await, ("hello\nagain\n".into(), "bye\n".into()));
    assert_eq!(session.exit_code().await.unwrap(), 0);
}

pub async fn closed_input_takes_no_more(on: Ground<'_>) {
    let id = on.started("a", "wait").await;
    let mut session = on.engine.exec(&ExecSpec { stdin: true, ..spec(&id, "/once echo") }).await.unwrap();
    session.input(b"").await.unwrap();
    assert!(session.input(b"more").await.is_err());
}

pub async fn a_terminal_is_one(on: Ground<'_>) {
    let id = on.started("a", "wait").await;
    let with = ExecSpec { tty: Some((80, 24)), stdin: true, ..spec(&id, "/once terminal") };
    let mut session = on.engine.exec(&with).await.unwrap();
    assert_eq!(read(session.as_mut()).await, ("true\r\n".into(), String::new()));
    let mut session = on.engine.exec(&spec(&id, "/once terminal")).await.unwrap();
    assert_eq!(read(session.as_mut()).await, ("false\n".into(), String::new()));
}

pub async fn a_missing_program_is_126_or_127(on: Ground<'_>) {
    let id = on.started("a", "wait").await;
    let mut session = on.engine.exec(&spec(&id, "/no/such/program")).await.unwrap();
    read(session.as_mut()).await;
    let code = session.exit_code().await.unwrap();
    assert!([126, 127].contains(&code), "{code}");
}

pub async fn a_stopped_container_runs_nothing(on: Ground<'_>) {
    let id = on.started("a", "wait").await;
    on.engine.stop(&id, GRACE).await.unwrap();
    let error = on.engine.exec(&spec(&id, "/once exit 0")).await.err().unwrap();
    assert!(matches!(error, EngineError::Conflict { .. }), "{error:?}");
}

pub async fn an_absent_container_runs_nothing(on: Ground<'_>) {
    let error = on.engine.exec(&spec(&on.name("nobody"), "/once exit 0")).await.err().unwrap();
    assert!(matches!(error, EngineError::Absent { .. }), "{error:?}");
}
