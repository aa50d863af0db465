//! Reads XML as a tree for comparison.
//!
//! An element is an object: `@name` for each attribute, a list for each name of its children, and
//! its text under the empty name. White space between elements, comments, processing instructions,
//! prefixes of namespaces, and the spelling of text (CDATA, references) are gone. The order of
//! elements with different names is gone, too.

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{NamespaceResolver, ResolveResult};
use quick_xml::reader::NsReader;

use crate::convert::protocol::{Json, Text};

/// Maximum depth of nesting.
const DEPTH_MAX: usize = 128;
/// Maximum bytes of a document that is read as a tree.
const BYTES_MAX: usize = 64 << 20;
/// The namespace of attributes such as `xsi:type`, and the prefix that it is shown with.
const SCHEMA_INSTANCE: (&str, &str) = ("http://www.w3.org/2001/XMLSchema-instance", "xsi");
/// The namespace of `xml:lang` and its prefix.
const XML: (&str, &str) = ("http://www.w3.org/XML/1998/namespace", "xml");

/// Parses a document into an object whose only member is the root element.
///
/// `None` for what is no well-formed XML, is nested deeper than 128 levels, or refers to an entity
/// that only a DTD could explain. A DTD itself is passed over; nothing is ever expanded or loaded.
pub(crate) fn parse(text: &str) -> Option<Json> {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    if !text.starts_with('<') || text.len() > BYTES_MAX {
        return None;
    }
    let mut reader = NsReader::from_str(text);
    let config = reader.config_mut();
    config.expand_empty_elements = true;
    config.check_comments = false;
    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                if open.len() >= DEPTH_MAX || (open.is_empty() && root.is_some()) {
                    return None;
                }
                let around = open.last().map(|element| element.namespace.as_str());
                open.push(Element::begin(&start, reader.resolver(), around)?);
            }
            Event::End(_) => {
                let done = open.pop()?;
                match open.last_mut() {
                    Some(parent) => parent.add_child(done),
                    None => root = Some(done),
                }
            }
            Event::Text(text) => add_text(&mut open, &text.xml10_content())?,
            Event::CData(text) => add_text(&mut open, &text.xml10_content())?,
            Event::GeneralRef(reference) => {
                let c = match reference.resolve_char_ref().ok()? {
                    Some(c) => c,
                    None => predefined(&reference)?,
                };
                add_text(&mut open, c.encode_utf8(&mut [0; 4]))?;
            }
            Event::Eof => break,
            Event::Empty(_)
            | Event::Comment(_)
            | Event::Decl(_)
            | Event::PI(_)
            | Event::DocType(_) => {}
        }
    }
    // What is still open was cut off.
    let root = root.filter(|_| open.is_empty())?;
    let name = root.name.clone();
    Some(Json::Object(vec![(
        Text::of(&name),
        Json::List(vec![root.into_json()]),
    )]))
}

fn predefined(name: &str) -> Option<char> {
    Some(match name {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "apos" => '\'',
        "quot" => '"',
        _ => return None,
    })
}

/// Adds text to the innermost open element. Outside of the root only white space is allowed.
fn add_text(open: &mut [Element], text: &str) -> Option<()> {
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        None if text.trim().is_empty() => {}
        None => return None,
    }
    Some(())
}

/// An element that is being read.
struct Element {
    name: String,
    namespace: String,
    members: Vec<(Text, Json)>,
    /// Its children by name, in the order in which the names occur first.
    children: Vec<(String, Vec<Json>)>,
    text: String,
}

impl Element {
    /// Reads the name and the attributes. `around` is the namespace of the element around it.
    fn begin(
        start: &BytesStart<'_>,
        names: &NamespaceResolver,
        around: Option<&str>,
    ) -> Option<Self> {
        let (resolved, local) = names.resolve_element(start.name());
        let namespace = match resolved {
            ResolveResult::Bound(namespace) => namespace.into_inner().to_owned(),
            ResolveResult::Unbound => String::new(),
            // A prefix that nothing explains is taken for its own namespace.
            ResolveResult::Unknown(prefix) => prefix,
        };
        let mut members = Vec::new();
        if around.unwrap_or_default() != namespace {
            // Where a namespace begins it is shown like the attribute that may declare it.
            members.push((Text::of("@xmlns"), Json::text(namespace.clone())));
        }
        let mut attributes = Vec::new();
        for attribute in start.attributes() {
            let attribute = attribute.ok()?;
            if attribute.key.as_namespace_binding().is_some() {
                continue;
            }
            let (resolved, local) = names.resolve_attribute(attribute.key);
            let local = local.into_inner();
            let name = match resolved {
                ResolveResult::Unbound => format!("@{local}"),
                ResolveResult::Bound(namespace) => match namespace.into_inner() {
                    known if known == SCHEMA_INSTANCE.0 => {
                        format!("@{}:{local}", SCHEMA_INSTANCE.1)
                    }
                    known if known == XML.0 => format!("@{}:{local}", XML.1),
                    other => format!("@{{{other}}}{local}"),
                },
                ResolveResult::Unknown(prefix) => format!("@{prefix}:{local}"),
            };
            let value = attribute.normalized_value(XmlVersion::Implicit1_0).ok()?;
            attributes.push((Text::of(&name), Json::text(value)));
        }
        members.extend(attributes);
        Some(Self {
            name: local.into_inner().to_owned(),
            namespace,
            members,
            children: Vec::new(),
            text: String::new(),
        })
    }

