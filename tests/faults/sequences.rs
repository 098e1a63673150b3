//! Fifty random commands, some of them killed in the middle: whatever the order, what served goes on, and afterwards the
//! host is clean by `doctor`'s own eyes, or `doctor --fix` makes it so. On the way: what was applied needs nothing more.

use std::collections::BTreeMap;

use once_app::event::{Event, Outcome};
use once_app::proxy::Proxy as _;
use once_app::{Action, Ask, Deploy, Draft, Finding, Fix, Notice, Selector, Severity, Sight, Span, observe, reconcile};

use crate::doomed::Dice;
use crate::steps::{Bed, Change, Told, name};
use crate::support::fake_engine::{Fault, When, Which};

/// Hosts that are each put through fifty commands.
const HOSTS: usize = 8;
const COMMANDS: usize = 50;

fn app() -> Selector {
    Selector(name().to_string())
}

fn wish(draft: Draft, start: bool) -> Deploy {
    Deploy { name: Some(name()), draft, start, ..Deploy::default() }
}

/// A wish as people have them: another image, other variables, a note, a hostname more, or the same once more.
fn deploy(dice: &mut Dice) -> Deploy {
    let mut draft = Draft::default();
    let images = ["shop:1", "shop:2", "shop:3"];
    if dice.pick(3) > 0 {
        draft.image = Some(images[dice.pick(images.len())].parse().unwrap());
    }
    for (field, values) in [
        ("env.A", ["1", "2", "3"]),
        ("note", ["x", "y", "z"]),
        ("host", ["a.localhost", "b.localhost", "c.localhost"]),
        ("keep-containers", ["0", "1", "2"]),
        ("memory", ["64m", "128m", "256m"]),
    ] {
        if dice.pick(4) == 0 {
            draft.set(&field.parse().unwrap(), values[dice.pick(3)]).unwrap();
        }
    }
    wish(draft, dice.pick(4) == 0)
}

fn command(dice: &mut Dice) -> Ask {
    let canary = |dice: &mut Dice| Deploy { canary: Some("10%".parse().unwrap()), ..deploy(dice) };
    match dice.pick(20) {
        0..8 => Ask::Deploy(Box::new(deploy(dice))),
        8 | 9 => Ask::Deploy(Box::new(canary(dice))),
        10 => Ask::Promote { app: app() },
        11 => Ask::Abort { app: app() },
        12 | 13 => Ask::Rollback { app: app(), to: None },
        14 => Ask::Restart { app: app() },
        15 => Ask::Stop { app: app() },
        16 | 17 => Ask::Start { app: app() },
        18 => Ask::Maintenance { app: app(), notice: (dice.pick(2) == 0).then(Notice::default) },
        _ => match dice.pick(2) {
            0 => Ask::Pause { app: app(), max_wait: Span::seconds(30) },
            _ => Ask::Resume { app: app() },
        },
    }
}

/// What serves is what requests go to, and it runs unless it was stopped on purpose.
async fn serves(bed: &Bed) {
    let record = bed.record().await.expect("the app is remembered");
    let serving = record.serving_release().expect("what served is forgotten");
    assert_eq!(bed.target().as_ref(), Some(&serving.container), "the route follows the ledger");
    if record.state.runs() {
        let (running, _) = bed.containers();
        assert!(running.contains(&serving.container), "{} should run: {running:?}", serving.container);
    }
}

async fn findings(bed: &Bed) -> Vec<Finding> {
    let at = &bed.installation;
    let inventory = observe(at).await.unwrap();
    let volumes = at.engine.volumes(&at.namespace).await.unwrap();
    let sight =
        Sight { namespace: &at.namespace, inventory: &inventory, containers: &inventory.containers, volumes: &volumes };
    let found = reconcile(sight);
    assert_eq!(reconcile(sight), found, "looking changes nothing");
    found.into_iter().filter(|finding| finding.severity == Severity::Problem).collect()
}

