//! Commands in containers.

use once_app::engine::{EngineError, ExecOutput, ExecSession, ExecSpec};

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
    let mut input = session.take_input().unwrap();
    assert!(session.take_input().is_none());
    input.write(b"hello\n").await.unwrap();
    input.write(b"again\n").await.unwrap();
    input.close().await.unwrap();
    assert_eq!(read(session.as_mut()).await, ("hello\nagain\n".into(), "bye\n".into()));
    assert_eq!(session.exit_code().await.unwrap(), 0);
}

pub async fn closed_input_takes_no_more(on: Ground<'_>) {
    let id = on.started("a", "wait").await;
    let mut session = on.engine.exec(&ExecSpec { stdin: true, ..spec(&id, "/once echo") }).await.unwrap();
    let mut input = session.take_input().unwrap();
    input.close().await.unwrap();
    assert!(input.write(b"more").await.is_err());
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
    for tty in [None, Some((80, 24))] {
        let mut session = on.engine.exec(&ExecSpec { tty, ..spec(&id, "/no/such/program") }).await.unwrap();
        assert_eq!(read(session.as_mut()).await, (String::new(), String::new()), "the engine's words are no output");
        assert!(session.refusal().unwrap().contains("no such file or directory"), "{:?}", session.refusal());
        let code = session.exit_code().await.unwrap();
        assert!([126, 127].contains(&code), "{code}");
    }
}

/// What a command writes itself stays its output, also where it looks like the engine's reason.
pub async fn a_program_that_ends_with_126_was_started(on: Ground<'_>) {
    let id = on.started("a", "wait").await;
    let argv = ["/once", "fail", "no such file or directory", "126"].map(str::to_owned).to_vec();
    for tty in [None, Some((80, 24))] {
        let with = ExecSpec { container: id.clone(), argv: argv.clone(), tty, stdin: false };
        let mut session = on.engine.exec(&with).await.unwrap();
        let (stdout, stderr) = read(session.as_mut()).await;
        assert_eq!((stdout + &stderr).trim_end(), "no such file or directory");
        assert_eq!(session.refusal(), None);
        assert_eq!(session.exit_code().await.unwrap(), 126);
    }
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
