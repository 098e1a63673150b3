//! Help: every command has one, and it is looked at when it changes.

use super::support::Once;

/// The subcommands that help shows, in its order.
fn commands(help: &str) -> Vec<String> {
    let listed = help.lines().skip_while(|l| *l != "Commands:").skip(1).take_while(|l| !l.is_empty());
    let names = listed.filter(|l| l.starts_with("  ") && !l.starts_with("   "));
    names.filter_map(|l| l.split_whitespace().next()).map(str::to_owned).collect()
}

#[test]
fn the_whole_tree() {
    let once = Once::new();
    let top = once.run(&["--help"]);
    assert_eq!(top.code, 0);
    assert_eq!(top.stderr, "");
    let mut tree = format!("$ once --help\n{}", top.stdout);
    let mut paths: Vec<Vec<String>> = commands(&top.stdout).into_iter().map(|c| vec![c]).collect();
    assert!(paths.len() > 20, "{paths:?}");
    while let Some(path) = (!paths.is_empty()).then(|| paths.remove(0)) {
        let args: Vec<&str> = path.iter().map(String::as_str).chain(["-h"]).collect();
        let shown = once.run(&args);
        assert_eq!((shown.code, shown.stderr.as_str()), (0, ""), "{args:?}");
        // The global part is the same everywhere.
        let own = shown.stdout.split("\nGlobal options:").next().unwrap_or_default();
        tree += &format!("\n$ once {}\n{own}", args.join(" "));
        let below = commands(&shown.stdout).into_iter();
        paths.splice(0..0, below.map(|c| path.iter().cloned().chain([c]).collect()));
    }
    insta::assert_snapshot!(tree);
}

#[test]
fn what_is_machinery_is_not_shown() {
    let tree = Once::new().run(&["--help"]).stdout + &Once::new().run(&["proxy", "--help"]).stdout;
    for hidden in ["run-job", "demo-", "  ctl", "  worker", "  run "] {
        assert!(!tree.contains(hidden), "{hidden} is in\n{tree}");
    }
}

#[test]
fn completions_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = Once::new().run(&["completions", shell]);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{shell}");
        assert!(ran.stdout.contains("deploy") && ran.stdout.contains("health-path"), "{shell}");
    }
}

#[test]
fn the_version_is_known_without_an_engine() {
    let ran = Once::new().run(&["version"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, concat!("once ", env!("CARGO_PKG_VERSION"), "\n")));
    assert!(ran.stderr.contains("the proxy's version is not known"), "{}", ran.stderr);
    let flag = Once::new().run(&["--version"]);
    assert_eq!((flag.code, flag.stdout), (0, ran.stdout));
}
