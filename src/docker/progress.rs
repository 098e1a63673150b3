//! How far a pull got, folded from the engine's lines about single layers. Its words are all it gives.

use std::collections::HashMap;

use bollard::models::CreateImageInfo;

use once_app::engine::PullProgress;

#[derive(Debug, Default)]
pub(super) struct Layers(HashMap<String, Layer>);

#[derive(Debug, Default)]
struct Layer {
    done: bool,
    fetched: u64,
    size: u64,
}

impl Layers {
    /// Takes a line in; where things stand then, if the line said something about a layer.
    pub fn fold(&mut self, line: &CreateImageInfo) -> Option<PullProgress> {
        let (id, status) = (line.id.as_ref()?, line.status.as_deref()?);
        // The line that names the image has its tag for an id.
        if status.starts_with("Pulling from") {
            return None;
        }
        let layer = self.0.entry(id.clone()).or_default();
        match status {
            "Downloading" => {
                let detail = line.progress_detail.clone().unwrap_or_default();
                layer.fetched = detail.current.and_then(|n| n.try_into().ok()).unwrap_or(layer.fetched);
                layer.size = detail.total.and_then(|n| n.try_into().ok()).unwrap_or(layer.size).max(layer.fetched);
            }
            "Download complete" => layer.fetched = layer.size,
            "Pull complete" | "Already exists" => {
                layer.fetched = layer.size;
                layer.done = true;
            }
            _ => {}
        }
        Some(self.total())
    }

    fn total(&self) -> PullProgress {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        PullProgress {
            layers_done: count(self.0.values().filter(|layer| layer.done).count()),
            layers: count(self.0.len()),
            bytes_done: self.0.values().fold(0, |sum, layer| sum.saturating_add(layer.fetched)),
            bytes: self.0.values().fold(0, |sum, layer| sum.saturating_add(layer.size)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As engine 20.10 wrote them.
    const LINES: &str = r#"{"status":"Pulling from acme/shop","id":"1.0"}
{"status":"Already exists","progressDetail":{},"id":"aaa"}
{"status":"Pulling fs layer","progressDetail":{},"id":"bbb"}
{"status":"Downloading","progressDetail":{"current":100,"total":1000},"progress":"[=>]","id":"bbb"}
{"status":"Downloading","progressDetail":{"current":900,"total":1000},"progress":"[=>]","id":"bbb"}
{"status":"Verifying Checksum","progressDetail":{},"id":"bbb"}
{"status":"Download complete","progressDetail":{},"id":"bbb"}
{"status":"Extracting","progressDetail":{"current":500,"total":1000},"progress":"[=>]","id":"bbb"}
{"status":"Pull complete","progressDetail":{},"id":"bbb"}
{"status":"Digest: sha256:0"}
{"status":"Status: Downloaded newer image for acme/shop:1.0"}"#;

    #[test]
    fn layers_larger_than_can_be_do_no_harm() {
        let mut layers = Layers::default();
        let line =
            |id: u8| format!(r#"{{"status":"Downloading","progressDetail":{{"current":{}}},"id":"{id}"}}"#, i64::MAX);
        let seen = (0..3).filter_map(|id| layers.fold(&serde_json::from_str(&line(id)).unwrap())).last().unwrap();
        assert_eq!((seen.bytes_done, seen.bytes), (u64::MAX, u64::MAX));
    }

    #[test]
    fn folds_layers_into_one_measure() {
        let mut layers = Layers::default();
        let seen: Vec<_> = LINES
            .lines()
            .filter_map(|line| layers.fold(&serde_json::from_str(line).unwrap()))
            .map(|p| (p.layers_done, p.layers, p.bytes_done, p.bytes))
            .collect();
        assert_eq!(
            seen,
            [
                (1, 1, 0, 0),
                (1, 2, 0, 0),
                (1, 2, 100, 1000),
                (1, 2, 900, 1000),
                (1, 2, 900, 1000),
                (1, 2, 1000, 1000),
                (1, 2, 1000, 1000),
                (2, 2, 1000, 1000),
            ]
        );
    }
}
