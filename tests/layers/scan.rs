//! Finds the paths a file writes, by its tokens.

use std::ops::RangeInclusive;
use std::str::FromStr;

use proc_macro2::{Delimiter, Group, Ident, Spacing, TokenStream, TokenTree};

/// A path as written, each `use` tree taken apart into whole paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub line: usize,
    pub segments: Vec<String>,
    /// It starts with `::`, so it names a crate.
    pub leading: bool,
    /// It stands in a `use` or `extern crate`.
    pub import: bool,
    /// The inline modules around it, outermost first.
    pub within: Vec<String>,
    /// It stands in code that is only compiled for tests.
    pub test: bool,
}

/// Something that stands out beside paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
    /// `todo!` or `unimplemented!`.
    Unfinished(&'static str),
    /// `#[ignore]`, but for a process that another test starts and that says so.
    Ignored,
    /// `#[path = …]` or `include!`: a file taken from another room behind the rules' back.
    Foreign(&'static str),
    /// `bind("…:0")….local_addr()` in one expression: the port is released again before anybody uses it.
    Released,
}

/// All that the rules need to know of one file.
#[derive(Debug, Default)]
pub struct Scan {
    pub paths: Vec<Found>,
    pub marks: Vec<(usize, Mark)>,
    /// Lines of modules compiled only for tests.
    pub test_lines: Vec<RangeInclusive<usize>>,
    /// Names of modules declared with `#[cfg(test)] mod name;`, or for fuzzing too: other files that are tests as a whole.
    pub test_files: Vec<String>,
}

/// Reads one file.
///
/// # Errors
/// The text is not Rust.
pub fn scan(text: &str) -> Result<Scan, String> {
    let stream = TokenStream::from_str(text).map_err(|e| e.to_string())?;
    let mut scan = Scan::default();
    scan.walk(stream, &Place { within: Vec::new(), test: false });
    Ok(scan)
}

#[derive(Clone)]
struct Place {
    within: Vec<String>,
    test: bool,
}

impl Scan {
    fn walk(&mut self, stream: TokenStream, at: &Place) {
        let tokens: Vec<TokenTree> = stream.into_iter().collect();
        let mut here = at.clone();
        // What holds again when an item has ended.
        let mut outside = at.test;
        let mut next = 0;
        while next < tokens.len() {
            let start = next;
            next += 1;
            match &tokens[start] {
                TokenTree::Punct(p) if p.as_char() == '#' => {
                    let inner = matches!(tokens.get(next), Some(TokenTree::Punct(p)) if p.as_char() == '!');
                    next += usize::from(inner);
                    if let Some(TokenTree::Group(group)) = tokens.get(next)
                        && group.delimiter() == Delimiter::Bracket
                    {
                        here.test |= is_cfg_test(group);
                        outside |= inner && here.test;
                        self.attribute(group, &here);
                        next += 1;
                    }
                }
                // An item ends here, and with it what its `#[cfg(test)]` said.
                TokenTree::Punct(p) if matches!(p.as_char(), ';' | ',') => here.test = outside,
                TokenTree::Punct(_) if is_path_separator(&tokens, start) => {
                    if matches!(tokens.get(start + 2), Some(TokenTree::Ident(_))) && !continues(&tokens, start) {
                        next = self.path(&tokens, start + 2, true, &here);
                    } else {
                        next = start + 2;
                    }
                }
                TokenTree::Group(group) => self.walk(group.stream(), &here),
                TokenTree::Ident(ident) => next = self.word(ident, &tokens, start, &here),
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
            if matches!(&tokens[next - 1], TokenTree::Group(body) if body.delimiter() == Delimiter::Brace) {
                here.test = outside;
            }
        }
    }

    /// Reads on from an identifier; returns where to go on.
    fn word(&mut self, ident: &Ident, tokens: &[TokenTree], start: usize, here: &Place) -> usize {
        let line = ident.span().start().line;
        if ident == "bind" && releases(&tokens[start + 1..]) {
            self.marks.push((line, Mark::Released));
        }
        match (ident.to_string().as_str(), tokens.get(start + 1), tokens.get(start + 2)) {
            ("mod", Some(TokenTree::Ident(name)), Some(TokenTree::Group(body))) => {
                let mut within = here.within.clone();
                within.push(name.to_string());
                if here.test {
                    self.test_lines.push(line..=body.span_close().end().line);
                }
                self.walk(body.stream(), &Place { within, test: here.test });
                return start + 3;
            }
            ("mod", Some(TokenTree::Ident(name)), Some(TokenTree::Punct(_))) => {
                if here.test {
                    self.test_files.push(name.to_string());
                }
                return start + 2;
            }
            // `impl Trait + use<'a>` is no import.
            ("use", Some(TokenTree::Punct(p)), _) if p.as_char() == '<' => return start + 1,
            ("use", Some(_), _) => {
                let end = tokens[start..].iter().position(is_semicolon).map_or(tokens.len(), |n| start + n);
                self.tree(&tokens[start + 1..end], &[], false, here);
                return end;
            }
            ("extern", Some(TokenTree::Ident(word)), Some(TokenTree::Ident(name))) if word == "crate" => {
                self.found(line, vec![name.to_string()], true, true, here);
                return start + 3;
            }
            _ => {}
        }
        if follows_dot(tokens, start) { start + 1 } else { self.path(tokens, start, false, here) }
    }

    /// A path in code, from its first identifier; returns where to go on. A single word is none, but with `::` before.
    fn path(&mut self, tokens: &[TokenTree], start: usize, leading: bool, here: &Place) -> usize {
        let mut segments = Vec::new();
        let mut next = start;
        while let Some(TokenTree::Ident(ident)) = tokens.get(next) {
            segments.push(plain(ident));
            next += 1;
            if !(is_path_separator(tokens, next) && matches!(tokens.get(next + 2), Some(TokenTree::Ident(_)))) {
                break;
            }
            next += 2;
        }
        if segments.len() > 1 && segments.last().is_some_and(|last| last == "bind") && releases(&tokens[next..]) {
            self.marks.push((tokens[start].span().start().line, Mark::Released));
        }
        if let Some(mark) = segments.last().and_then(|last| called(last, tokens.get(next))) {
            self.marks.push((tokens[start].span().start().line, mark));
        }
        if segments.len() > 1 || leading {
            self.found(tokens[start].span().start().line, segments, leading, false, here);
        }
        next
    }

    /// One level of a `use` tree.
    fn tree(&mut self, tokens: &[TokenTree], prefix: &[String], leading: bool, here: &Place) {
        for branch in tokens.split(|t| matches!(t, TokenTree::Punct(p) if p.as_char() == ',')) {
            let mut segments = prefix.to_vec();
            let leading = leading || (prefix.is_empty() && is_path_separator(branch, 0));
            let mut line = None;
            let mut open = true;
            for token in branch {
                line = line.or(Some(token.span().start().line));
                match token {
                    TokenTree::Ident(word) if word == "as" => break,
                    TokenTree::Ident(word) if word == "self" && !segments.is_empty() => {}
                    TokenTree::Ident(word) => segments.push(plain(word)),
                    TokenTree::Punct(p) if p.as_char() == '*' => segments.push("*".to_owned()),
                    TokenTree::Group(group) => {
                        let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                        self.tree(&inner, &segments, leading, here);
                        open = false;
                    }
                    _ => {}
                }
            }
            if let Some(line) = line
                && open
            {
                self.found(line, segments, leading, true, here);
            }
        }
    }

    fn attribute(&mut self, group: &Group, here: &Place) {
        let tokens: Vec<TokenTree> = group.stream().into_iter().collect();
        let Some(TokenTree::Ident(name)) = tokens.first() else { return };
        let line = name.span().start().line;
        match name.to_string().as_str() {
            "doc" => return,
            "ignore" if !is_run_by_another(&tokens) => self.marks.push((line, Mark::Ignored)),
            "path" => self.marks.push((line, Mark::Foreign("#[path]"))),
            _ => {}
        }
        self.walk(group.stream(), here);
        self.texts(group.stream(), here);
    }

    /// `#[serde(with = "crate::…")]` names code in a text.
    fn texts(&mut self, stream: TokenStream, here: &Place) {
        for token in stream {
            match token {
                TokenTree::Group(group) => self.texts(group.stream(), here),
                TokenTree::Literal(literal) => {
                    let line = literal.span().start().line;
                    let text = literal.to_string();
                    let Ok(inner) = TokenStream::from_str(text.trim_matches('"')) else { continue };
                    let known = self.paths.len();
                    self.walk(inner, here);
                    for found in &mut self.paths[known..] {
                        found.line = line;
                    }
                }
                TokenTree::Ident(_) | TokenTree::Punct(_) => {}
            }
        }
    }

    fn found(&mut self, line: usize, segments: Vec<String>, leading: bool, import: bool, here: &Place) {
        self.paths.push(Found { line, segments, leading, import, within: here.within.clone(), test: here.test });
    }
}

/// What a macro call with this name stands for.
fn called(name: &str, next: Option<&TokenTree>) -> Option<Mark> {
    if !matches!(next, Some(TokenTree::Punct(p)) if p.as_char() == '!') {
        return None;
    }
    match name {
        "todo" => Some(Mark::Unfinished("todo!")),
        "unimplemented" => Some(Mark::Unfinished("unimplemented!")),
        "include" => Some(Mark::Foreign("include!")),
        _ => None,
    }
}

/// Whether the call of `bind` with these arguments is asked for its address and for nothing else.
fn releases(after: &[TokenTree]) -> bool {
    let Some((TokenTree::Group(arguments), rest)) = after.split_first() else { return false };
    let mut methods = rest.iter().filter(|t| !matches!(t, TokenTree::Punct(p) if matches!(p.as_char(), '.' | '?')));
    let chosen = arguments.stream().to_string();
    (chosen.ends_with(":0\"") || chosen.ends_with(", 0)"))
        && methods.find_map(|token| match token {
            TokenTree::Group(none) => (!none.stream().is_empty()).then_some(false),
            TokenTree::Ident(name) if name == "await" || name == "unwrap" => None,
            other => Some(matches!(other, TokenTree::Ident(name) if name == "local_addr")),
        }) == Some(true)
}

fn plain(ident: &Ident) -> String {
    ident.to_string().trim_start_matches("r#").to_owned()
}

fn is_semicolon(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(p) if p.as_char() == ';')
}

/// Whether `::` stands here.
fn is_path_separator(tokens: &[TokenTree], at: usize) -> bool {
    matches!((tokens.get(at), tokens.get(at + 1)), (Some(TokenTree::Punct(a)), Some(TokenTree::Punct(b)))
        if a.as_char() == ':' && a.spacing() == Spacing::Joint && b.as_char() == ':')
}

/// Whether the `::` here goes on from generics: `Vec::<u8>::new`, `<T as Trait>::Item`; not so `-> ::bollard::Docker`.
fn continues(tokens: &[TokenTree], at: usize) -> bool {
    at.checked_sub(1).is_some_and(
        |before| matches!(&tokens[before], TokenTree::Punct(p) if p.as_char() == '>' && p.spacing() == Spacing::Joint),
    )
}

fn follows_dot(tokens: &[TokenTree], at: usize) -> bool {
    let dot = |n: usize| matches!(&tokens[n], TokenTree::Punct(p) if p.as_char() == '.');
    // A range (`a..crate::LIMIT`) is no field.
    at >= 1 && dot(at - 1) && !(at >= 2 && dot(at - 2))
}

/// `#[ignore = "started by `another_test`"]`: the second process of a test, in the same binary.
fn is_run_by_another(attribute: &[TokenTree]) -> bool {
    matches!(attribute, [_, _, TokenTree::Literal(reason)]
        if ["\"started by ", "\"run by "].iter().any(|words| reason.to_string().starts_with(words)))
}

fn is_cfg_test(attribute: &Group) -> bool {
    let words: Vec<String> = attribute.stream().into_iter().map(|t| t.to_string().replace(' ', "")).collect();
    matches!(words.as_slice(), [cfg, what] if cfg == "cfg" && ["(test)", "(any(fuzzing,test))"].contains(&what.as_str()))
}
