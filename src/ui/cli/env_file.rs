//! Files of `KEY=VALUE` lines. No variable is substituted and nothing is executed: a `$` stays a `$`. (The crates for
//! this format substitute, and repeat the offending line, with its value, in their errors.)

use once_app::EnvKey;

/// Where a file is wrong and why; never the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub(crate) struct EnvFileError {
    /// From 1.
    pub(crate) line: usize,
    reason: &'static str,
}

/// The variables of a file in order. Blank lines and lines that start with `#` are passed over, `export ` before a
/// name too. `'…'` is taken as it stands; in `"…"` `\n`, `\t`, `\r`, `\\`, `\"` and `\$` are escapes; both may span
/// lines. Without quotes the value ends before ` #` or at the line's end.
pub(crate) fn parse(text: &str) -> Result<Vec<(EnvKey, String)>, EnvFileError> {
    let mut variables = Vec::new();
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut number = 1;
    while !rest.is_empty() {
        let (line, _) = split_line(rest);
        let lead = line.trim_start();
        if lead.is_empty() || lead.starts_with('#') {
            rest = split_line(rest).1;
            number += 1;
            continue;
        }
        let wrong = |reason| EnvFileError { line: number, reason };
        let lead = lead.strip_prefix("export ").map_or(lead, str::trim_start);
        let (key, _) = lead.split_once('=').ok_or_else(|| wrong("it has no `=`; a line is KEY=VALUE"))?;
        let key: EnvKey = key.trim_end().parse().map_err(|_| {
            wrong("the name before `=` is not a variable's name; letters, digits and `_`, not starting with a digit")
        })?;
        let start = rest.find('=').map_or(rest.len(), |at| at + 1);
        let (value, after) = value(&rest[start..]).map_err(wrong)?;
        if value.contains('\0') {
            return Err(wrong("the value holds a NUL byte"));
        }
        number += rest[..rest.len() - after.len()].matches('\n').count();
        rest = after;
        variables.push((key, value));
    }
    Ok(variables)
}

/// A value, and what comes after its line.
fn value(text: &str) -> Result<(String, &str), &'static str> {
    let text = text.trim_start_matches([' ', '\t']);
    match text.chars().next() {
        Some('\'') => {
            let (value, after) = text[1..].split_once('\'').ok_or("the `'` is never closed")?;
            Ok((value.to_owned(), behind_quote(after)?))
        }
        Some('"') => double_quoted(&text[1..]),
        _ => {
            let (line, after) = split_line(text);
            let end = line.find(" #").or_else(|| line.find("\t#")).unwrap_or(line.len());
            let end = if line.starts_with('#') { 0 } else { end };
            Ok((line[..end].trim_end().to_owned(), after))
        }
    }
}

fn double_quoted(text: &str) -> Result<(String, &str), &'static str> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((value, behind_quote(&text[at + 1..])?)),
            '\\' => match chars.next().map(|(_, c)| c) {
                Some('n') => value.push('\n'),
                Some('t') => value.push('\t'),
                Some('r') => value.push('\r'),
                Some(c @ ('\\' | '"' | '$')) => value.push(c),
                Some(c) => value.extend(['\\', c]),
                None => break,
            },
            c => value.push(c),
        }
    }
    Err("the `\"` is never closed")
}

fn behind_quote(text: &str) -> Result<&str, &'static str> {
    let (line, after) = split_line(text);
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        Ok(after)
    } else {
        Err("there is something behind the closing quote")
    }
}

fn split_line(text: &str) -> (&str, &str) {
    let (line, after) = text.split_once('\n').unwrap_or((text, ""));
    (line.strip_suffix('\r').unwrap_or(line), after)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        parse(text).unwrap().into_iter().map(|(k, v)| (k.to_string(), v)).collect()
    }

    #[test]
    fn reads_what_people_write() {
        let text = "\u{feff}# comment\n\nA=1\nexport B = two words  # why\r\nC='it $HOME #'\nD=\"a\\nb \\\"q\\\" \\$x\"\n\
                    E=\nF=a#b\nG=\"two\nlines\" # yes\n  H=h\nI=x=y==";
        let expected = [
            ("A", "1"),
            ("B", "two words"),
            ("C", "it $HOME #"),
            ("D", "a\nb \"q\" $x"),
            ("E", ""),
            ("F", "a#b"),
            ("G", "two\nlines"),
            ("H", "h"),
            ("I", "x=y=="),
        ];
        assert_eq!(pairs(text), expected.map(|(k, v)| (k.to_owned(), v.to_owned())));
    }

    #[test]
    fn names_the_line_and_never_the_value() {
        for (text, line) in [
            ("A=1\nhunter2", 2),
            ("1A=hunter2", 1),
            ("A B=hunter2", 1),
            ("A=1\n\n# c\nB='hunter2\nC=3", 4),
            ("A=\"hunter2", 1),
            ("A=\"x\" hunter2", 1),
            ("G=\"a\nb\"\n=hunter2", 3),
            ("A=hunter2\0", 1),
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!(error.line, line, "{text:?}: {error}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
