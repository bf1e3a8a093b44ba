//! A small tree from a server's XML, hostile-proof: size, depth and node count are bounded, document types are refused,
//! and only the five predefined entities and character references are resolved.

use quick_xml::Reader;
use quick_xml::events::Event;

/// Longest XML answer that is read: a page of 1,000 keys of 1 KiB, escaped three times over, fits.
pub const MAX_XML: u64 = 8 << 20;
const MAX_DEPTH: usize = 16;
const MAX_NODES: usize = 100_000;

/// An element: its local name, its own text, its children.
#[derive(Debug, Default)]
pub struct Node {
    /// Without namespace prefix.
    pub name: String,
    /// All text directly inside, joined.
    pub text: String,
    /// In document order.
    pub children: Vec<Node>,
}

impl Node {
    /// The first child of that name.
    pub fn child(&self, name: &str) -> Option<&Node> {
        self.children.iter().find(|n| n.name == name)
    }

    /// The text of the first child of that name.
    pub fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(|n| n.text.as_str())
    }
}

/// Parses a whole document into its root element; the error says what is wrong with it.
pub fn parse(bytes: &[u8]) -> Result<Node, String> {
    if bytes.len() as u64 > MAX_XML {
        return Err(format!(
            "an XML answer of {} bytes is too long",
            bytes.len()
        ));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| "the XML answer is not UTF-8".to_string())?;
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Node> = Vec::new();
    let mut nodes = 0usize;
    loop {
        match reader
            .read_event()
            .map_err(|e| format!("the XML answer is malformed: {e}"))?
        {
            Event::Start(tag) => {
                nodes += 1;
                if open.len() >= MAX_DEPTH || nodes > MAX_NODES {
                    return Err(
                        "the XML answer is nested too deeply or has too many elements".into(),
                    );
                }
                open.push(Node {
                    name: local(tag.local_name().as_ref()),
                    ..Node::default()
                });
            }
            Event::Empty(tag) => {
                nodes += 1;
                if nodes > MAX_NODES {
                    return Err("the XML answer has too many elements".into());
                }
                let node = Node {
                    name: local(tag.local_name().as_ref()),
                    ..Node::default()
                };
                match open.last_mut() {
                    Some(parent) => parent.children.push(node),
                    None => return Ok(node),
                }
            }
            Event::End(_) => {
                let Some(done) = open.pop() else {
                    return Err("the XML answer is malformed".into());
                };
                match open.last_mut() {
                    Some(parent) => parent.children.push(done),
                    None => return Ok(done),
                }
            }
            Event::Text(t) => push(&mut open, &t.xml10_content()),
            Event::CData(t) => push(&mut open, &t.xml10_content()),
            Event::GeneralRef(r) => {
                let c = resolve(&r).ok_or("the XML answer names an unknown entity")?;
                push(&mut open, c.encode_utf8(&mut [0; 4]));
            }
            Event::DocType(_) => return Err("the XML answer has a document type".into()),
            Event::Eof => return Err("the XML answer ends early".into()),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
        }
    }
}

fn local<N: AsRef<[u8]> + ?Sized>(name: &N) -> String {
    String::from_utf8_lossy(name.as_ref()).into_owned()
}

fn push(open: &mut [Node], text: &str) {
    if let Some(node) = open.last_mut() {
        node.text.push_str(text);
    }
}

fn resolve(reference: &quick_xml::events::BytesRef<'_>) -> Option<char> {
    match &**reference {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => reference.resolve_char_ref().ok().flatten(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_text_entities_and_prefixes() {
        let root = parse(b"<?xml version=\"1.0\"?><x:R xmlns:x='u'><Key>a&amp;&#98;<![CDATA[<c>]]></Key><E/></x:R>").unwrap();
        assert_eq!(
            (root.name.as_str(), root.text_of("Key"), root.text_of("E")),
            ("R", Some("a&b<c>"), Some(""))
        );
    }

    #[test]
    fn hostile_documents_are_refused() {
        let deep = "<a>".repeat(50);
        let many = format!("<a>{}</a>", "<b/>".repeat(MAX_NODES + 1));
        let bomb = "<!DOCTYPE r [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><r>&b;</r>";
        for bad in [
            &deep,
            &many,
            bomb,
            "<r>&evil;</r>",
            "<r>",
            "",
            "text",
            "<a></b>",
            "</a>",
            "<r>&#0;</r>",
        ] {
            assert!(
                parse(bad.as_bytes()).is_err(),
                "{}",
                &bad[..bad.len().min(60)]
            );
        }
        assert!(parse(b"<a>\xff</a>").is_err());
        assert!(parse(&vec![b' '; MAX_XML as usize + 1]).is_err());
    }
}
