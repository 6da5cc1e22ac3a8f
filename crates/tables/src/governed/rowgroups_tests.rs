//! Decisions against the rows they are about.

use super::*;
use crate::governed::fixtures::{Dice, filter, holds, read_back, source_file_with};
use fondaco_core::policy::view::View;
use parquet::file::properties::EnabledStatistics;

#[test]
fn no_decision_contradicts_the_rows() {
    let (mut all, mut none, mut mixed, mut needless) = (0, 0, 0, 0);
    for seed in 0..300 {
        let mut dice = Dice::new(seed);
        let statistics =
            *dice.pick(&[EnabledStatistics::Page, EnabledStatistics::Chunk, EnabledStatistics::Chunk, EnabledStatistics::None]);
        let source = source_file_with(&mut dice, 3, statistics);
        let filter = filter(&mut dice, 3, 1);
        let Ok(plan) = TablePlan::new(&View { row_filter: Some(filter.clone()), ..View::default() }, &source.schema, &[]) else { continue };
        let footer = source.footer();
        let condition = plan.condition(footer.arrow.schema()).expect("condition");
        let decisions = decide(condition.as_ref(), &plan, footer.metadata(), footer.arrow.schema());
        let whole = read_back(&source.bytes);
        let mut first = 0;
        for (group, decision) in footer.metadata().row_groups().iter().zip(&decisions) {
            let last = first + usize::try_from(group.num_rows()).expect("rows");
            let shown = (first..last).filter(|r| holds(&filter, &whole, *r) == Some(true)).count();
            let context = || format!("seed {seed}: {filter}, rows {first}..{last}, {shown} shown");
            match decision {
                Decision::All => assert_eq!(shown, last - first, "{}", context()),
                Decision::None => assert_eq!(shown, 0, "{}", context()),
                Decision::Mixed => needless += usize::from(shown == 0 || shown == last - first),
            }
            *match decision {
                Decision::All => &mut all,
                Decision::None => &mut none,
                Decision::Mixed => &mut mixed,
            } += 1;
            first = last;
        }
    }
    println!("{all} all, {none} none, {mixed} mixed of which {needless} need not be");
    assert!(all > 50 && none > 50 && mixed > 50, "{all} {none} {mixed}");
}

#[test]
fn without_a_count_of_missing_values_nothing_is_decided() {
    let missing = || Condition::IsNull { field: Field::column("a").expect("field") };
    let unknown = |_: &Field| Some(Range { values: 3, ..Range::default() });
    for condition in [missing(), Condition::Not(Box::new(missing()))] {
        let found = may(&condition, &unknown);
        assert!(found.hold && found.fail, "{found:?}");
    }
    for (nulls, hold, fail) in [(0, false, true), (1, true, true), (3, true, false)] {
        let found = may(&missing(), &|_: &Field| Some(Range { nulls: Some(nulls), values: 3, ..Range::default() }));
        assert_eq!((found.hold, found.fail), (hold, fail), "{nulls} of 3");
    }
}

#[test]
fn decimals_in_bytes_are_read_with_their_sign() {
    assert_eq!(big_endian(&[0xff, 0x9c]), Some(Key::Int(-100)));
    assert_eq!(big_endian(&[0, 0, 0x80]), Some(Key::Int(128)));
    assert_eq!(big_endian(&[]), None);
    assert_eq!(big_endian(&[0; 17]), None);
}
