//! `GET /p/{slug}/lineage/{id}`: what a product version, an agreement or a transfer came from, as a picture and as a
//! table. `?format=prov` and `?format=openlineage` are the files.

use askama::Template;

use crate::text::{Text, filters};
use crate::view::{Layout, When};

/// Most things in the picture: more cannot be told apart. The table has all of them.
const PICTURE_MAX: usize = 60;
/// Columns that stand a step apart, and rows within one: room for two lines of text in a box, in pixels.
const COLUMN: usize = 270;
const ROW: usize = 74;
/// The size of a box.
const BOX_WIDTH: usize = 220;
const BOX_HEIGHT: usize = 54;
/// How far the curves between boxes bulge.
const BEND: usize = (COLUMN - BOX_WIDTH) / 2;
/// Around everything, so that borders are not cut.
const MARGIN: usize = 4;
/// Characters of a name that fit into a box. Chinese ones are twice as wide.
const LABEL_CELLS: usize = 24;

/// What a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineageKind {
    /// An organisation.
    Party,
    /// A product version.
    Product,
    /// A file.
    File,
    /// An agreement.
    Agreement,
    /// A transfer.
    Transfer,
}

impl LineageKind {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Party, Self::Product, Self::File, Self::Agreement, Self::Transfer];

    /// The name in messages and styles.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Party => "party",
            Self::Product => "product",
            Self::File => "file",
            Self::Agreement => "agreement",
            Self::Transfer => "transfer",
        }
    }

    fn text(self) -> Text {
        Text::of("lineage-kind", self.code())
    }
}

/// How one thing follows from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineageRelation {
    /// It was made from it.
    DerivedFrom,
    /// It consists of it.
    Holds,
    /// It is about it.
    About,
    /// It is under it.
    Under,
    /// It is theirs.
    By,
    /// It binds them.
    With,
}

impl LineageRelation {
    /// All of them.
    pub const ALL: &[Self] = &[Self::DerivedFrom, Self::Holds, Self::About, Self::Under, Self::By, Self::With];

    /// The name in messages.
    pub const fn code(self) -> &'static str {
        match self {
            Self::DerivedFrom => "derived-from",
            Self::Holds => "holds",
            Self::About => "about",
            Self::Under => "under",
            Self::By => "by",
            Self::With => "with",
        }
    }

    fn text(self) -> Text {
        Text::of("lineage-relation", self.code())
    }
}

/// A thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineageThing {
    /// What it is.
    pub kind: LineageKind,
    /// What people call it; its id where there is nothing else.
    pub name: String,
    /// What identifies it: an id, a hash, a DID.
    pub id: String,
    /// Its page, if it has one here.
    pub href: Option<String>,
    /// When it came about, if that is known.
    pub at: Option<When>,
    /// How many steps it is away from what was asked for.
    pub depth: usize,
    /// What it follows from: places in the list of things.
    pub from: Vec<(LineageRelation, usize)>,
}

/// A box of the picture.
#[derive(Debug, PartialEq, Eq)]
struct Shape<'a> {
    thing: &'a LineageThing,
    label: String,
    x: usize,
    y: usize,
}

/// The picture.
#[derive(Debug, PartialEq, Eq)]
struct Picture<'a> {
    width: usize,
    height: usize,
    box_width: usize,
    box_height: usize,
    shapes: Vec<Shape<'a>>,
    /// Paths, as SVG writes them.
    lines: Vec<String>,
}

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/lineage.html", blocks = ["title"])]
pub struct LineagePage {
    /// Around the page.
    pub layout: Layout,
    /// The id in URLs.
    pub id: String,
    /// Everything, what was asked for first.
    pub things: Vec<LineageThing>,
    /// Whether something was left out.
    pub cut: bool,
}

page!(LineagePage);

/// A name, cut to what fits.
fn fitted(name: &str) -> String {
    let cells = |c: char| if c.is_ascii() { 1 } else { 2 };
    if name.chars().map(cells).sum::<usize>() <= LABEL_CELLS {
        return name.to_owned();
    }
    let mut left = LABEL_CELLS.saturating_sub(2);
    let mut short: String = name
        .chars()
        .take_while(|c| {
            let fits = left >= cells(*c);
            left = left.saturating_sub(cells(*c));
            fits
        })
        .collect();
    short.push('…');
    short
}

impl LineagePage {
    fn name(&self) -> &str {
        self.things.first().map_or(self.id.as_str(), |thing| thing.name.as_str())
    }

