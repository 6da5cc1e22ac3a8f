//! Lineage: from a product version, an agreement or a transfer back to what it came from: files, agreements, the products
//! of other organisations, and the organisations.
//!
//! A [`Graph`] is put together from what a participant holds itself. It says what the participant declared and what both
//! sides agreed; how the other side made its product is in the other side's lineage. [`prov`] and [`openlineage`] write
//! it down in the two common forms.

pub mod openlineage;
pub mod prov;

use crate::{
    error::{Error, Result},
    participant::Did,
    time::Timestamp,
};
use serde::Serialize;

/// Most things that one product version may be said to be derived from: a longer list is no longer read by anybody.
pub const INPUTS_MAX: usize = 100;
/// Longest id of an input, as agreements of others have them.
pub const INPUT_MAX_CHARS: usize = crate::ids::FOREIGN_ID_MAX_CHARS;
/// Steps back from the thing asked for.
pub const DEPTH_MAX: u32 = 16;
/// Most things in one graph: more cannot be drawn, and a document of them stays below a megabyte.
pub const NODES_MAX: usize = 500;
/// Most links of one graph: a link more costs a look at all that are there.
pub const LINKS_MAX: usize = 4 * NODES_MAX;
/// Most files shown of one product version; how many there are is said.
pub const FILES_MAX: u32 = 25;

/// What documents of a graph of which something was left out say.
const CUT: &str = "This is a part: more was left out.";

/// Checks what a product version is said to be derived from, as far as that can be seen without looking anything up.
///
/// # Errors
/// When they are too many, empty, too long, or the same twice.
pub fn check_inputs(inputs: &[String]) -> Result<()> {
    if inputs.len() > INPUTS_MAX {
        return Err(Error::invalid(format!("A product is derived from at most {INPUTS_MAX} agreements and products.")));
    }
    if inputs.iter().any(|id| id.is_empty() || id.chars().count() > INPUT_MAX_CHARS || id.chars().any(char::is_control)) {
        return Err(Error::invalid(format!(
            "\"derivedFrom\" holds ids of agreements and products, of at most {INPUT_MAX_CHARS} characters."
        )));
    }
    if let Some((_, twice)) = inputs.iter().enumerate().find(|(at, id)| inputs[..*at].contains(id)) {
        return Err(Error::invalid(format!("\"derivedFrom\" names \"{twice:.100}\" twice.")));
    }
    Ok(())
}

/// Something that has a lineage, or is part of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase", rename_all_fields = "camelCase")]
pub enum Thing {
    /// An organisation.
    Party {
        /// Its DID.
        did: String,
        /// What it calls itself, as far as that is known.
        name: String,
        /// Whether its lineage this is.
        own: bool,
    },
    /// A version of a product.
    Product {
        /// Its dataset id.
        dataset: String,
        /// Whose it is: a DID.
        party: String,
        /// Its title, as far as that is known.
        title: String,
        /// When it was published, if it is our own.
        #[serde(skip_serializing_if = "Option::is_none")]
        published_at: Option<Timestamp>,
        /// SHA-256 (hex) of the description of its content, if it is our own.
        #[serde(skip_serializing_if = "Option::is_none")]
        content_sha256: Option<String>,
        /// How many files it has, if it is our own.
        #[serde(skip_serializing_if = "Option::is_none")]
        files: Option<u64>,
    },
    /// A file of a product of ours.
    File {
        /// Its name in the product.
        name: String,
        /// SHA-256 (hex) of its bytes.
        sha256: String,
        /// Its size.
        bytes: u64,
    },
    /// An agreement of ours.
    Agreement {
        /// Its id.
        id: String,
        /// SHA-256 (hex) of its document: the same on both sides, and in both logs.
        sha256: String,
        /// When it was made.
        made_at: Timestamp,
        /// The provider's DID.
        provider: String,
        /// The consumer's DID.
        consumer: String,
        /// When it ended, if it did.
        #[serde(skip_serializing_if = "Option::is_none")]
        ended_at: Option<Timestamp>,
    },
    /// A transfer under an agreement.
    Transfer {
        /// Its id.
        id: String,
        /// How it is delivered.
        format: String,
        /// Where it stands, in the protocol's words.
        state: String,
        /// When it began here.
        began_at: Timestamp,
        /// When it ended, if it did.
        #[serde(skip_serializing_if = "Option::is_none")]
        ended_at: Option<Timestamp>,
        /// The consumer's DID.
        consumer: String,
    },
}

