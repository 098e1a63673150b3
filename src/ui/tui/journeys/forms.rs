//! Forms: what is typed, what is sent.

use crossterm::event::Event;
use proptest::prelude::*;
use tui_input::Input;

use once_app::{Ask, Field, Mount, MountSource, Settings};

use super::super::console::ConsoleOptions;
use super::super::model::{Form, FormKind, Row, RowKind, Stage, View};
use super::super::msg::Msg;
use super::super::sample::{self, feed};
use super::super::snapshots::press;
use super::{asked, host, shown};

#[test]
fn only_what_was_changed_is_sent_and_masks_never() {
    let mut m = host();
    let effects = press(&mut m, "e down down x ^s");
    let [Ask::Deploy(deploy)] = asked(&effects)[..] else { panic!("{effects:?}") };
    assert!(deploy.dry_run);
    assert_eq!(deploy.existing.as_ref().unwrap().0, "books");
    assert_eq!(deploy.expected_revision, Some(20));
    let json = serde_json::to_value(&deploy.draft).unwrap();
    let given: Vec<_> = json
        .as_object()
        .unwrap()
        .iter()
        .filter(|(_, v)| !(v.is_null() || **v == serde_json::json!([]) || **v == serde_json::json!({}) || **v == false))
        .map(|(k, v)| format!("{k}={v}"))
        .collect();
    assert_eq!(given, ["health_path=\"/upx\""]);
}

#[test]
fn variables_are_added_taken_away_and_kept_secret() {
    let mut m = host();
    let effects = press(&mut m, "e ^n TOKEN tab ^t hunter2 ^s");
    assert!(!shown(&m).contains("hunter2"));
    let [Ask::Deploy(deploy)] = asked(&effects)[..] else { panic!("{effects:?}") };
    let value = &deploy.draft.env[&"TOKEN".parse().unwrap()];
    assert!(value.secret);
    assert_eq!(value.value.expose(), "hunter2");
    assert_eq!(deploy.draft.env.len(), 1, "masked ones stay at home");

    let mut m = host();
    press(&mut m, "e");
    let form = m.form.as_mut().unwrap();
    form.cursor = form.rows.iter().position(|r| r.key.value() == "SMTP_PASSWORD").unwrap();
    let effects = press(&mut m, "^d ^s");
    let [Ask::Deploy(deploy)] = asked(&effects)[..] else { panic!("{effects:?}") };
    assert!(deploy.draft.unset.contains(&"env.SMTP_PASSWORD".parse().unwrap()));
    assert!(deploy.draft.env.is_empty());
}

