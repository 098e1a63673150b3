//! A command's standard input and output as one stream.

use once_app::engine::{Engine, EngineError};
use once_docker::Docker;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::bed::{self, Bed};
use crate::support::{bounded, eventually};

async fn with(test: impl AsyncFnOnce(&Docker, &str)) {
    let bed = Bed::new();
    bounded(async {
        let docker = bed.docker().await;
        let image = bed.image(&docker).await;
        let id = docker.create(&bed::container(&bed.namespace, "a", &image)).await.unwrap();
        docker.start(&id).await.unwrap();
        test(&docker, &id).await;
    })
    .await;
}

/// How many processes of the container run this word.
async fn running(id: &str, word: &str) -> usize {
    let docker = bollard::Docker::connect_with_defaults().unwrap();
    let top = docker.top_processes(id, None::<bollard::query_parameters::TopOptions>).await.unwrap();
    let processes = top.processes.unwrap();
    processes.iter().filter(|process| process.last().unwrap().ends_with(&format!("/once {word}"))).count()
}

#[tokio::test]
async fn bytes_go_over_and_come_back_unchanged() {
    with(async |docker, id| {
        let sent: Vec<u8> = (0..3_000_000_u32).map(|number| (number % 251) as u8).collect();
        let stdio = docker.exec_stdio(id, &bed::words("/once echo")).await.unwrap();
        let (mut from, mut to) = tokio::io::split(stdio);
        let writing = async {
            to.write_all(&sent).await?;
            to.shutdown().await
        };
        let mut received = Vec::new();
        let (read, written) = tokio::join!(from.read_to_end(&mut received), writing);
        assert!(read.is_ok() && written.is_ok(), "{read:?} {written:?} {:?}", String::from_utf8_lossy(&received));
        assert!(received == sent, "{} of {} bytes", received.len(), sent.len());
    })
    .await;
}

#[tokio::test]
async fn it_answers_while_it_is_open() {
    with(async |docker, id| {
        let mut stdio = docker.exec_stdio(id, &bed::words("/once echo")).await.unwrap();
        for word in ["one", "two"] {
            stdio.write_all(format!("{word}\n").as_bytes()).await.unwrap();
            stdio.flush().await.unwrap();
            let mut answer = [0; 4];
            stdio.read_exact(&mut answer).await.unwrap();
            assert_eq!(&answer[..3], word.as_bytes());
        }
    })
    .await;
}

#[tokio::test]
async fn dropping_it_ends_the_command() {
    with(async |docker, id| {
        let mut stdio = docker.exec_stdio(id, &bed::words("/once echo")).await.unwrap();
        stdio.write_all(b"x\n").await.unwrap();
        stdio.read_exact(&mut [0; 2]).await.unwrap();
        assert_eq!(running(id, "echo").await, 1);
        drop(stdio);
        eventually("its end", || async { (running(id, "echo").await == 0).then_some(()) }).await;
    })
    .await;
}

#[tokio::test]
async fn standard_error_explains_a_failure() {
    with(async |docker, id| {
        let argv = ["/once", "fail", "no such socket", "3"].map(str::to_owned);
        let mut stdio = docker.exec_stdio(id, &argv).await.unwrap();
        let error = stdio.read_to_end(&mut Vec::new()).await.unwrap_err();
        assert_eq!(error.to_string(), "no such socket");
    })
    .await;
}

#[tokio::test]
async fn a_missing_program_is_a_failure_too() {
    with(async |docker, id| {
        let mut stdio = docker.exec_stdio(id, &["/nothing".to_owned()]).await.unwrap();
        assert!(stdio.read_to_end(&mut Vec::new()).await.is_err());
    })
    .await;
}

#[tokio::test]
async fn an_absent_container_is_told() {
    let docker = Docker::connect(None).await.unwrap();
    let error = docker.exec_stdio("there-is-none", &["/once".to_owned()]).await.err().unwrap();
    assert!(matches!(error, EngineError::Absent { .. }), "{error:?}");
}
