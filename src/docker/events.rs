//! What happens on the engine.

use std::collections::HashMap;

use bollard::models::EventMessage;
use bollard::query_parameters::EventsOptionsBuilder;
use futures_core::stream::BoxStream;
use futures_util::{StreamExt, future};

use super::call::{Call, Client};
use super::labels;
use once_app::Namespace;
use once_app::engine::{EngineError, EngineEvent};

pub(super) fn of_containers(
    client: Client,
    namespace: &Namespace,
) -> BoxStream<'static, Result<EngineEvent, EngineError>> {
    let filters = HashMap::from([("type", vec!["container".to_owned()]), ("label", vec![labels::filter(namespace)])]);
    let options = EventsOptionsBuilder::new().filters(&filters).build();
    client
        .api
        .events(Some(options))
        .filter_map(move |message| {
            future::ready(match message {
                Ok(message) => event(message).map(Ok),
                Err(cause) => Some(Err(client.explain(&Call::new("tell", "what happens"), cause))),
            })
        })
        .boxed()
}

fn event(message: EventMessage) -> Option<EngineEvent> {
    let action = message.action?;
    // `exec_start: …` carries the whole command line, which may hold a secret.
    let action = action.split(':').next().unwrap_or(&action).trim().to_owned();
    Some(EngineEvent { action, container: message.actor?.id? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_lines_do_not_pass() {
        let message = r#"{"Type":"container","Action":"exec_start: mysql -phunter2","Actor":{"ID":"abc"}}"#;
        let found = event(serde_json::from_str(message).unwrap());
        assert_eq!(found, Some(EngineEvent { action: "exec_start".into(), container: "abc".into() }));
    }
}