/// As `once doctor --fix` does it.
async fn mend(bed: &Bed) -> usize {
    let mut mended = 0;
    for _ in 0..4 {
        let found = findings(bed).await;
        if found.is_empty() {
            return mended;
        }
        for finding in found {
            let ask = match finding.fix.clone().unwrap_or_else(|| panic!("nothing mends {finding:#?}")) {
                Fix::Adopt { container } => Ask::Adopt { container, wish: Box::default() },
                Fix::Start { app } => Ask::Start { app: Selector(app.to_string()) },
                Fix::Restart { app } => Ask::Restart { app: Selector(app.to_string()) },
                Fix::Tidy { app } => Ask::Tidy { app: Selector(app.to_string()) },
            };
            let told = bed.ask(ask).await;
            assert!(told.finished.as_ref().is_some_and(|f| f.outcome.is_success()), "{finding:#?}: {told:#?}");
            mended += 1;
        }
    }
    panic!("it is not clean after four times: {:#?}", findings(bed).await);
}

fn planned(told: &Told) -> Action {
    let plan = told.events.iter().rev().find_map(|e| match &e.event {
        Event::Planned { plan, .. } => Some(plan.action),
        _ => None,
    });
    plan.unwrap_or_else(|| panic!("nothing was planned: {told:#?}"))
}

#[tokio::test(start_paused = true)]
async fn any_fifty_commands_with_kills_end_in_a_host_that_is_clean_or_can_be_made_so() {
    let mut dice = Dice::new("sequences");
    let mut seen = BTreeMap::<String, usize>::new();
    let (mut mended, mut replanned) = (0, 0);
    for host in 0..HOSTS {
        let bed = Bed::new(Change::Overlap).await;
        for n in 0..COMMANDS {
            let ask = command(&mut dice);
            let place = format!("host {host}, command {n}: {ask:?}");
            let killed = dice.pick(3) == 0;
            if killed {
                let fault = [Fault::Hangs, Fault::DoesButHangs][dice.pick(2)];
                bed.engine.fault(Which::Any, When::Nth(1 + dice.pick(25)), fault);
            }
            let told = bed.ask(ask.clone()).await;
            bed.engine.no_more_faults();
            let outcome = told.finished.as_ref().map_or("killed".to_owned(), |f| f.outcome.to_string());
            *seen.entry(outcome).or_default() += 1;
            eprintln!("{place}: {:?}", told.finished.as_ref().map(|f| f.outcome));
            // A kill may fall between a stop and what is known of it, or in the middle of a start.
            if told.finished.is_some() && !killed {
                assert_ne!(told.finished.as_ref().map(|f| f.outcome), Some(Outcome::Internal), "{place}: {told:#?}");
                serves(&bed).await;
            }
            // What was just applied needs nothing more: by its plan, and by doing it again.
            if let (Ask::Deploy(wish), Some(true)) = (ask, told.finished.map(|f| f.outcome.is_success()))
                && wish.canary.is_none()
            {
                let again = Deploy { dry_run: true, start: false, ..*wish };
                assert_eq!(planned(&bed.ask(Ask::Deploy(Box::new(again.clone()))).await), Action::Nothing, "{place}");
                let again = Deploy { dry_run: false, ..again };
                let told = bed.ask(Ask::Deploy(Box::new(again))).await;
                assert_eq!(told.finished.unwrap().outcome, Outcome::Unchanged, "{place}");
                replanned += 1;
            }
        }
        // The last one is killed with a candidate beside what serves, so that there is something to mend.
        bed.engine.fault(Which::Call("create"), When::Nth(1), Fault::DoesButHangs);
        let wish = Deploy { force: true, ..wish(Draft::default(), true) };
        assert!(bed.ask(Ask::Deploy(Box::new(wish))).await.finished.is_none());
        bed.engine.no_more_faults();
        mended += mend(&bed).await;
        serves(&bed).await;
        let record = bed.record().await.unwrap();
        assert!(record.intent.is_none() && record.releases.len() <= 25, "{record:#?}");
        assert!(bed.service.snapshot().await.unwrap().locks.is_empty());
    }
    eprintln!("{seen:?}; {mended} findings were mended, {replanned} deploys planned again");
    assert!(seen.contains_key("killed") && replanned > HOSTS && mended >= HOSTS, "{seen:?}");
}