impl Thing {
    /// What names it in a graph.
    pub fn key(&self) -> String {
        match self {
            Self::Party { did, .. } => party_key(did),
            Self::Product { dataset, party, .. } => product_key(party, dataset),
            // The same bytes may have another name in another product.
            Self::File { sha256, name, .. } => format!("file/{sha256}/{name}"),
            Self::Agreement { id, .. } => agreement_key(id),
            Self::Transfer { id, .. } => format!("transfer/{id}"),
        }
    }
}

/// The key of a party.
pub fn party_key(did: &str) -> String {
    format!("party/{did}")
}

/// The key of a product version.
pub fn product_key(party: &str, dataset: &str) -> String {
    format!("product/{party}/{dataset}")
}

/// The key of an agreement.
pub fn agreement_key(id: &str) -> String {
    format!("agreement/{id}")
}

/// How one thing follows from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Relation {
    /// A product version was made from what came under an agreement, or from another product version of ours.
    DerivedFrom,
    /// A product version consists of a file.
    Holds,
    /// An agreement is about a product version.
    About,
    /// A transfer is under an agreement.
    Under,
    /// A product version is a party's.
    By,
    /// An agreement binds a party.
    With,
}

/// A thing in a graph.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Node {
    /// What names it here.
    pub key: String,
    /// How many steps it is away from what was asked for.
    pub depth: u32,
    /// What it is.
    #[serde(flatten)]
    pub thing: Thing,
}

/// A step back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Link {
    /// The key of what follows.
    pub from: String,
    /// The key of what it follows from.
    pub to: String,
    /// How.
    pub relation: Relation,
}

/// What something came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Graph {
    /// The key of what was asked for.
    pub root: String,
    /// Everything, what was asked for first.
    pub nodes: Vec<Node>,
    /// How it hangs together.
    pub links: Vec<Link>,
    /// Whether something was left out: the graph is larger than [`NODES_MAX`] or [`LINKS_MAX`], deeper than [`DEPTH_MAX`], or
    /// a product version has more files than [`FILES_MAX`].
    pub cut: bool,
}

impl Graph {
    /// The graph of a thing, with nothing else yet.
    pub fn of(root: Thing) -> Self {
        let key = root.key();
        Self { root: key.clone(), nodes: vec![Node { key, depth: 0, thing: root }], links: Vec::new(), cut: false }
    }

    /// A thing by its key.
    pub fn get(&self, key: &str) -> Option<&Thing> {
        self.nodes.iter().find(|node| node.key == key).map(|node| &node.thing)
    }

    /// Adds what `from` follows from. True: it is new, and what it came from itself is to be looked at.
    pub fn add(&mut self, from: &str, relation: Relation, thing: Thing) -> bool {
        let to = thing.key();
        let Some(depth) = self.nodes.iter().find(|node| node.key == from).map(|node| node.depth + 1) else { return false };
        let known = self.nodes.iter().any(|node| node.key == to);
        if !known && (self.nodes.len() >= NODES_MAX || depth > DEPTH_MAX) {
            self.cut = true;
            return false;
        }
        let link = Link { from: from.to_owned(), to: to.clone(), relation };
        if !self.links.contains(&link) {
            if self.links.len() >= LINKS_MAX {
                self.cut = true;
                return false;
            }
            self.links.push(link);
        }
        if !known {
            self.nodes.push(Node { key: to, depth, thing });
        }
        !known
    }

    /// Whether nothing more has room.
    pub const fn is_full(&self) -> bool {
        self.nodes.len() >= NODES_MAX || self.links.len() >= LINKS_MAX
    }

    /// What a thing follows from by one relation.
    pub fn sources<'a>(&'a self, key: &'a str, relation: Relation) -> impl Iterator<Item = (&'a str, &'a Thing)> {
        let links = self.links.iter().filter(move |link| link.from == key && link.relation == relation);
        links.filter_map(|link| self.get(&link.to).map(|thing| (link.to.as_str(), thing)))
    }
}