    /// The things that one follows from, with how.
    fn sources<'a>(&'a self, thing: &'a LineageThing) -> impl Iterator<Item = (Text, &'a LineageThing)> {
        thing.from.iter().filter_map(|(relation, at)| self.things.get(*at).map(|source| (relation.text(), source)))
    }

    /// Every step is a column, from what was asked for on the left to where it came from on the right.
    fn picture(&self) -> Option<Picture<'_>> {
        if self.things.len() > PICTURE_MAX {
            return None;
        }
        let mut rows: Vec<usize> = Vec::new();
        let shapes: Vec<Shape<'_>> = self
            .things
            .iter()
            .map(|thing| {
                if rows.len() <= thing.depth {
                    rows.resize(thing.depth + 1, 0);
                }
                let row = rows.get_mut(thing.depth).map_or(0, |taken| {
                    *taken += 1;
                    *taken - 1
                });
                Shape { thing, label: fitted(&thing.name), x: MARGIN + thing.depth * COLUMN, y: MARGIN + row * ROW }
            })
            .collect();
        let lines = shapes.iter().flat_map(|shape| shape.thing.from.iter().filter_map(|(_, to)| Some(line(shape, shapes.get(*to)?))));
        let lines = lines.collect();
        let tallest = rows.iter().copied().max().unwrap_or(1).max(1);
        // Lines between boxes of the last column bulge to its right.
        let width = rows.len().saturating_sub(1) * COLUMN + BOX_WIDTH + BEND + 2 * MARGIN;
        let height = (tallest - 1) * ROW + BOX_HEIGHT + 2 * MARGIN;
        Some(Picture { width, height, box_width: BOX_WIDTH, box_height: BOX_HEIGHT, shapes, lines })
    }
}

/// A curve between two boxes: to the right where it leads on, down along the boxes where it leads back or stays.
fn line(from: &Shape<'_>, to: &Shape<'_>) -> String {
    let (x1, y1, y2) = (from.x + BOX_WIDTH, from.y + BOX_HEIGHT / 2, to.y + BOX_HEIGHT / 2);
    let x2 = if to.x > from.x { to.x } else { to.x + BOX_WIDTH };
    let second = if to.x > from.x { x2.saturating_sub(BEND) } else { x2 + BEND };
    format!("M{x1} {y1} C{} {y1} {second} {y2} {x2} {y2}", x1 + BEND)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::checks::{HOSTILE, render, render_hostile};

    #[test]
    fn the_picture_and_the_table_say_the_same() {
        let page = LineagePage::sample();
        let html = render(&page);
        let picture = page.picture().expect("few enough");
        assert_eq!(picture.shapes.len(), page.things.len());
        assert_eq!(picture.lines.len(), page.things.iter().map(|thing| thing.from.len()).sum::<usize>());
        assert_eq!(html.matches("<rect").count(), page.things.len());
        assert!(html.contains("<svg class=\"lineage\""));
        for thing in &page.things {
            assert!(html.contains(&format!("<bdi>{}</bdi>", thing.name)), "{}", thing.name);
        }
        for format in ["prov", "openlineage"] {
            assert!(html.contains(&format!("?format={format}")));
        }
        let inside = |s: &Shape<'_>| s.x + BOX_WIDTH <= picture.width && s.y + BOX_HEIGHT <= picture.height;
        assert!(picture.shapes.iter().all(inside));
        for line in &picture.lines {
            let numbers: Vec<usize> = line.split(['M', 'C', ' ']).filter_map(|number| number.parse().ok()).collect();
            assert_eq!(numbers.len(), 8, "{line}");
            assert!(numbers.iter().step_by(2).all(|x| *x <= picture.width), "{line} is cut at {}", picture.width);
        }
        let places: std::collections::BTreeSet<_> = picture.shapes.iter().map(|s| (s.x, s.y)).collect();
        assert_eq!(places.len(), page.things.len(), "no box covers another");
    }

    #[test]
    fn too_many_things_are_a_table_alone() {
        let mut page = LineagePage::sample();
        let one = LineageThing { from: Vec::new(), ..page.things[1].clone() };
        page.things.extend(std::iter::repeat_n(one, PICTURE_MAX));
        page.cut = true;
        let html = render(&page);
        assert!(!html.contains("<svg class=\"lineage\"") && html.contains("<table"));
        assert!(html.contains("More was left out"));
    }

    #[test]
    fn names_fit_into_their_boxes() {
        assert_eq!(fitted("Flights"), "Flights");
        assert_eq!(fitted(&"x".repeat(40)), format!("{}…", "x".repeat(22)));
        assert_eq!(fitted(&"航".repeat(40)), format!("{}…", "航".repeat(11)));
        assert_eq!(fitted(&"航".repeat(12)), "航".repeat(12));
    }

    #[test]
    fn kinds_and_relations_have_words() {
        for kind in LineageKind::ALL {
            assert!(kind.text().exists(), "{kind:?}");
        }
        for relation in LineageRelation::ALL {
            assert!(relation.text().exists(), "{relation:?}");
        }
    }

    #[test]
    fn hostile_text_stays_text() {
        let mut page = LineagePage::sample();
        page.id = HOSTILE.into();
        page.things[0].name = HOSTILE.into();
        page.things[1].id = HOSTILE.into();
        page.things[2].href = Some(HOSTILE.into());
        render_hostile(&page);
    }
}
