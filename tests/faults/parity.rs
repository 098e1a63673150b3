//! What a plan says is what the deploy does: wrong and right deploys go through both, and both say the same.

use once_app::event::{Event, Outcome};
use once_app::{Action, Ask, Deploy, Draft, PlanView};

use crate::steps::{Bed, Change, Told, name};

/// An existing app `shop` of release 1, image `shop:1`, on which sequence 5 was accepted.
async fn bed() -> Bed {
    let bed = Bed::new(Change::Overlap).await;
    let sequence = Deploy { name: Some(name()), sequence: Some(5), ..Deploy::default() };
    let told = bed.ask(Ask::Deploy(Box::new(sequence))).await;
    assert_eq!(told.finished.unwrap().outcome, Outcome::Unchanged);
    bed
}

fn draft(pairs: &[(&str, &str)]) -> Draft {
    let mut draft = Draft::default();
    for (path, text) in pairs {
        draft.set(&path.parse().unwrap(), text).unwrap();
    }
    draft
}

/// Outcome and code of what stood in its way, and the plan that was told.
fn said(told: &Told) -> (Option<(Outcome, String)>, Option<PlanView>) {
    let finished = told.finished.as_ref().unwrap();
    let plan = told.events.iter().rev().find_map(|e| match &e.event {
        Event::Planned { plan, .. } => Some(plan.clone()),
        _ => None,
    });
    (finished.problem.as_ref().map(|p| (p.outcome, p.code.clone())), plan)
}

#[tokio::test(start_paused = true)]
async fn plan_and_deploy_say_the_same() {
    let shop = || Deploy { name: Some(name()), ..Deploy::default() };
    let with = |pairs: &[(&str, &str)]| Deploy { draft: draft(pairs), ..shop() };
    let canary = |pairs: &[(&str, &str)]| Deploy { canary: Some("10%".parse().unwrap()), ..with(pairs) };
    let other = |pairs: &[(&str, &str)]| Deploy { name: Some("other".parse().unwrap()), ..with(pairs) };
    let table = [
        ("nothing", shop(), Ok(Action::Nothing)),
        ("a note", with(&[("note", "x")]), Ok(Action::Record)),
        ("a hostname", with(&[("host", "b.localhost")]), Ok(Action::Route)),
        ("an image", with(&[("image", "shop:2")]), Ok(Action::Swap)),
        ("forced", Deploy { force: true, ..shop() }, Ok(Action::Swap)),
        ("a newer sequence", Deploy { sequence: Some(6), ..with(&[("env.A", "1")]) }, Ok(Action::Swap)),
        ("an older sequence", Deploy { sequence: Some(3), ..with(&[("env.A", "1")]) }, Err("superseded")),
        ("an old form", Deploy { expected_revision: Some(1), ..with(&[("env.A", "1")]) }, Err("moved")),
        ("no such image", with(&[("image", "nothing:1")]), Err("no-such-image")),
        ("no such network", with(&[("network", "nowhere")]), Err("no-such-network")),
        ("no such path", with(&[("volume", "/no/such/path:/x")]), Err("no-such-host-path")),
        ("too many processors", with(&[("cpus", "1000")]), Err("too-many-cpus")),
        ("a canary", canary(&[("env.A", "1")]), Ok(Action::Swap)),
        ("a canary of nothing", canary(&[]), Err("nothing-to-try")),
        ("a canary in a handover", canary(&[("swap", "handover"), ("env.A", "1")]), Err("canary-handover")),
        ("a certificate for nobody", with(&[("tls", "custom"), ("host", "b.example.com")]), Err("no-certificate")),
        ("a new app", other(&[("image", "shop:2")]), Ok(Action::Create)),
        ("a new app without an image", other(&[]), Err("invalid-setting")),
        (
            "a new app's canary",
            Deploy { name: Some("other".parse().unwrap()), ..canary(&[("image", "shop:2")]) },
            Err("nothing-serves"),
        ),
        ("a name that is taken", other(&[("image", "shop:2"), ("host", "shop.localhost")]), Err("host-taken")),
    ];
    for (what, deploy, expected) in table {
        let bed = bed().await;
        let before = bed.containers();
        let plan = bed.ask(Ask::Deploy(Box::new(Deploy { dry_run: true, ..deploy.clone() }))).await;
        assert_eq!(bed.containers(), before, "{what}: a plan makes nothing");
        let done = bed.ask(Ask::Deploy(Box::new(deploy))).await;
        assert_eq!(said(&plan), said(&done), "{what}");
        let (problem, view) = said(&plan);
        let found = match &problem {
            Some((_, code)) => Err(code.as_str()),
            None => Ok(view.as_ref().unwrap().action),
        };
        assert_eq!(found, expected, "{what}: {plan:#?}");
        let unchanged = done.finished.as_ref().unwrap().outcome == Outcome::Unchanged;
        assert_eq!(unchanged, problem.is_none() && view.unwrap().action == Action::Nothing, "{what}: {done:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_canary_is_planned_as_one() {
    let bed = bed().await;
    let try_out = |rule: &str| {
        let (draft, canary) = (draft(&[("env.A", "1")]), Some(rule.parse().unwrap()));
        Deploy { name: Some(name()), draft, canary, ..Deploy::default() }
    };
    let plan = |rule: &str| Ask::Deploy(Box::new(Deploy { dry_run: true, ..try_out(rule) }));
    let view = said(&bed.ask(plan("10%")).await).1.unwrap();
    assert_eq!((view.action, view.canary), (Action::Swap, Some("10%".parse().unwrap())));
    bed.ask(Ask::Deploy(Box::new(try_out("10%")))).await;
    let view = said(&bed.ask(plan("10%")).await).1.unwrap();
    assert_eq!((view.action, view.changes.len()), (Action::Nothing, 0));
    let view = said(&bed.ask(plan("25%")).await).1.unwrap();
    let moved = &view.changes[..];
    assert_eq!((view.action, moved.len(), moved[0].field.as_str()), (Action::Route, 1, "canary"));
    assert_eq!((moved[0].from.as_deref(), moved[0].to.as_deref()), (Some("10%"), Some("25%")));
}