    fn add_child(&mut self, child: Self) {
        // Elements mostly have few names of children, and the same name many times in a row.
        let known = self
            .children
            .iter()
            .rposition(|(name, _)| *name == child.name);
        let place = known.unwrap_or_else(|| {
            self.children.push((child.name.clone(), Vec::new()));
            self.children.len() - 1
        });
        self.children[place].1.push(child.into_json());
    }

    fn into_json(self) -> Json {
        let mut members = self.members;
        let has_children = !self.children.is_empty();
        for (name, children) in self.children {
            members.push((Text::of(&name), Json::List(children)));
        }
        // Beside children, all white space around a text is layout.
        let text = if has_children {
            self.text.trim()
        } else {
            without_layout(&self.text)
        };
        if !text.is_empty() {
            members.push((Text::of(""), Json::text(text)));
        }
        Json::Object(members)
    }
}

/// Returns a text without the white space at its ends, where that has a line break in it. Programs
/// that indent XML put it there. Other spaces may belong to the value.
fn without_layout(text: &str) -> &str {
    let rest = text.trim_start();
    let text = if text[..text.len() - rest.len()].contains('\n') {
        rest
    } else {
        text
    };
    let rest = text.trim_end();
    if text[rest.len()..].contains('\n') {
        rest
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Option<String> {
        parse(text).map(|tree| tree.to_string())
    }

    #[test]
    fn spellings_of_one_document_are_one_tree() {
        let plain = told(r#"<R xmlns="urn:x"><S v="1" u="V">a&lt;b</S><S/></R>"#);
        assert_eq!(
            plain.as_deref(),
            Some(r#"{"R":[{"@xmlns":"urn:x","S":[{"@v":"1","@u":"V","":"a<b"},{}]}]}"#)
        );
        let other = "\u{feff}<?xml version=\"1.0\"?>\r\n<!-- made --><p:R xmlns:p='urn:x'>\r\n  \
                     <p:S v='1' u=\"V\"><![CDATA[a<]]>b</p:S>\r\n\t<p:S></p:S>\n</p:R>\n";
        assert_eq!(told(other), plain);
    }

    /// A small document must not become a large one, and no other file may be read.
    #[test]
    fn no_entity_is_expanded() {
        let bomb = r#"<!DOCTYPE a [<!ENTITY b "xxxx"><!ENTITY c SYSTEM "file:///etc/passwd">]>"#;
        assert!(parse(&format!("{bomb}<a>&b;</a>")).is_none());
        assert!(parse(&format!("{bomb}<a>&c;</a>")).is_none());
        assert!(parse(&format!("{bomb}<a x='&b;'/>")).is_none());
        assert!(parse(&format!("{bomb}<a>&amp;&#65;</a>")).is_some());
    }

    #[test]
    fn a_value_may_be_written_on_lines_of_its_own() {
        assert_eq!(told("<a>\n\t</a>"), told("<a/>"));
        assert_ne!(told("<a> </a>"), told("<a/>"));
        assert_eq!(told("<a>\n  x y \n</a>"), told("<a>x y</a>"));
        assert_ne!(told("<a> x</a>"), told("<a>x</a>"));
    }

    #[test]
    fn what_is_no_complete_document_is_no_tree() {
        for text in [
            "",
            "a",
            "<",
            "<a>",
            "<a></b>",
            "<a/><b/>",
            "<a/>x",
            "x<a/>",
            "<a x=1/>",
            "<a x='1' x='2'/>",
            "{}",
            "</a>",
            "<a><![CDATA[</a>",
        ] {
            assert!(parse(text).is_none(), "{text}");
        }
        let deep = |levels| "<a>".repeat(levels) + &"</a>".repeat(levels);
        assert!(parse(&deep(128)).is_some());
        assert!(parse(&deep(100_000)).is_none());
    }
}
