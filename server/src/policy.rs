//! The content security policy: which code the page may run.
//!
//! The build writes one small inline script that starts the page; its hash is taken from the very
//! file that is served, so the policy never has to allow inline code in general.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

/// The policy for a page with this source.
pub(crate) fn content_security_policy(html: &str) -> String {
    let mut scripts = String::new();
    let mut styles = String::new();
    for block in inline_blocks(html) {
        let sources = match block.kind {
            Kind::Script => &mut scripts,
            Kind::Style => &mut styles,
        };
        // The browser hashes the text after it has normalised line ends.
        let digest = Sha256::digest(block.text.replace("\r\n", "\n").as_bytes());
        let source = format!(" 'sha256-{}'", STANDARD.encode(digest));
        if !sources.contains(&source) {
            sources.push_str(&source);
        }
    }
    format!(
        "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'{scripts}; style-src 'self'{styles}; \
         style-src-attr 'unsafe-inline'; img-src 'self' data: blob:; connect-src 'self'; \
         worker-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    )
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Script,
    Style,
}

#[derive(Debug, PartialEq, Eq)]
struct Block<'a> {
    kind: Kind,
    text: &'a str,
}

/// Every `<script>` without `src` and every `<style>`, in order.
fn inline_blocks(html: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        rest = &rest[at..];
        if let Some(comment) = rest.strip_prefix("<!--") {
            rest = comment.split_once("-->").map_or("", |(_, after)| after);
            continue;
        }
        let Some((kind, name)) = [(Kind::Script, "script"), (Kind::Style, "style")]
            .into_iter()
            .find(|(_, name)| opens(&rest[1..], name))
        else {
            rest = &rest[1..];
            continue;
        };
        let attributes = &rest[1 + name.len()..];
        let Some(end) = tag_end(attributes) else {
            break;
        };
        let body = &attributes[end + 1..];
        let length = closing_tag(body, name).unwrap_or(body.len());
        if kind == Kind::Style || !has_src(&attributes[..end]) {
            blocks.push(Block { kind, text: &body[..length] });
        }
        rest = &body[length..];
    }
    blocks
}

/// Whether `text` starts with this tag name and nothing longer.
fn opens(text: &str, name: &str) -> bool {
    text.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
        && text[name.len()..].starts_with(|c: char| c.is_ascii_whitespace() || c == '>' || c == '/')
}

/// Position of the `>` that ends a tag; one inside a quoted value does not count.
fn tag_end(attributes: &str) -> Option<usize> {
    let mut quote = None;
    for (at, c) in attributes.char_indices() {
        match (quote, c) {
            (None, '>') => return Some(at),
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            _ => {}
        }
    }
    None
}

fn has_src(attributes: &str) -> bool {
    let mut quote = None;
    let mut bare = String::with_capacity(attributes.len());
    for c in attributes.chars() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if c == open => {
                quote = None;
                bare.push(' ');
            }
            (None, c) => bare.push(c.to_ascii_lowercase()),
            _ => {}
        }
    }
    bare.split(|c: char| c.is_ascii_whitespace() || c == '/')
        .any(|word| word == "src" || word.starts_with("src="))
}

fn closing_tag(body: &str, name: &str) -> Option<usize> {
    body.match_indices("</").map(|(at, _)| at).find(|at| opens(&body[at + 2..], name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(html: &str) -> Vec<&str> {
        inline_blocks(html).into_iter().map(|block| block.text).collect()
    }

    #[test]
    fn inline_blocks_are_found_and_nothing_else() {
        assert_eq!(texts("<script>a()</script><SCRIPT type=module>b('<')</Script >"), ["a()", "b('<')"]);
        assert_eq!(texts("<script src='x.js'></script><script\nasync SRC=y></script>"), [""; 0]);
        assert_eq!(texts("<script data-src=\"x > y\" src>1</script><scripty>2</scripty>"), [""; 0]);
        assert_eq!(texts("<script data-x='src=1'>a</script>"), ["a"]);
        assert_eq!(texts("<!-- <script>no</script> --><style>p{}</style>"), ["p{}"]);
        assert_eq!(texts("<script>open end"), ["open end"]);
        assert_eq!(texts("<script "), [""; 0]);
        assert_eq!(texts("é<é<script>é</script>"), ["é"]);
    }

    #[test]
    fn hashes_are_those_a_browser_computes() {
        // Hash of `alert('Hello, world.');`, the example of the CSP specification.
        let hash = "'sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng='";
        let policy = content_security_policy("<script>alert('Hello, world.');</script>");
        assert!(policy.contains(&format!("script-src 'self' 'wasm-unsafe-eval' {hash};")), "{policy}");
        assert!(policy.contains("style-src 'self';"), "{policy}");
        let styled = content_security_policy("<style>a\r\nb</style>");
        assert_eq!(styled, content_security_policy("<style>a\nb</style>"));
        assert!(styled.contains("style-src 'self' 'sha256-"), "{styled}");
    }
}