/// A party of a graph, ours or not.
pub fn party(did: &Did, name: Option<&str>, own: bool) -> Thing {
    Thing::Party { did: did.to_string(), name: name.unwrap_or_default().to_owned(), own }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    const ACME: &str = "did:web:acme.example";
    const BETA: &str = "did:web:beta.example:p:beta";

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("a time")
    }

    /// A report of ours, made from a table of another organisation and from a list of ours.
    pub(crate) fn report() -> Graph {
        let product = |dataset: &str, party: &str, own: bool| Thing::Product {
            dataset: dataset.into(),
            party: party.into(),
            title: format!("The {dataset}"),
            published_at: own.then(|| at("2026-11-20T10:00:00Z")),
            content_sha256: own.then(|| "c0".repeat(32)),
            files: own.then_some(1),
        };
        let party = |did: &str, own: bool| Thing::Party { did: did.into(), name: String::new(), own };
        let mut graph = Graph::of(product("report:2", ACME, true));
        let root = graph.root.clone();
        let file = |name: &str, byte: &str| Thing::File { name: name.into(), sha256: byte.repeat(32), bytes: 9 };
        assert!(graph.add(&root, Relation::By, party(ACME, true)));
        assert!(graph.add(&root, Relation::Holds, file("report.csv", "ab")));
        let agreement = Thing::Agreement {
            id: "urn:uuid:1".into(),
            sha256: "d1".repeat(32),
            made_at: at("2026-11-19T10:00:00Z"),
            provider: BETA.into(),
            consumer: ACME.into(),
            ended_at: None,
        };
        assert!(graph.add(&root, Relation::DerivedFrom, agreement));
        let agreement = agreement_key("urn:uuid:1");
        assert!(graph.add(&agreement, Relation::About, product("wind", BETA, false)));
        assert!(graph.add(&agreement, Relation::With, party(BETA, false)));
        assert!(!graph.add(&agreement, Relation::With, party(ACME, true)), "known already");
        assert!(!graph.add(&product_key(BETA, "wind"), Relation::By, party(BETA, false)));
        assert!(graph.add(&root, Relation::DerivedFrom, product("sites", ACME, true)));
        assert!(graph.add(&product_key(ACME, "sites"), Relation::Holds, file("sites.csv", "cd")));
        graph
    }

    #[test]
    fn a_graph_has_each_thing_and_each_step_once() {
        let mut graph = report();
        let (nodes, links) = (graph.nodes.len(), graph.links.len());
        let root = graph.root.clone();
        assert!(!graph.add(&root, Relation::By, party(&Did::parse(ACME).expect("did"), None, true)));
        assert!(!graph.add("product/nobody", Relation::By, party(&Did::parse(BETA).expect("did"), None, false)), "from nowhere");
        assert_eq!((graph.nodes.len(), graph.links.len()), (nodes, links));
        let from: Vec<&str> = graph.sources(&root, Relation::DerivedFrom).map(|(key, _)| key).collect();
        assert_eq!(from, ["agreement/urn:uuid:1", "product/did:web:acme.example/sites"]);
        let depth = |key: &str| graph.nodes.iter().find(|node| node.key == key).map(|node| node.depth);
        assert_eq!(depth("product/did:web:beta.example:p:beta/wind"), Some(2));
        assert!(!graph.cut);
    }

    #[test]
    fn a_graph_ends_somewhere() {
        let file = |n: usize| Thing::File { name: n.to_string(), sha256: format!("{n:064x}"), bytes: 1 };
        let mut wide = report();
        let root = wide.root.clone();
        let added = (0..2 * NODES_MAX).filter(|n| wide.add(&root, Relation::Holds, file(*n))).count();
        assert!(wide.cut && wide.nodes.len() == NODES_MAX && added < NODES_MAX);
        let mut deep = Graph::of(file(0));
        let mut last = deep.root.clone();
        for n in 1.. {
            let next = file(n);
            let key = next.key();
            if !deep.add(&last, Relation::DerivedFrom, next) {
                break;
            }
            last = key;
        }
        assert!(deep.cut && deep.nodes.len() == DEPTH_MAX as usize + 1);
    }

    #[test]
    fn a_graph_in_which_everything_hangs_together_has_an_end_too() {
        let product = |n: usize| Thing::Product {
            dataset: format!("p{n}"),
            party: ACME.into(),
            title: String::new(),
            published_at: None,
            content_sha256: None,
            files: None,
        };
        let mut graph = Graph::of(product(0));
        let root = graph.root.clone();
        for of in 1..=100 {
            graph.add(&root, Relation::DerivedFrom, product(of));
            for n in 101..=200 {
                graph.add(&product_key(ACME, &format!("p{of}")), Relation::DerivedFrom, product(n));
            }
        }
        assert_eq!((graph.links.len(), graph.cut, graph.is_full()), (LINKS_MAX, true, true));
    }

    #[test]
    fn inputs_are_bounded_and_different() {
        let inputs = |of: &[&str]| of.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        assert!(check_inputs(&inputs(&["agr_1", "wind:2", "urn:uuid:1"])).is_ok());
        for wrong in [inputs(&["agr_1", "agr_1"]), inputs(&[""]), inputs(&["a\nb"]), inputs(&[&"x".repeat(INPUT_MAX_CHARS + 1)])] {
            assert!(check_inputs(&wrong).is_err(), "{wrong:?}");
        }
        assert!(check_inputs(&(0..=INPUTS_MAX).map(|n| n.to_string()).collect::<Vec<_>>()).is_err());
    }
}
