//! The texts in sources: string literals, put together as `concat!` and our own macros do it.

use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// A text, and the file that it is in.
pub(super) struct Text {
    pub(super) file: PathBuf,
    pub(super) text: String,
}

/// All texts of the sources below `folder` that are not attributes or of unit tests.
pub(super) fn all(folder: &Path) -> Vec<Text> {
    let mut files = Vec::new();
    read(folder, &mut files);
    let mut macros = Vec::new();
    for (file, tokens) in &files {
        find_macros(file, tokens, &mut macros);
    }
    let mut texts = Vec::new();
    for (file, tokens) in &files {
        let mut reader = Reader {
            file,
            macros: &macros,
            found: Vec::new(),
        };
        reader.walk(tokens);
        let found = reader.found.into_iter();
        texts.extend(found.map(|text| Text {
            file: file.clone(),
            text,
        }));
    }
    texts
}

fn read(folder: &Path, files: &mut Vec<(PathBuf, Vec<TokenTree>)>) {
    let mut paths: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            read(&path, files);
        } else {
            let source: TokenStream = fs::read_to_string(&path).unwrap().parse().unwrap();
            files.push((path, source.into_iter().collect()));
        }
    }
}

/// One that gives a text: with one rule, and one parameter at most.
struct Macro {
    file: PathBuf,
    name: String,
    parameter: Option<String>,
    body: Vec<TokenTree>,
}

fn find_macros(file: &Path, tokens: &[TokenTree], macros: &mut Vec<Macro>) {
    for (at, token) in tokens.iter().enumerate() {
        if let Some((name, rules)) = macro_rules(&tokens[at..]) {
            let rules: Vec<_> = rules.stream().into_iter().collect();
            if let [TokenTree::Group(pattern), _, _, TokenTree::Group(body), ..] = rules.as_slice()
            {
                macros.push(Macro {
                    file: file.to_owned(),
                    name,
                    parameter: pattern
                        .stream()
                        .into_iter()
                        .nth(1)
                        .map(|name| name.to_string()),
                    body: body.stream().into_iter().collect(),
                });
            }
        }
        if let TokenTree::Group(group) = token {
            let within: Vec<_> = group.stream().into_iter().collect();
            find_macros(file, &within, macros);
        }
    }
}

fn macro_rules(tokens: &[TokenTree]) -> Option<(String, &Group)> {
    match tokens {
        [
            TokenTree::Ident(word),
            TokenTree::Punct(_),
            TokenTree::Ident(name),
            TokenTree::Group(rules),
            ..,
        ] if word == "macro_rules" => Some((name.to_string(), rules)),
        _ => None,
    }
}

struct Reader<'a> {
    file: &'a Path,
    macros: &'a [Macro],
    found: Vec<String>,
}

impl Reader<'_> {
    fn walk(&mut self, tokens: &[TokenTree]) {
        let mut rest = tokens;
        while let [first, behind @ ..] = rest {
            let mut read = 1;
            match (first, behind) {
                _ if let Some((name, rules)) = macro_rules(rest) => {
                    // Its text is read where it is used.
                    let mut macros = self.macros.iter();
                    let made = macros.find(|one| one.name == name && one.file == self.file);
                    if made.is_none_or(|made| self.text(&made.body, Some("")).is_none()) {
                        self.walk_group(rules);
                    }
                    read = 4;
                }
                (TokenTree::Punct(punct), [TokenTree::Group(group), ..])
                    if punct.as_char() == '#' =>
                {
                    read = 2;
                    if group.stream().to_string().replace(' ', "") == "cfg(test)" {
                        read += 1 + behind[1..].iter().position(is_end).unwrap();
                    }
                }
                (TokenTree::Punct(punct), [TokenTree::Punct(bang), ..])
                    if punct.as_char() == '#' && bang.as_char() == '!' =>
                {
                    read = 3;
                }
                (TokenTree::Group(group), _) => self.walk_group(group),
                (TokenTree::Ident(_), [TokenTree::Punct(_), TokenTree::Group(_), ..])
                    if let Some(text) = self.text(&rest[..3], None) =>
                {
                    self.found.push(text);
                    read = 3;
                }
                (TokenTree::Literal(_), _) => self.found.extend(self.text(&rest[..1], None)),
                _ => {}
            }
            rest = &rest[read..];
        }
    }

    fn walk_group(&mut self, group: &Group) {
        self.walk(&group.stream().into_iter().collect::<Vec<_>>());
    }

    /// The text that an expression gives, within a macro whose argument is given.
    fn text(&self, expression: &[TokenTree], argument: Option<&str>) -> Option<String> {
        match expression {
            [TokenTree::Literal(literal)] => unquoted(&literal.to_string()),
            [TokenTree::Punct(dollar), TokenTree::Ident(_)] if dollar.as_char() == '$' => {
                argument.map(str::to_owned)
            }
            [
                TokenTree::Ident(name),
                TokenTree::Punct(bang),
                TokenTree::Group(group),
            ] if bang.as_char() == '!' => {
                let arguments: Vec<_> = group.stream().into_iter().collect();
                let arguments = arguments.split(|token| token.to_string() == ",");
                let arguments = arguments.filter(|tokens| !tokens.is_empty());
                let mut texts = arguments.map(|tokens| self.text(tokens, argument));
                if name == "concat" {
                    return texts.collect();
                }
                let named = || self.macros.iter().filter(|one| name == &one.name);
                let here = named().find(|one| one.file == self.file);
                let beside = named().find(|one| one.file.parent() == self.file.parent());
                let made = here.or(beside).or(named().next())?;
                let argument = match made.parameter {
                    Some(_) => Some(texts.next()??),
                    None => None,
                };
                self.text(&made.body, argument.as_deref())
            }
            _ => None,
        }
    }
}

fn is_end(token: &TokenTree) -> bool {
    match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        other => other.to_string() == ";",
    }
}

/// What a literal says, if it is a string.
fn unquoted(literal: &str) -> Option<String> {
    let literal = literal.strip_prefix('b').unwrap_or(literal);
    if let Some(raw) = literal.strip_prefix('r') {
        return raw
            .trim_matches('#')
            .strip_prefix('"')?
            .strip_suffix('"')
            .map(str::to_owned);
    }
    let quoted = literal.strip_prefix('"')?.strip_suffix('"')?;
    let mut parts = quoted.split("\\\\").map(|part| {
        let mut lines = part.split("\\\n");
        let mut text = lines.next().unwrap_or_default().to_owned();
        lines.for_each(|line| text.push_str(line.trim_start()));
        text.replace("\\n", "\n").replace("\\\"", "\"")
    });
    let first = parts.next()?;
    Some(parts.fold(first, |all, part| all + "\\" + &part))
}