#[test]
fn hostnames_are_added_and_dropped() {
    let mut m = host();
    press(&mut m, "e");
    let form = m.form.as_mut().unwrap();
    form.cursor = form.rows.iter().position(|r| r.value.value() == "books.example.com").unwrap();
    feed(&mut m, Msg::Typed(vec![Event::Paste(" www.example.com".into())]));
    // The paste is trimmed: a space has to be typed.
    assert!(m.form.as_ref().unwrap().rows.iter().any(|r| r.value.value() == "books.example.comwww.example.com"));
    press(&mut m, "^u");
    feed(&mut m, Msg::Typed(vec![Event::Paste("books.example.com b.example.com".into())]));
    let effects = press(&mut m, "^s");
    let [Ask::Deploy(deploy)] = asked(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!(deploy.draft.hosts, ["b.example.com".parse().unwrap()]);
    assert!(deploy.draft.drop_hosts.is_empty());
}

#[test]
fn a_new_app_needs_an_image_and_says_so() {
    let mut m = sample::fresh(100, 30, ConsoleOptions::default());
    feed(&mut m, sample::engine_up());
    feed(&mut m, Msg::ProxyAbsent);
    press(&mut m, "n");
    assert_eq!(m.form.as_ref().unwrap().kind, FormKind::New);
    assert!(asked(&press(&mut m, "down x ^s")).is_empty());
    assert_eq!(m.form.as_ref().unwrap().cursor, 0, "the focus goes to what is missing");
    feed(&mut m, Msg::Typed(vec![Event::Paste("ghcr.io/acme/wiki:2.0\nrm -rf".into())]));
    assert!(m.form.as_ref().unwrap().rows[0].error.is_some(), "a paste of two lines does not submit");
    press(&mut m, "^u");
    feed(&mut m, Msg::Typed(vec![Event::Paste("ghcr.io/acme/wiki:2.0".into())]));
    let effects = press(&mut m, "^s");
    let [Ask::Deploy(deploy)] = asked(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!((deploy.name.as_ref().unwrap().as_str(), deploy.dry_run, deploy.existing.is_none()), ("x", true, true));
    assert!(matches!(m.form.as_ref().unwrap().stage, Stage::Planning(_)));
    assert!(m.rows().is_empty(), "a dry run is no deploy");
}

#[test]
fn a_review_is_sent_off_as_it_was_shown() {
    let scene = super::super::snapshots::SCENES.iter().find(|(name, _)| *name == "review").unwrap().1;
    let mut m = scene(100, 30, ConsoleOptions::default());
    let effects = press(&mut m, "enter");
    let [Ask::Deploy(deploy)] = asked(&effects)[..] else { panic!("{effects:?}") };
    assert!(!deploy.dry_run);
    assert_eq!(deploy.draft.image.as_ref().unwrap().to_string(), "ghcr.io/acme/books:1.7.9");
    assert!(matches!(m.view, View::Deploy(_)));
}

fn with_volumes(sources: Vec<MountSource>, from: usize) -> Settings {
    let mut settings = Settings::new("acme/shop:1".parse().unwrap(), "shop.example.com".parse().unwrap());
    let at = |n: usize| format!("/mount/{}", n + from).parse().unwrap();
    settings.volumes = sources.into_iter().enumerate().map(|(n, source)| (at(n), source)).collect();
    settings
}

fn volumes(form: &Form) -> Vec<(String, String)> {
    let rows = form.rows.iter().filter(|row| row.kind == RowKind::Entry(Field::Volume));
    rows.map(|row| (row.key.value().to_owned(), row.value.value().to_owned())).collect()
}

fn any_sources() -> impl Strategy<Value = Vec<MountSource>> {
    let source = prop_oneof![
        "[a-z0-9]([a-z0-9-]{0,22}[a-z0-9])?".prop_map(|name| MountSource::Volume { name }),
        "[A-Za-z0-9][A-Za-z0-9_.-]{0,40}".prop_map(|name| MountSource::External { name }),
        ("(/[a-zA-Z0-9][a-zA-Z0-9._-]{0,11}){1,4}", any::<bool>())
            .prop_map(|(path, read_only)| MountSource::Host { path, read_only }),
    ];
    proptest::collection::vec(source, 0..5)
}

proptest! {
    /// What a form shows of the mounts, typed anew, are the same mounts; untouched it asks for none of them.
    #[test]
    fn mounts_go_through_the_form_and_back(before in any_sources(), after in any_sources(), from in 0usize..3) {
        let app = "shop".parse().unwrap();
        let (before, after) = (with_volumes(before, 0), with_volumes(after, from));
        let mut form = Form::settings(&app, 1, &before);
        let Ok(Ask::Deploy(untouched)) = form.ask(false) else { panic!("{form:?}") };
        prop_assert!(untouched.draft.volumes.is_empty() && untouched.draft.unset.is_empty());

        form.rows.iter_mut().filter(|r| r.kind == RowKind::Entry(Field::Volume)).for_each(|row| row.dropped = true);
        for (target, source) in &after.volumes {
            let row = Row::added(Field::Volume);
            form.rows.push(Row { key: Input::new(target.to_string()), value: Input::new(source.to_string()), ..row });
        }
        let Ok(Ask::Deploy(asked)) = form.ask(false) else { panic!("{form:?}") };
        let merged = asked.draft.merge(Some(&before), None).unwrap();
        prop_assert_eq!(&merged.volumes, &after.volumes);
        prop_assert_eq!(volumes(&Form::settings(&app, 2, &merged)), volumes(&Form::settings(&app, 2, &after)));
        // The command that does the same says each of them.
        let command = super::super::same_as::command(&Ask::Deploy(asked));
        for mount in Mount::all(&after.volumes) {
            prop_assert!(command.contains(&mount.to_string()), "{} {}", command, mount);
        }
    }
}

#[test]
fn what_is_wrong_with_an_entry_stands_beside_nothing_else() {
    let mut m = host();
    press(&mut m, "e");
    let form = m.form.as_mut().unwrap();
    form.rows.push(Row::added(Field::AllowIp));
    form.cursor = form.rows.len() - 1;
    form.on_key = true;
    press(&mut m, "nonsense");
    let screen = shown(&m);
    let row = screen.lines().find(|line| line.contains("nonsense")).unwrap();
    assert!(row.contains(" a range of addresses is given as in"), "{row}");
    assert!(!row.contains("not"), "the placeholder of the value: {row}");
}
