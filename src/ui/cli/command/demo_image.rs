//! `demo-image`: an image of this binary, so that demos and tests need no registry.

use crate::args::DemoImageArgs;
use crate::session::Session;
use once_app::engine::OwnImage;
use once_app::{EnvKey, Problem};

use super::Answer;

pub(crate) async fn demo_image(session: &mut Session<'_>, args: &DemoImageArgs) -> Answer {
    let mut env = Vec::new();
    for (key, value) in pairs(&args.env)? {
        let key: EnvKey = key.parse().map_err(|e| Problem::rejected("bad-settings", format!("{e}")))?;
        env.push((key.to_string(), value));
    }
    let image = OwnImage {
        tag: args.tag.clone(),
        args: if args.args.is_empty() { vec!["demo-app".into()] } else { args.args.clone() },
        env,
        labels: pairs(&args.label)?.into_iter().collect(),
        exposed: args.expose.clone(),
        directories: vec!["/tmp".into(), "/storage".into()],
        user: None,
        volumes: Vec::new(),
    };
    let at = session.installation().await?;
    at.engine.load_own(&image).await?;
    session.out.data(&image.tag);
    Ok(0)
}

fn pairs(texts: &[String]) -> Result<Vec<(String, String)>, Problem> {
    let pair = |text: &String| text.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned()));
    texts.iter().map(|t| pair(t).ok_or_else(|| Problem::rejected("bad-settings", "it is given as KEY=VALUE"))).collect()
}
